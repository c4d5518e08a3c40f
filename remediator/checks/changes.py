"""What happened to a service's objects lately, by anybody: the fact behind `changed_by_others`.

Which of it was ours is decided elsewhere, by comparing times with our own acts. Here the question is
what shows a hand, and what is only the engine or the program itself:

- A hand: create, destroy, stop, kill (any signal), restart, pause, unpause, update, rename; a start that
  no restart policy explains; of a Swarm service its creation, removal, and every change of its
  specification.
- No hand: a process that ends by itself (`die` without a stop or kill), also for lack of memory; a
  start by a restart policy; a health check that changes its mind; Swarm's own progress with an update.

An engine forgets: its memory begins with its own start, and it keeps few events, which health checks
fill up within minutes. What lies before `History.complete_from` is told by the state as far as it can
be: when a container was created, when it was last started by hand, whether it was stopped on purpose,
whether it is paused. Only what leaves no trace there is missed, such as a signal, an unpause, or the
removal of one replica of several; and only until the daemon has watched for as long as is asked for.
Holding for all of that time after each start of the daemon or the engine would be worse, since that is
when remediation is needed most.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.model.service import TargetKind
from remediator.model.world import ObjectChange, TargetError, WorldError
from remediator.world.clocks import ahead
from remediator.world.labels import COMPOSE_PROJECT, COMPOSE_SERVICE, SWARM_SERVICE_NAME
from remediator.world.targets import is_one_off

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from remediator.model.plan import Operation, OperationSpec
    from remediator.model.service import Service, Target
    from remediator.model.world import Container, SwarmService
    from remediator.world.base import EngineEvent, History, World

HANDS = frozenset({"create", "destroy", "stop", "kill", "restart", "pause", "unpause", "update", "rename"})
"""Things that the engine does to a container only when it is told to."""

PROGRESS = frozenset({"updating", "completed", "paused", "rollback_paused", "rollback_completed"})
"""States that Swarm itself puts an update into; a rollback is begun by people, too."""

ASKED_TO_END = frozenset({0, 130, 137, 143})
"""Exit codes of a program that ended because it was done, or told to: by SIGINT, SIGKILL, SIGTERM."""

SAME_START = timedelta(seconds=1)
"""A start and the event that tells of it are not further apart."""

BY_STATE = "stopped on purpose"


async def recent_changes(
    service: Service, operations: Sequence[OperationSpec | Operation], since: datetime, world: World
) -> tuple[ObjectChange, ...]:
    """Everything that shows a hand on the service's objects since then, oldest first, by our clock.

    The objects are those of the operations, those that the service runs as now, and those that did
    lately, as their labels tell. WorldError when the engine cannot tell.
    """
    target = service.target
    if target.kind is TargetKind.NONE:
        return ()
    try:
        engine = world.engine(target.engine)
    except TargetError as error:
        raise WorldError(str(error)) from None
    skew = await ahead(engine, world.clock)
    ids = {operation.object_id for operation in operations}
    # The history first: then nothing can fall between it and the state.
    history = await engine.history(since + skew)
    changes: Iterator[ObjectChange]
    if target.kind is TargetKind.SWARM_SERVICE:
        changes = _of_swarm(target, ids, history, since + skew, await engine.swarm_service(target.name))
    else:
        changes = _of_containers(target, ids, history, since + skew, await engine.containers(target))
    ours = [_by_our_clock(change, skew) for change in changes]
    return tuple(sorted(ours, key=lambda change: change.at or since))


def _by_our_clock(change: ObjectChange, skew: timedelta) -> ObjectChange:
    return replace(change, at=change.at and change.at - skew)


def _of_swarm(
    target: Target, ids: set[str], history: History, since: datetime, swarm: SwarmService | None
) -> Iterator[ObjectChange]:
    if swarm is not None:
        ids = ids | {swarm.id}
    for event in history.events:
        if event.kind != "service" or event.at < since:
            continue
        if event.object_id not in ids and event.name != target.name:
            continue
        progress = event.attributes.get("updatestate.new") in PROGRESS
        changed = "image.new" in event.attributes or "replicas.new" in event.attributes
        if not progress or changed:
            yield _told(event)
    # Progress moves this time, too; so it can only be late, which errs on the careful side.
    if swarm is not None and since <= swarm.updated_at < history.complete_from:
        what = "create" if swarm.created_at == swarm.updated_at else "update"
        yield ObjectChange(object_id=swarm.id, object_name=swarm.name, what=what, at=swarm.updated_at)


def _of_containers(
    target: Target,
    ids: set[str],
    history: History,
    since: datetime,
    containers: Sequence[Container],
) -> Iterator[ObjectChange]:
    known = {c.id: c for c in containers if not is_one_off(target, c.labels)}
    before: dict[str, str] = {}
    for event in history.events:
        if event.kind != "container":
            continue
        previous = before.get(event.object_id, "")
        if event.action in HANDS or event.action in ("start", "die"):
            before[event.object_id] = event.action
        concerned = event.object_id in ids or event.object_id in known or belongs(target, event)
        if concerned and event.at >= since and _shows_a_hand(event, previous, known.get(event.object_id)):
            yield _told(event)
    for container in known.values():
        yield from _of_state(container, since, history.complete_from)


def _shows_a_hand(event: EngineEvent, previous: str, container: Container | None) -> bool:
    if event.action != "start":
        return event.action in HANDS
    if previous not in ("die", "") or container is None or container.restart_policy in ("", "no"):
        return True
    # A restart policy counts its restarts, and a start by hand sets that count back to nothing.
    latest = container.started_at is None or container.started_at - SAME_START <= event.at
    return previous == "die" and latest and container.restart_count == 0


def _of_state(container: Container, since: datetime, complete_from: datetime) -> Iterator[ObjectChange]:
    """What the state of a container shows of the time that the history does not reach."""

    def change(what: str, at: datetime | None) -> ObjectChange:
        return ObjectChange(object_id=container.id, object_name=container.name, what=what, at=at)

    def unseen(at: datetime | None) -> bool:
        return at is not None and since <= at < complete_from

    if unseen(container.created_at):
        yield change("create", container.created_at)
    if unseen(container.started_at) and container.restart_count == 0:
        yield change("start", container.started_at)
    if container.status == "exited" and unseen(container.finished_at) and _on_purpose(container):
        yield change(BY_STATE, container.finished_at)
    if container.status == "paused" and since < complete_from:
        yield change("pause", None)


def _on_purpose(container: Container) -> bool:
    """Whether a container that has ended was probably stopped by somebody."""
    if container.oom_killed:
        return False
    # These policies start it again whatever it ended with, unless it was stopped.
    return container.restart_policy in ("always", "unless-stopped") or container.exit_code in ASKED_TO_END


def belongs(target: Target, event: EngineEvent) -> bool:
    """Whether the object of an event was, by its labels or name, the target or one of its containers."""
    labels = event.attributes
    match target.kind:
        case TargetKind.COMPOSE_SERVICE:
            return (
                labels.get(COMPOSE_SERVICE) == target.name
                and target.project in (None, labels.get(COMPOSE_PROJECT))
                and not is_one_off(target, labels)
            )
        case TargetKind.CONTAINER:
            return target.name in (labels.get("name"), labels.get("oldName", "").removeprefix("/"))
        case TargetKind.LABEL:
            key, _, value = target.name.partition("=")
            return labels.get(key) == value
        case TargetKind.SWARM_SERVICE:
            return target.name == (event.name if event.kind == "service" else labels.get(SWARM_SERVICE_NAME))
        case TargetKind.NONE:
            return False


def _told(event: EngineEvent) -> ObjectChange:
    return ObjectChange(object_id=event.object_id, object_name=event.name, what=event.action, at=event.at)
