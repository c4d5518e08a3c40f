"""What the engine shows of one container's health, in the three answers that everybody here goes by.

Well, ill, and "cannot tell", which is also the answer while something is still starting: that is
neither a success nor a failure yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from remediator.model.duration import format_duration

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from remediator.model.world import Container


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was seen of the health of a service, or of one of its containers."""

    healthy: bool | None
    """None: it could not be told, or it is still starting."""
    detail: str
    since: datetime | None = None
    """When the youngest of its containers or tasks started, by our clock; None if nobody knows."""


def container_health(container: Container, steady: timedelta, now: datetime) -> Health:
    """One container's health at `now` by the engine's clock.

    Without a health check it has to have run for `steady`.
    """
    detail = f"{container.name}: {state(container)}"
    if container.status != "running" or container.health == "unhealthy":
        return Health(healthy=False, detail=detail)
    if container.health == "starting":
        return Health(healthy=None, detail=detail)
    if container.health is None:
        return steady_since(detail, container.started_at, steady, now)
    return Health(healthy=True, detail=detail)


def steady_since(detail: str, since: datetime | None, steady: timedelta, now: datetime) -> Health:
    """The health of what only shows since when it runs."""
    if since is None:
        return Health(healthy=None, detail=f"{detail}, nobody knows since when")
    if now - since < steady:
        return Health(healthy=None, detail=f"{detail}, for less than {format_duration(steady)}")
    return Health(healthy=True, detail=detail)


def state(container: Container) -> str:
    """The state of a container in a word or two: `running, unhealthy`, `exited 137, out of memory`."""
    if container.status != "running":
        code = f" {container.exit_code}" if container.exit_code is not None else ""
        return f"{container.status}{code}{', out of memory' if container.oom_killed else ''}"
    return f"running, {container.health}" if container.health else "running"
