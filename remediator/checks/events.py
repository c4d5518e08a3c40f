"""The check `events`: what the engine tells of the service's objects in the last minutes.

The engine tells what happened, not who did it: of a `kill` the signal, of a `die` the exit code.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from remediator.checks.base import Look
from remediator.checks.changes import ASKED_TO_END, belongs
from remediator.checks.texts import table
from remediator.model.duration import format_duration
from remediator.model.params import Params
from remediator.model.service import TargetKind
from remediator.model.text import counted, harmless
from remediator.model.words import Reason
from remediator.model.world import Finding, TargetError
from remediator.reading.fields import Positive  # noqa: TC001 - pydantic needs it
from remediator.world.clocks import ahead
from remediator.world.targets import seen_containers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import Container
    from remediator.world.base import EngineEvent, World

CELL = 200
"""Characters of one name or detail, at most."""
KEPT = 20
"""Events that go into the record, the newest; the text has more."""

_DETAILS = {
    "exitCode": "exit code {}",
    "signal": "signal {}",
    "oldName": "was {}",
    "updatestate.new": "update {}",
    "image.new": "image {}",
    "replicas.new": "replicas {}",
}
_OF_A_BEGINNING = ("create", "start")
"""Where the image is worth telling."""


class EventsParams(Params):
    """Parameters of the check `events`."""

    since: Positive = Field(default=timedelta(minutes=15), description="How far to look back.")
    limit: int = Field(default=100, ge=1, le=1000, description="How many events are shown, the newest.")


class EventsLook(Look[EventsParams]):
    """Look at what happened lately."""

    name = "events"
    params = EventsParams

    async def see(self, service: Service, params: EventsParams, world: World) -> Finding:
        """Well is: nothing ended with an error by itself, or for lack of memory."""
        engine = world.engine(service.target.engine)
        containers = await present(service, world)
        skew = await ahead(engine, world.clock)
        since = world.clock.now() - params.since
        history = await engine.history(since + skew)
        events = events_of(service, containers, history.events)
        bad = [event for event in events if _bad(event)]
        missing = history.complete_from - skew > since
        told = f"{counted(len(events), 'event')} in {format_duration(params.since)}"
        if bad:
            told += f", {_told_of(bad[-1])}"
        if missing:
            told += f"; what was before {_time(history.complete_from - skew)} is not known any more"
        shown = events[-params.limit :]
        return Finding(
            check=self.name,
            ok=False if bad else None if missing else True,
            summary=told,
            text=_text(shown, len(events) - len(shown), skew),
            facts={"events": [_facts(event, skew) for event in shown[-KEPT:]], "complete": not missing},
        )


async def present(service: Service, world: World) -> list[Container]:
    """The containers of a service that are there now, be it none. Errors as for `seen_containers`.

    What is in the catalogue may be told of although it is gone: that is when it matters.
    """
    try:
        return await seen_containers(service, world)
    except TargetError as error:
        gone = error.reason is Reason.NO_TARGET and service.target.kind is not TargetKind.NONE
        if gone and service.catalogued:
            world.engine(service.target.engine)  # an engine that nobody knows tells of nothing
            return []
        raise


def events_of(
    service: Service, containers: Collection[Container], events: Collection[EngineEvent]
) -> list[EngineEvent]:
    """Those of the events that tell of the service, or of what was one of its containers."""
    ids = {container.id for container in containers}
    return [event for event in events if event.object_id in ids or belongs(service.target, event)]


def _bad(event: EngineEvent) -> bool:
    if event.action == "die":
        return event.attributes.get("exitCode", "0") not in map(str, ASKED_TO_END)
    return event.action == "oom"


def _told_of(event: EngineEvent) -> str:
    return f"the last bad one: {harmless(event.name, limit=CELL)} {event.action} {_detail(event)}".rstrip()


def _detail(event: EngineEvent) -> str:
    parts = [how.format(event.attributes[key]) for key, how in _DETAILS.items() if key in event.attributes]
    if event.action in _OF_A_BEGINNING and "image" in event.attributes:
        parts.append(f"image {event.attributes['image']}")
    return harmless(", ".join(parts), limit=CELL)


def _text(events: Collection[EngineEvent], left_out: int, skew: timedelta) -> str:
    if not events:
        return ""
    rows = [
        (_time(event.at - skew), harmless(event.name, limit=CELL), event.action, _detail(event))
        for event in events
    ]
    head = f"[... {counted(left_out, 'older event')} left out ...]\n" if left_out else ""
    return head + table(("AT", "NAME", "WHAT", "DETAIL"), rows)


def _facts(event: EngineEvent, skew: timedelta) -> Mapping[str, Json]:
    return {
        "at": (event.at - skew).isoformat(),
        "name": harmless(event.name, limit=CELL),
        "id": event.object_id,
        "what": event.action,
        "detail": _detail(event),
    }


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
