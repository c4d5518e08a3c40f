"""The check `changes`: which image and configuration each container has, and which it had before.

What was before is known from the engine's events of the containers that are gone: an engine itself
keeps nothing of them, and events go no further back than the daemon has watched.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from remediator.checks.base import Look
from remediator.checks.events import events_of, present
from remediator.checks.texts import table
from remediator.model.duration import format_duration
from remediator.model.params import Params
from remediator.model.service import TargetKind
from remediator.model.text import counted, harmless
from remediator.model.world import Finding
from remediator.reading.fields import Positive  # noqa: TC001 - pydantic needs it
from remediator.world.clocks import ahead
from remediator.world.labels import COMPOSE_CONFIG_HASH, COMPOSE_IMAGE, COMPOSE_NUMBER, COMPOSE_SERVICE
from remediator.world.targets import seen_swarm_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import Container
    from remediator.world.base import EngineEvent, World

_HEAD = ("NAME", "CREATED", "IMAGE", "IMAGE ID", "CONFIG", "RESTART POLICY")
_ALIKE = {"image": "image", "image_id": "image id", "config": "Compose configuration"}
"""What may differ between a container and the one before it: fact -> in words."""
_SHORT = 12
MAX_CELL = 200
MAX_CONTAINERS = 50
"""Looked at, of one service."""
MAX_CHANGES = 50
"""Kept, the first ones."""


class ChangesParams(Params):
    """Parameters of the check `changes`."""

    since: Positive = Field(default=timedelta(hours=24), description="What counts as a recent change.")


class ChangesLook(Look[ChangesParams]):
    """Look at what was deployed lately."""

    name = "changes"
    params = ChangesParams

    async def see(self, service: Service, params: ChangesParams, world: World) -> Finding:
        """Well is: all is as it was `since` ago."""
        engine = world.engine(service.target.engine)
        containers = (await present(service, world))[:MAX_CONTAINERS]
        skew = await ahead(engine, world.clock)
        since = world.clock.now() - params.since + skew
        events = events_of(service, containers, (await engine.history(since)).events)
        changed = [*_updates(events)]
        if service.target.kind is TargetKind.SWARM_SERVICE:
            swarm = await seen_swarm_service(service, world)
            if not changed and swarm.updated_at >= since:
                changed.append(f"the service was updated at {swarm.updated_at - skew:%Y-%m-%d %H:%M:%S}")
        facts = [_facts(container, skew) for container in containers]
        for container, now in zip(containers, facts, strict=True):
            now["before"] = before = _before(container, events)
            if container.created_at >= since:
                changed.append(_told(now, before))
        gone = not containers and service.target.kind is not TargetKind.SWARM_SERVICE
        told = f"{counted(len(changed), 'change')} in {format_duration(params.since)}" if changed else None
        told = told or f"nothing was changed in {format_duration(params.since)}"
        return Finding(
            check=self.name,
            ok=False if changed else None if gone else True,
            summary="; ".join(["no containers" if gone else told, *changed[:3]]),
            text="\n".join([*changed[:MAX_CHANGES], "", table(_HEAD, map(_row, facts))]).strip(),
            facts={"changes": changed[:MAX_CHANGES], "containers": facts},
        )


def _updates(events: Sequence[EngineEvent]) -> Iterator[str]:
    """What Swarm tells of changes of a service's specification."""
    for event in events:
        for what in ("image", "replicas"):
            new, old = (event.attributes.get(f"{what}.{which}") for which in ("new", "old"))
            if event.kind == "service" and new is not None:
                yield harmless(f"{event.name}: {what} {old or '?'} -> {new}", limit=3 * MAX_CELL)


def _facts(container: Container, skew: timedelta) -> dict[str, Json]:
    return {
        "name": harmless(container.name, limit=MAX_CELL),
        "created_at": (container.created_at - skew).isoformat(timespec="seconds"),
        "restart_policy": container.restart_policy,
        **_identity(container.image, container.image_id, container.labels),
    }


def _identity(image: str, image_id: str, labels: Mapping[str, str]) -> dict[str, Json]:
    return {
        "image": harmless(image, limit=MAX_CELL),
        "image_id": harmless(_shortened(image_id or labels.get(COMPOSE_IMAGE, ""))),
        "config": harmless(labels.get(COMPOSE_CONFIG_HASH, "")[:_SHORT]),
    }


def _before(container: Container, events: Sequence[EngineEvent]) -> dict[str, Json] | None:
    """The container that this one took the place of; None if nobody remembers one."""
    for event in reversed(events):
        if event.kind == "container" and event.object_id != container.id and _same_place(container, event):
            return _identity(event.attributes.get("image", ""), "", event.attributes)
    return None


def _same_place(container: Container, event: EngineEvent) -> bool:
    place = (COMPOSE_SERVICE, COMPOSE_NUMBER)
    if all(key in container.labels for key in place):
        # By its number: Compose renames a container before it makes the next one.
        return all(event.attributes.get(key) == container.labels[key] for key in place)
    return event.name == container.name


def _told(now: Mapping[str, Json], before: Mapping[str, Json] | None) -> str:
    made = f"{now['name']} was made at {now['created_at']}"
    if before is None:
        return f"{made}; what was before is not known"
    differ = [
        f"{words} {before[key]} -> {now[key]}"
        for key, words in _ALIKE.items()
        if before[key] and now[key] and before[key] != now[key]
    ]
    return f"{made}: {', '.join(differ) or 'with image and configuration as before, as far as is known'}"


def _row(facts: Mapping[str, Json]) -> tuple[str, ...]:
    keys = ("name", "created_at", "image", "image_id", "config", "restart_policy")
    return tuple(str(facts[key]) or "-" for key in keys)


def _shortened(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:_SHORT]
