"""The questions and acts of the face, each as a sequence of requests within one call.

An engine's filters are not believed: what does not match exactly is dropped here, for acting on a
container that only looks like the wanted one is the worst that can happen.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from remediator.model.service import Target, TargetKind
from remediator.model.words import Reason
from remediator.model.world import TargetError, WorldError
from remediator.world.base import EngineInfo, EngineRefused
from remediator.world.docker import answers, counts, making
from remediator.world.docker.api import quoted
from remediator.world.docker.frames import Frames
from remediator.world.labels import (
    COMPOSE_ONE_OFF,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    SWARM_SERVICE_ID,
    SWARM_SERVICE_NAME,
)
from remediator.world.output import CutBuffer, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from remediator.model.words import Json
    from remediator.model.world import Container, Image, MadeOf, SwarmService, Usage
    from remediator.world.docker.api import Call

LOG_BYTES = 262_144
"""Of logs, kept at most."""
_SHORT_ID = 12


def ping(call: Call) -> EngineInfo:
    """See `Engine.ping`."""
    info = answers.info_of(call.need("/info"))
    return EngineInfo(version=info.server_version, api=call.version(), system_time=info.system_time)


def container(call: Call, container_id: str) -> Container | None:
    """By its id, or the first 12 or more characters of it."""
    told = call.get(f"/containers/{quoted(container_id)}/json")
    if told is None:
        return None
    found = answers.container_of(told)
    return found if _has_id(found, container_id) else None


def containers(call: Call, target: Target) -> list[Container]:
    """See `Engine.containers`."""
    match target.kind:
        case TargetKind.CONTAINER:
            told = call.get(f"/containers/{quoted(target.name)}/json")
            found = [] if told is None else [answers.container_of(told)]
            return [c for c in found if c.name == target.name or _has_id(c, target.name)]
        case TargetKind.COMPOSE_SERVICE:
            wanted = {COMPOSE_SERVICE: target.name}
            if target.project is not None:
                wanted[COMPOSE_PROJECT] = target.project
            return [c for c in _labelled(call, wanted) if c.labels.get(COMPOSE_ONE_OFF, "").lower() != "true"]
        case TargetKind.SWARM_SERVICE:
            by_name = _labelled(call, {SWARM_SERVICE_NAME: target.name})
            return by_name or _labelled(call, {SWARM_SERVICE_ID: target.name})
        case TargetKind.LABEL:
            key, equals, value = target.name.partition("=")
            if not key or not equals:
                wrong = f"the label {target.name!r} is not of the form key=value"
                raise TargetError(Reason.NO_TARGET, wrong, lasting=True)
            return _labelled(call, {key: value})
        case TargetKind.NONE:
            return []


def logs(call: Call, container_id: str, tail: int) -> str:
    """See `Engine.logs`."""
    path = f"/containers/{quoted(container_id)}"
    told = call.get(f"{path}/json")
    if told is None:
        raise WorldError(f"there is no container {container_id[:_SHORT_ID]} to read logs of")
    kept = CutBuffer(LOG_BYTES)
    take = kept.add if answers.has_tty(told) else Frames(kept.add).add
    call.stream(f"{path}/logs", take, stdout="1", stderr="1", timestamps="1", tail=str(max(tail, 0)))
    return redact(kept.text())


def usage(call: Call, container_id: str) -> Usage | None:
    """See `Engine.usage`."""
    told = call.get(f"/containers/{quoted(container_id)}/stats", stream="0", **{"one-shot": "1"})
    return None if told is None else counts.usage_of(told)


def made_of(call: Call, container_id: str) -> MadeOf | None:
    """See `Engine.made_of`."""
    told = call.get(f"/containers/{quoted(container_id)}/json")
    return None if told is None else making.made_of(told)


def image(call: Call, name_or_id: str) -> Image | None:
    """See `Engine.image`."""
    told = call.get(f"/images/{quoted(name_or_id)}/json")
    return None if told is None else making.image_of(told)


def restart(call: Call, container_id: str, stop_timeout: int) -> None:
    """See `Engine.restart_container`."""
    call.act(f"/containers/{quoted(container_id)}/restart", t=str(stop_timeout))


def swarm_service(call: Call, name_or_id: str) -> SwarmService | None:
    """See `Engine.swarm_service`."""
    info = answers.info_of(call.need("/info"))
    if not info.in_swarm:
        return None
    told = call.get(f"/services/{quoted(name_or_id)}")
    if told is None:
        return None
    filters = json.dumps({"service": [name_or_id]})
    found = answers.service_of(told, call.need("/tasks", filters=filters))
    return found if name_or_id in (found.name, found.id) else None


def force_update(call: Call, service_id: str, version: int) -> None:
    """Raise the counter in the service's own specification."""

    def raised(spec: dict[str, Json], seen: SwarmService) -> None:
        spec["TaskTemplate"]["ForceUpdate"] = seen.force_update + 1

    _update_service(call, service_id, version, raised)


def scale_service(call: Call, service_id: str, version: int, replicas: int) -> None:
    """Change the number of replicas in the service's own specification."""

    def scaled(spec: dict[str, Json], seen: SwarmService) -> None:
        if seen.everywhere:
            raise EngineRefused(f"the service {seen.name} runs on every node; it has no number of replicas")
        spec["Mode"]["Replicated"]["Replicas"] = replicas

    _update_service(call, service_id, version, scaled)


def _update_service(
    call: Call, service_id: str, version: int, change: Callable[[dict[str, Json], SwarmService], None]
) -> None:
    """Change the service's specification, which is otherwise sent exactly as the engine tells it.

    It is asked in the newest API of the engine as it is now, for an older one leaves out fields,
    and what is left out of an update is taken away from the service.
    """
    path = f"/services/{quoted(service_id)}"
    try:
        call.version(anew=True)
        told = call.get(path)
        if told is None:
            raise EngineRefused(f"there is no Swarm service {service_id}")
        seen = answers.service_of(told, [])
    except WorldError as error:
        raise EngineRefused(f"not sent, since the service could not be read: {error}") from None
    if seen.version != version:
        raise EngineRefused(
            f"the service {seen.name} changed: it is at version {seen.version}, not {version}"
        )
    spec = told["Spec"]
    change(spec, seen)
    call.act(f"{path}/update", json.dumps(spec).encode(), version=str(version))


def _labelled(call: Call, wanted: Mapping[str, str]) -> list[Container]:
    """All containers that carry all these labels, by name."""
    filters = json.dumps({"label": [f"{key}={value}" for key, value in wanted.items()]})
    found = []
    for each in answers.ids_of(call.need("/containers/json", all="1", filters=filters)):
        told = call.get(f"/containers/{quoted(each)}/json")
        if told is not None:  # else it went away meanwhile
            found.append(answers.container_of(told))
    matching = [c for c in found if wanted.items() <= c.labels.items()]
    return sorted(matching, key=lambda c: c.name)


def _has_id(found: Container, container_id: str) -> bool:
    return len(container_id) >= _SHORT_ID and found.id.startswith(container_id)
