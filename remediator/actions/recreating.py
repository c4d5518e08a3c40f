"""One Compose service made anew: the act, and what it has come to."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from remediator.actions.drift import read_files
from remediator.actions.settling import health_of, until_healthy
from remediator.model.duration import format_duration
from remediator.model.service import Target, TargetKind
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from remediator.world.base import CommandNotStarted
from remediator.world.compose import ComposeProject
from remediator.world.labels import COMPOSE_CONFIG_HASH, COMPOSE_NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remediator.model.plan import Operation
    from remediator.model.run import Attempt
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, Container, ProbeResult
    from remediator.world.base import CommandResult, World
    from remediator.world.compose import Compose

KIND = "compose.recreate"
WAIT = timedelta(minutes=5)
"""How long a service is waited for, before those that depend on it are touched."""
STEADY = timedelta(seconds=10)
"""A container without a health check counts as healthy once it has run for so long."""
ENDING = 5.0
"""Seconds that Compose is given to be gone once it was killed."""
AFTERMATH = 2.0
"""Seconds in which the engine finishes what an ended Compose has asked it for last."""
POLL = 0.25
SAID_CHARS = 500
"""Of what Compose says of a failure, as much as is kept."""


def compose_of(world: World) -> Compose:
    """Docker Compose. TargetError where it cannot be used."""
    if world.compose is None:
        why = "Docker Compose is not at hand: say in the configuration under `compose` how it is started"
        raise TargetError(Reason.NOT_ALLOWED, why)
    return world.compose


def left_behind(containers: Sequence[Container]) -> str | None:
    """Why Compose cannot be trusted with these: there are two of one number, old and new.

    It was ended while it replaced one by the other. It would count both, and remove the wrong ones.
    """
    numbers = Counter(c.labels[COMPOSE_NUMBER] for c in containers if COMPOSE_NUMBER in c.labels)
    twice = [c.name for c in containers if numbers[c.labels.get(COMPOSE_NUMBER, "")] > 1]
    if not twice:
        return None
    return f"Compose was ended while it replaced a container: remove all but one of {', '.join(twice)}"


async def apply(operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
    """Have Compose do it, unless files, image or containers are not those of the plan any more."""
    project, service = _project(operation), str(operation.before["service"])
    try:
        compose = compose_of(world)
        await _must_be_as_planned(operation, project, compose, world)
    except (TargetError, WorldError) as error:
        return ActFailed(result={"error": f"nothing was done: {error}"})
    replicas = int(operation.change["replicas"])
    try:
        done = await compose.up(project, service, scale=replicas, recreate=True, attempt=attempt.id)
        if done.exit_code is None or await world.commands.survivors(attempt.id):
            return Unknown(result={**_said(done), "error": "Compose does not end"})
        now = await _containers(operation, world)
    except CommandNotStarted as error:
        return ActFailed(result={"error": str(error)})
    except (TargetError, WorldError) as error:
        return Unknown(result={"error": str(error)})
    if done.timed_out or done.exit_code != 0 or not _is_made(operation, now):
        return ActFailed(result={**_said(done), "containers": [c.name for c in now]})
    result: dict[str, Json] = {"containers": {c.name: c.id for c in now}}
    if "healthy_within" not in operation.change:
        return Applied(result=result)
    engine, ids = world.engine(project.engine), [c.id for c in now]
    seen = await until_healthy(ids, engine, world.clock, steady=STEADY, within=WAIT)
    if seen.healthy:
        return Applied(result=result)
    return _not_healthy(seen.detail, result)


async def probe(operation: Operation, attempt: Attempt, world: World, over: bool) -> ProbeResult:
    """Wait for Compose if it still runs, end it after the deadline, and look at the containers."""
    if await world.commands.survivors(attempt.id):
        if not over:
            return Unknown(result={"error": "Compose still runs"})
        if not await _end(operation, attempt, world):
            return Unknown(result={"error": "Compose still runs, and does not end"})
    now = await _containers(operation, world)
    if _is_made(operation, now):
        return await _probe_health(operation, now, world, over)
    old = operation.before["containers"]
    if not over:
        return Unknown(result={"error": "not made anew so far, but the engine may still do it"})
    if {c.id for c in now} == set(old):
        return NotApplied()
    told: dict[str, Json] = {"half_done": True, "containers": [c.name for c in now]}
    behind = left_behind(now)
    if behind:
        return Unknown(result={**told, "error": behind})
    # Some were made anew, and some were not begun with: all can be made anew once more.
    return NotApplied(result={**told, "error": "made anew only in part"})


async def _probe_health(operation: Operation, now: list[Container], world: World, over: bool) -> ProbeResult:
    result: dict[str, Json] = {"containers": {c.name: c.id for c in now}}
    if "healthy_within" not in operation.change:
        return Applied(result=result)
    engine = world.engine(str(operation.before["engine"]))
    seen = await health_of([c.id for c in now], engine, world.clock, STEADY)
    if seen.healthy:
        return Applied(result=result)
    if over:
        return _not_healthy(seen.detail, result)
    return Unknown(result={"error": f"made anew, and not healthy so far: {seen.detail}"})


def _not_healthy(detail: str, result: dict[str, Json]) -> ActFailed:
    wait = format_duration(WAIT)
    error = f"made anew, but not healthy within {wait} ({detail}); what depends on it is left alone"
    return ActFailed(result={**result, "error": error})


async def _must_be_as_planned(
    operation: Operation, project: ComposeProject, compose: Compose, world: World
) -> None:
    files, service = await read_files(project, compose), str(operation.before["service"])
    changed = f"the {{}} of {service} changed after this was planned"
    files.entry(service)
    if sorted(files.hashes[service]) != operation.change["made_of"]:
        raise TargetError(Reason.DRIFTED, changed.format("Compose files"))
    image = await world.engine(project.engine).image(files.image(service))
    if image is None or image.id != operation.change["image"]:
        raise TargetError(Reason.DRIFTED, changed.format("image"))
    now = await _containers(operation, world)
    if {c.id for c in now} != set(operation.before["containers"]):
        raise TargetError(Reason.STALE_PLAN, changed.format("containers"))


def _is_made(operation: Operation, now: list[Container]) -> bool:
    """Whether all containers are others than before, made of what was planned, and were started."""
    return (
        len(now) == int(operation.change["replicas"])
        and not {c.id for c in now} & set(operation.before["containers"])
        and all(c.labels.get(COMPOSE_CONFIG_HASH) in operation.change["made_of"] for c in now)
        and all(c.image_id == operation.change["image"] and c.started_at is not None for c in now)
    )


async def _containers(operation: Operation, world: World) -> list[Container]:
    project = _project(operation)
    name = str(operation.before["service"])
    target = Target(kind=TargetKind.COMPOSE_SERVICE, name=name, project=project.name, engine=project.engine)
    return await world.engine(project.engine).containers(target)


async def _end(operation: Operation, attempt: Attempt, world: World) -> bool:
    """End Compose; what it leaves half done is told by the containers. False if it is not gone soon."""
    argv = compose_of(world).argv(
        _project(operation),
        str(operation.before["service"]),
        scale=int(operation.change["replicas"]),
        recreate=True,
    )
    await world.commands.end_survivors(attempt.id, argv)
    end = world.clock.monotonic() + ENDING
    while await world.commands.survivors(attempt.id):
        if world.clock.monotonic() >= end:
            return False
        await world.clock.sleep(POLL)
    await world.clock.sleep(AFTERMATH)
    return True


def _project(operation: Operation) -> ComposeProject:
    told: dict[str, Any] = operation.before["project"]
    return ComposeProject(
        name=told["name"],
        engine=told["engine"],
        directory=told["directory"],
        files=tuple(told["files"]),
        env_files=tuple(told["env_files"]),
    )


def _said(done: CommandResult) -> dict[str, Json]:
    lines = done.output.strip().splitlines()
    how = "not done in time" if done.timed_out else f"exit code {done.exit_code}"
    error = f"Compose: {how}: {lines[-1][:SAID_CHARS]}" if lines else f"Compose: {how}"
    return {"error": error, "exit_code": done.exit_code, "output": done.output}
