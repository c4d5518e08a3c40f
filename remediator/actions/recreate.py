"""Make a service's containers anew, so that they read their environment and start from a clean slate.

A restart reads no `.env`: a container keeps the environment that it was made with. Compose makes it
anew from the project's files, which may say more by now than anybody meant to bring about: so they are
held against what runs first, and again right before the act. Nothing is ever taken down, built or pulled.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from remediator.actions import recreating
from remediator.actions.drift import differences, read_files
from remediator.actions.recreating import KIND, WAIT
from remediator.actions.swarm import SENT, SWARM, apply_forced_update, forced_update, probe_forced_update
from remediator.model.params import Params, read_params
from remediator.model.plan import OperationSpec, PlanSpec
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Json, Reason
from remediator.model.world import ActFailed, TargetError, Unknown, WorldError
from remediator.world.base import EngineRefused, EngineTimeout
from remediator.world.compose import UP_TIMEOUT
from remediator.world.labels import COMPOSE_PROJECT, COMPOSE_SERVICE
from remediator.world.targets import containers_of, swarm_service_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remediator.actions.drift import Files
    from remediator.model.plan import Operation, Plan
    from remediator.model.run import Attempt
    from remediator.model.world import ApplyResult, Container, ProbeResult
    from remediator.world.base import World
    from remediator.world.compose import Compose

LOOKING = timedelta(minutes=2)
"""For reading the files and the engine once more before the act, and for looking at what came of it."""


class RecreateParams(Params):
    """Parameters of `recreate`."""

    accept_changes: tuple[Literal["environment"], ...] | None = Field(
        default=None,
        description="Differences between the files and what runs that are meant. Left out: none.",
    )
    whole_project: bool | None = Field(
        default=None,
        description="Make all services of the Compose project anew that have containers, each after those "
        "that it depends on, and each only when those before it are healthy again.",
    )
    leave_out: tuple[str, ...] | None = Field(
        default=None, description="With `whole_project`: services that are left as they are."
    )


class Recreate:
    """The action `recreate`."""

    name = "recreate"
    params = RecreateParams
    needs_containers = True
    disruptive = True
    reversible = False

    def check(self, params: RecreateParams) -> str | None:
        """Only of a whole project can something be left out."""
        if params.leave_out and not params.whole_project:
            return "leave_out: it belongs to `whole_project: true`"
        return None

    async def plan(self, service: Service, params: Mapping[str, Json], world: World) -> PlanSpec:
        """One operation per Compose service, or one for a Swarm service."""
        wanted = read_params(RecreateParams, params)
        if service.target.kind is TargetKind.SWARM_SERVICE:
            if wanted.whole_project or wanted.accept_changes:
                wrong = "a Swarm service has no files to compare; `recreate` takes no parameters for it"
                raise TargetError(Reason.INVALID_PARAMS, wrong)
            swarm = forced_update(service, await swarm_service_of(service, world))
            operations, what = [swarm], f"all tasks of the Swarm service {swarm.object_name}"
        else:
            operations, what = await _compose_operations(service, wanted, world)
        return PlanSpec(
            action=self.name, params=dict(params), operations=tuple(operations), summary=f"recreate {what}"
        )

    async def apply(self, operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
        """Have Compose, or Swarm, do it, after another look at whether it is still what was planned."""
        if operation.kind == KIND:
            return await recreating.apply(operation, attempt, world)
        try:
            return await apply_forced_update(operation, world.engine(operation.before["engine"]), world)
        except (EngineRefused, TargetError) as error:
            return ActFailed(result={"error": str(error)})
        except EngineTimeout as error:
            return Unknown(result={"error": f"{error}; the engine may still do it", SENT: True})
        except WorldError as error:
            return Unknown(result={"error": str(error)})

    async def probe(self, operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
        """Whether all containers are others than before, or Swarm's counter has moved."""
        over = world.clock.now() >= attempt.deadline
        try:
            if operation.kind == SWARM:
                engine = world.engine(operation.before["engine"])
                return await probe_forced_update(operation, attempt, engine, over)
            return await recreating.probe(operation, attempt, world, over)
        except TargetError as error:
            return Unknown(result={"error": str(error)})

    def undo(self, plan: Plan, operations: Sequence[Operation]) -> PlanSpec | None:
        """The old containers are gone."""
        return None


