"""The service catalogue: what may be acted on, and whom it concerns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class TargetKind(StrEnum):
    """The ways to name what a service runs as."""

    COMPOSE_SERVICE = "compose_service"
    CONTAINER = "container"
    LABEL = "label"
    SWARM_SERVICE = "swarm_service"
    NONE = "none"
    """No containers: a service that only named commands reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a service runs. Resolved to exact objects when a plan is made."""

    kind: TargetKind
    name: str = ""
    """Compose service, container name, `key=value` label, or Swarm service."""
    project: str | None = None
    """The Compose project; without it, a name that two projects use is ambiguous."""
    engine: str = "local"
    """Name of the Docker engine in the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An entry of the catalogue, or a service found by its labels alone (`catalogued` False)."""

    name: str
    target: Target
    catalogued: bool = True
    depends_on: tuple[str, ...] = ()
    failure_domain: str | None = None
    owner: str | None = None
    min_healthy: str | None = None
    """A count (`2`) or a share (`50%`) of replicas that must stay healthy."""
    stakeholders: tuple[str, ...] = ()
    sli: dict[str, str] = field(default_factory=dict)
    """Name of a service level indicator -> PromQL query."""
    health_url: str | None = None
    """What answers 2xx while the service is well."""


def all_needed(name: str | None, services: Mapping[str, Service]) -> tuple[str, ...]:
    """Every service of the catalogue that this one depends on, also through others; the nearest first."""
    needed: dict[str, None] = {}
    waiting = [name] if name else []
    for service in waiting:
        known = services.get(service)
        more = [other for other in known.depends_on if other not in needed] if known else []
        needed.update(dict.fromkeys(more))
        waiting += more
    return tuple(needed)
