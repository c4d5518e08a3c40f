"""More containers of a Compose service, made by Compose itself from the project's own files.

New containers are made of what the files say now, beside others that were made of what they said then:
so it is only done where both are the same, and where the files let several containers run side by side.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.actions.drift import hashes_of
from remediator.model.plan import OperationSpec
from remediator.model.service import Target, TargetKind
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from remediator.world.base import CommandNotStarted
from remediator.world.compose import UP_TIMEOUT, project_of
from remediator.world.labels import COMPOSE_CONFIG_HASH, COMPOSE_PROJECT
from remediator.world.targets import containers_of, is_one_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from remediator.model.plan import Operation
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, Container, ProbeResult
    from remediator.world.base import CommandResult, World
    from remediator.world.compose import Compose, ComposeProject

KIND = "compose.scale"
TIMEOUT = 2 * UP_TIMEOUT + timedelta(minutes=1)
"""For Compose, and once more to take back what it left half done."""
SAID_CHARS = 500
"""Of what Compose says of a failure, as much as is kept."""


async def operation_of(service: Service, wanted: Callable[[int], int], world: World) -> OperationSpec:
    """From the containers that there are to as many as `wanted` says. TargetError, WorldError."""
    containers = await containers_of(service, world)
    stopped = [c.name for c in containers if not c.running or c.status == "paused"]
    if stopped:
        why = f"{', '.join(stopped)} does not run, and Compose would start it too"
        raise TargetError(Reason.NOT_SCALABLE, why)
    compose = _compose(world)
    project = project_of(containers[0].labels, service.target.engine)
    made_of = await _made_of(service.target.name, project, compose)
    changed = [c.name for c in containers if c.labels.get(COMPOSE_CONFIG_HASH) not in made_of]
    if changed:
        raise _drifted(service.target.name, changed)
    return OperationSpec(
        kind=KIND,
        object_id=f"{project.name}/{service.target.name}",
        object_name=f"{project.name}-{service.target.name}",
        change={"from": len(containers), "to": wanted(len(containers)), "made_of": made_of},
        before={
            "engine": service.target.engine,
            "project": containers[0].labels[COMPOSE_PROJECT],
            "service": service.target.name,
        },
        timeout=TIMEOUT,
    )


async def apply(operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
    """Have Compose do it. What it leaves half done is taken back at once."""
    before, after = int(operation.change["from"]), int(operation.change["to"])
    try:
        compose, there = _compose(world), await _containers(operation, world)
        if len(there) != before:
            return ActFailed(result=left(before, len(there)))
        project = project_of(there[0].labels, str(operation.before["engine"]))
        service = str(operation.before["service"])
        # Fewer of them are the same containers, whatever the files say by now.
        if after > before and await _made_of(service, project, compose) != operation.change["made_of"]:
            raise _drifted(service, [c.name for c in there])
    except (TargetError, WorldError) as error:
        return ActFailed(result={"error": f"nothing was done: {error}"})
    try:
        done = await compose.up(project, service, scale=after, recreate=False, attempt=attempt.id)
        if done.exit_code is None or await world.commands.survivors(attempt.id):
            return Unknown(result={"error": "Compose does not end", **_said(done)})
        now = await _containers(operation, world)
    except CommandNotStarted as error:
        return ActFailed(result={"error": str(error)})
    except (TargetError, WorldError) as error:
        return Unknown(result={"error": str(error)})
    if done.exit_code == 0 and len(now) == after:
        fresh = sorted({c.name for c in now} ^ {c.name for c in there})
        return Applied(result={"replicas": after, "containers": list(fresh)})
    return await _failed(operation, done, now, project, compose, world)


async def probe(operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
    """Wait for Compose if it still runs, end it after the deadline, and count the containers."""
    over = world.clock.now() >= attempt.deadline
    if await world.commands.survivors(attempt.id):
        if not over:
            return Unknown(result={"error": "Compose still runs"})
        await _end(operation, attempt, world)
        if await world.commands.survivors(attempt.id):
            return Unknown(result={"error": "Compose still runs, and does not end"})
    try:
        there = await _containers(operation, world)
    except TargetError as error:
        return Unknown(result={"error": str(error)})
    before, after = int(operation.change["from"]), int(operation.change["to"])
    if len(there) == after and all(c.running for c in there):
        return Applied(result={"replicas": after})
    if len(there) != before:
        return Unknown(result=left(before, len(there)))
    if over:
        return NotApplied(result={"replicas": before})
    return Unknown(result={"error": "not scaled so far, but the engine may still do it"})


def left(before: int, replicas: int) -> dict[str, Json]:
    """What is said of a number that is neither the one before nor the one after."""
    error = f"there are {replicas} replicas now instead of {before}: somebody changed that, and it was left"
    return {"error": error, "replicas": replicas}


def _compose(world: World) -> Compose:
    if world.compose is None:
        why = "Docker Compose is not at hand: say in the configuration under `compose` how it is started"
        raise TargetError(Reason.NOT_SCALABLE, why)
    return world.compose


async def _made_of(name: str, project: ComposeProject, compose: Compose) -> list[str]:
    """The hashes of what a new container would be made of; TargetError if there can be only one."""
    config = await compose.config(project)
    entry = config["services"].get(name)
    if not isinstance(entry, dict):
        why = f"the files of the Compose project {project.name} have no service {name} any more"
        raise TargetError(Reason.NOT_SCALABLE, why)
    obstacles = list(_obstacles(entry))
    if obstacles:
        raise TargetError(
            Reason.NOT_SCALABLE, f"only one container of {name} can run: it has {', and '.join(obstacles)}"
        )
    return sorted((await hashes_of(project, config, compose))[name])


def _obstacles(entry: Mapping[str, Json]) -> Iterator[str]:
    """What no two containers can have."""
    if entry.get("container_name"):
        yield f"the fixed name {entry['container_name']} (container_name)"
    for port in entry.get("ports") or ():
        published = str(port.get("published") or "")
        if published and "-" not in published:
            yield f"the fixed host port {published}"
    if entry.get("network_mode") == "host":
        yield "the network of the host"
    for network, settings in (entry.get("networks") or {}).items():
        for key in ("ipv4_address", "ipv6_address", "mac_address"):
            if (settings or {}).get(key):
                yield f"a fixed address in the network {network} ({key})"


def _drifted(service: str, changed: Sequence[str]) -> TargetError:
    return TargetError(
        Reason.NOT_SCALABLE,
        f"the files of the Compose service {service} say something else now than {', '.join(changed)} "
        "was made of: bring the service up by hand first, then it can be scaled",
    )


async def _containers(operation: Operation, world: World) -> list[Container]:
    """The containers of the service that there are now, stopped ones too."""
    target = Target(
        kind=TargetKind.COMPOSE_SERVICE,
        name=str(operation.before["service"]),
        project=str(operation.before["project"]),
        engine=str(operation.before["engine"]),
    )
    found = await world.engine(target.engine).containers(target)
    return [c for c in found if not is_one_off(target, c.labels)]


async def _failed(
    operation: Operation,
    done: CommandResult,
    now: Sequence[Container],
    project: ComposeProject,
    compose: Compose,
    world: World,
) -> ApplyResult:
    before, after = int(operation.change["from"]), int(operation.change["to"])
    result = {"error": "not scaled", "replicas": len(now), **_said(done)}
    if len(now) > before and after > before:
        try:
            back = await compose.up(project, str(operation.before["service"]), scale=before, recreate=False)
            there = await _containers(operation, world)
        except (CommandNotStarted, TargetError, WorldError) as error:
            return Unknown(result={**result, "error": f"half done, and not taken back: {error}"})
        result |= {"taken_back": back.exit_code == 0, "replicas": len(there)}
        if len(there) != before:
            return Unknown(result={**result, "error": "half done, and not taken back", **_said(back)})
    return ActFailed(result=result)


def _said(done: CommandResult) -> dict[str, Json]:
    return {
        "exit_code": done.exit_code,
        "timed_out": done.timed_out,
        "output": done.output[-SAID_CHARS:],
    }


async def _end(operation: Operation, attempt: Attempt, world: World) -> None:
    try:
        there = await _containers(operation, world)
        project = project_of(there[0].labels if there else {}, str(operation.before["engine"]))
        argv = _compose(world).argv(
            project, str(operation.before["service"]), scale=int(operation.change["to"]), recreate=False
        )
    except TargetError:
        return  # what it was told to run is not known any more; it is asked about again later
    await world.commands.end_survivors(attempt.id, argv)
