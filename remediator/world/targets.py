"""From a service to the exact objects that it runs as, and whether they may be acted on.

One rule for everything in here: nothing found, or more than was meant, is an error. Never a guess,
and never "everything".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Reason
from remediator.model.world import TargetError, WorldError
from remediator.world.base import ENABLE_LABEL
from remediator.world.labels import COMPOSE_ONE_OFF, COMPOSE_PROJECT, SWARM_SERVICE_ID, SWARM_SERVICE_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from remediator.model.world import Container, SwarmService
    from remediator.world.base import World

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", re.ASCII)


async def find_service(name: str, catalogue: Mapping[str, Service], world: World) -> Service:
    """The service of this name: from the catalogue, else what runs by that name on the engines.

    Looked for are a Compose service, a container and a Swarm service; exactly one must be there.
    TargetError if not, WorldError if an engine cannot tell.
    """
    if name in catalogue:
        return catalogue[name]
    # The name may come from an alert's label, and engines take names as parts of a path.
    if not _NAME.fullmatch(name):
        wrong = f"{name[:60]!r} cannot be the name of a service"
        raise TargetError(Reason.NO_TARGET, wrong, lasting=True)
    found: dict[Target, frozenset[str]] = {}
    async for target, ids in _named(name, world):
        # One Swarm is seen through each of its managers.
        if ids not in found.values():
            found[target] = ids
    if not found:
        engines = ", ".join(world.engines) or "none"
        raise TargetError(
            Reason.NO_TARGET,
            f"no service {name!r} in the catalogue, and nothing of that name on the engines ({engines})",
        )
    if len(found) > 1:
        raise TargetError(
            Reason.AMBIGUOUS_TARGET,
            f"{name!r} is more than one thing ({'; '.join(map(_told, found))}): "
            "put the one that is meant into the catalogue",
        )
    return Service(name=name, target=next(iter(found)), catalogued=False)


async def containers_of(service: Service, world: World) -> list[Container]:
    """The containers of a service, to be acted on; at least one, by name.

    TargetError: there are none, they are of several projects, they may not be touched, or one of
    them is the daemon's own, or a Swarm's. WorldError: the engine cannot tell.
    """
    containers = await _containers(service, world)
    for container in containers:
        if world.is_own(container.id):
            raise TargetError(
                Reason.OWN_CONTAINER, f"{container.name} is the container that this daemon runs in"
            )
        swarm = container.labels.get(SWARM_SERVICE_NAME)
        if swarm is not None:
            raise TargetError(
                Reason.NOT_ALLOWED,
                f"{container.name} is a task of the Swarm service {swarm}, which sees to its tasks itself: "
                "have the service as the target",
            )
    for container in containers:
        _refuse_unlisted(service, container.name, container.labels)
    return containers


async def seen_containers(service: Service, world: World) -> list[Container]:
    """The same only to look at them, for which the daemon's own may be among them.

    Of a Swarm service those that run on the engine's own node, perhaps none.
    """
    # What an alert names must not be enough to have the logs of any program shown around.
    if service.target.kind is TargetKind.SWARM_SERVICE:
        await seen_swarm_service(service, world)
        return await _containers(service, world)
    containers = await _containers(service, world)
    for container in containers:
        _refuse_unlisted(service, container.name, container.labels)
    return containers


async def swarm_service_of(service: Service, world: World) -> SwarmService:
    """The Swarm service of a service, to be acted on. Errors as for `containers_of`."""
    found = await seen_swarm_service(service, world)
    if found.replicas == 0:
        raise TargetError(Reason.NO_TARGET, f"the {_told(service.target)} has no tasks: it is scaled to 0")
    if world.own_container_id is not None:
        own = await world.engine(service.target.engine).container(world.own_container_id)
        if own is not None and own.labels.get(SWARM_SERVICE_ID) == found.id:
            raise TargetError(
                Reason.OWN_CONTAINER, f"this daemon is a task of the Swarm service {found.name}"
            )
    return found


async def seen_swarm_service(service: Service, world: World) -> SwarmService:
    """The same only to look at it."""
    found = await world.engine(service.target.engine).swarm_service(service.target.name)
    if found is None:
        raise TargetError(Reason.NO_TARGET, f"there is no {_told(service.target)}")
    _refuse_unlisted(service, found.name, found.labels)
    return found


async def _containers(service: Service, world: World) -> list[Container]:
    target = service.target
    if target.kind is TargetKind.NONE:
        raise TargetError(Reason.NO_TARGET, f"the service {service.name} has no containers", lasting=True)
    found = await world.engine(target.engine).containers(target)
    containers = sorted((c for c in found if not is_one_off(target, c.labels)), key=lambda c: c.name)
    if not containers and target.kind is not TargetKind.SWARM_SERVICE:
        raise TargetError(
            Reason.NO_TARGET, f"there is no container of the service {service.name} ({_told(target)})"
        )
    if target.kind is TargetKind.COMPOSE_SERVICE:
        projects = _projects(containers)
        if len(projects) > 1:
            raise TargetError(
                Reason.AMBIGUOUS_TARGET,
                f"the Compose service {target.name} is in several projects ({', '.join(sorted(projects))}): "
                "name one in the catalogue",
            )
    return containers


def is_one_off(target: Target, labels: Mapping[str, str]) -> bool:
    """Whether these labels are those of a task that a person started from a Compose service."""
    return target.kind is TargetKind.COMPOSE_SERVICE and labels.get(COMPOSE_ONE_OFF, "").lower() == "true"


async def _named(name: str, world: World) -> AsyncIterator[tuple[Target, frozenset[str]]]:
    """Everything of this name on any engine, with the ids of what it stands for."""
    for engine_name, engine in world.engines.items():
        compose = Target(kind=TargetKind.COMPOSE_SERVICE, name=name, engine=engine_name)
        of_compose = [c for c in await engine.containers(compose) if not is_one_off(compose, c.labels)]
        for project, members in _projects(of_compose).items():
            yield (
                Target(kind=compose.kind, name=name, project=project, engine=engine_name),
                frozenset(c.id for c in members),
            )
        single = Target(kind=TargetKind.CONTAINER, name=name, engine=engine_name)
        # Compose lets a service name its container, usually after the service.
        known = {c.id for c in of_compose}
        by_name = [c for c in await engine.containers(single) if c.id not in known]
        for container in by_name:
            yield single, frozenset({container.id})
        try:
            swarm = await engine.swarm_service(name)
        except WorldError:
            # A node that manages no Swarm can never tell; that must not hide what was found.
            if not of_compose and not by_name:
                raise
            continue
        if swarm is not None and swarm.name == name:
            yield (
                Target(kind=TargetKind.SWARM_SERVICE, name=name, engine=engine_name),
                frozenset({swarm.id}),
            )


def _projects(containers: Sequence[Container]) -> dict[str, list[Container]]:
    projects: dict[str, list[Container]] = {}
    for container in containers:
        projects.setdefault(container.labels.get(COMPOSE_PROJECT, ""), []).append(container)
    return projects


def _refuse_unlisted(service: Service, name: str, labels: Mapping[str, str]) -> None:
    if not service.catalogued and labels.get(ENABLE_LABEL) != "true":
        raise TargetError(
            Reason.NOT_ALLOWED,
            f"{name} may not be touched: the service {service.name} is not in the catalogue, "
            f"and {name} lacks the label {ENABLE_LABEL}=true",
        )


def _told(target: Target) -> str:
    kind = {
        TargetKind.COMPOSE_SERVICE: "Compose service",
        TargetKind.CONTAINER: "container",
        TargetKind.LABEL: "container with the label",
        TargetKind.SWARM_SERVICE: "Swarm service",
        TargetKind.NONE: "nothing",
    }[target.kind]
    project = f" of the project {target.project}" if target.project else ""
    return f"{kind} {target.name}{project} on the engine {target.engine}"