async def _compose_operations(
    service: Service, wanted: RecreateParams, world: World
) -> tuple[list[OperationSpec], str]:
    compose = recreating.compose_of(world)
    target, containers = await _as_compose_service(service, world)
    files = await read_files(compose.project(containers[0].labels, target.engine), compose)
    there = {target.name: containers}
    if wanted.whole_project:
        there = await _project(service, target, files, wanted.leave_out or (), world)
    elif files.lives_in(target.name):
        others = ", ".join(sorted(files.lives_in(target.name)))
        why = f"{others} lives in the network or processes of {target.name}, and would be cut off"
        raise TargetError(Reason.NOT_ALLOWED, f"{why}: recreate the whole project, by `whole_project: true`")
    meant = await _meant(files, there, wanted, compose, world)
    names = list(there)
    operations = [
        _operation(
            target, files, name, there[name], await _image(files, name, target, world), name != names[-1]
        )
        for name in names
    ]
    what = ", then ".join(
        f"{name} ({', '.join(container.name for container in there[name])})" for name in names
    )
    return operations, f"{what}{f'; accepted: {meant}' if meant else ''}"


async def _as_compose_service(service: Service, world: World) -> tuple[Target, list[Container]]:
    """The Compose service that a service is, whatever it is named by, with all of its containers."""
    containers = await containers_of(service, world)
    named = {(c.labels.get(COMPOSE_PROJECT, ""), c.labels.get(COMPOSE_SERVICE, "")) for c in containers}
    if len(named) > 1 or not all(named.copy().pop()):
        wrong = "is not made by Docker Compose as one service, so nobody knows how to make it anew"
        raise TargetError(Reason.NOT_ALLOWED, f"{service.name} {wrong}")
    ((project, name),) = named
    target = Target(kind=TargetKind.COMPOSE_SERVICE, name=name, project=project, engine=service.target.engine)
    everything = await containers_of(replace(service, target=target), world)
    if {c.id for c in everything} != {c.id for c in containers}:
        wrong = f"{service.name} is only a part of the Compose service {name}, which is made anew as a whole"
        raise TargetError(Reason.AMBIGUOUS_TARGET, wrong, lasting=True)
    return target, containers


async def _project(
    service: Service, target: Target, files: Files, leave_out: Sequence[str], world: World
) -> dict[str, list[Container]]:
    """The services of the project that have containers, each after those that it needs."""
    for name in leave_out:
        files.entry(name)
    needs = {name: sorted(files.needs(name)) for name in sorted(files.config["services"])}
    try:
        order = [name for name in TopologicalSorter(needs).static_order() if name not in leave_out]
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise TargetError(Reason.INVALID_PARAMS, f"services depend on each other: {circle}") from None
    there: dict[str, list[Container]] = {}
    for name in order:
        try:
            one = replace(service, target=replace(target, name=name))
            there[name] = await containers_of(one, world)
        except TargetError as error:
            if error.reason is Reason.OWN_CONTAINER:
                remedy = f"leave it out: `leave_out: [{name}]`"
                raise TargetError(error.reason, f"{error.detail}; {remedy}") from None
            if error.reason is not Reason.NO_TARGET:
                raise
    return there


async def _meant(
    files: Files,
    there: Mapping[str, Sequence[Container]],
    wanted: RecreateParams,
    compose: Compose,
    world: World,
) -> str:
    """The differences that are accepted, in words. TargetError tells of all when there is another one."""
    engine = world.engine(files.project.engine)
    accepted: list[str] = []
    others: list[str] = []
    for name, containers in there.items():
        behind = recreating.left_behind(containers)
        if behind:
            raise TargetError(Reason.DRIFTED, behind)
        found = await differences(files, name, containers, engine, compose)
        for kind, told in found.items():
            (accepted if kind in (wanted.accept_changes or ()) else others).extend(told)
    if others:
        detail = f"what Compose would make differs from what runs: {'; '.join(others)}"
        raise TargetError(
            Reason.DRIFTED,
            f"{detail}. Bring it up by hand once, or, if only the environment differs and is meant to, "
            "say `accept_changes: [environment]`",
        )
    return "; ".join(accepted)


async def _image(files: Files, name: str, target: Target, world: World) -> str:
    image = await world.engine(target.engine).image(files.image(name))
    if image is None:
        raise WorldError(f"the image {files.image(name)} went away while it was looked at")
    return image.id


def _operation(
    target: Target, files: Files, name: str, containers: Sequence[Container], image: str, followed: bool
) -> OperationSpec:
    change: dict[str, Any] = {
        "made_of": sorted(files.hashes[name]),
        "image": image,
        "replicas": len(containers),
        **({"healthy_within": WAIT.total_seconds()} if followed else {}),
    }
    return OperationSpec(
        kind=KIND,
        object_id=f"{files.project.name}/{name}",
        object_name=f"{files.project.name}-{name}",
        change=change,
        before={
            "engine": target.engine,
            "service": name,
            "project": asdict(files.project),
            "containers": {c.id: c.name for c in containers},
        },
        timeout=UP_TIMEOUT + LOOKING + (WAIT if followed else timedelta()),
    )
