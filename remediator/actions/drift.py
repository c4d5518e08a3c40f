"""Hold a Compose project's files against what runs of it, to see what else would change if it was made anew.

`up` deploys whatever has changed on disk since. Compose labels each container with a hash of what it was
made of, so that anything at all shows. What it is, is found by asking Compose for the hash of the
files' own configuration with the environment of what runs put into it: if that is the label's, nothing
but the environment differs. The rest is compared for people to read. Values are never told.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remediator.model.words import Reason
from remediator.model.world import TargetError, WorldError
from remediator.world.labels import COMPOSE_CONFIG_HASH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from remediator.model.world import Container, Image, MadeOf
    from remediator.world.base import Engine
    from remediator.world.compose import Compose, ComposeProject

ENVIRONMENT = "environment"
_NAMESPACES = ("network_mode", "pid", "ipc")
_ANONYMOUS = re.compile(r"[0-9a-f]{64}:.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A project as its files say it now."""

    project: ComposeProject
    config: dict[str, Any]
    hashes: dict[str, frozenset[str]]
    """Of each service. There are two, as Compose leaves out what a service depends on if it is told to."""

    def entry(self, service: str) -> dict[str, Any]:
        """What they say of one service. TargetError if they do not know it."""
        found = self.config["services"].get(service)
        if not isinstance(found, dict):
            gone = f"the files of the Compose project {self.project.name} have no service {service} any more"
            raise TargetError(Reason.DRIFTED, gone)
        return found

    def image(self, service: str) -> str:
        """The name of the image that it would be made of."""
        return str(self.entry(service).get("image") or f"{self.project.name}-{service}")

    def needs(self, service: str) -> set[str]:
        """The services that have to be there before it."""
        entry = self.entry(service)
        shared = (str(entry.get(key, "")) for key in _NAMESPACES)
        listed = (str(name).partition(":")[0] for name in entry.get("volumes_from") or ())
        return {
            *(entry.get("depends_on") or {}),
            *(text.removeprefix("service:") for text in shared if text.startswith("service:")),
            *listed,
        }

    def lives_in(self, service: str) -> set[str]:
        """The services that share a network or processes with its containers, and would be cut off."""
        return {
            other
            for other, entry in self.config["services"].items()
            if any(entry.get(key) == f"service:{service}" for key in _NAMESPACES)
        }


async def read_files(project: ComposeProject, compose: Compose) -> Files:
    """Read them anew. TargetError if Compose cannot, WorldError if nobody knows."""
    config = await compose.config(project)
    return Files(project=project, config=config, hashes=await hashes_of(project, config, compose))


async def hashes_of(
    project: ComposeProject, config: Mapping[str, Any], compose: Compose
) -> dict[str, frozenset[str]]:
    """The hashes of each service, see `Files.hashes`. WorldError if Compose tells none of one."""
    alone = {
        name: {key: value for key, value in entry.items() if key != "depends_on"}
        for name, entry in config["services"].items()
    }
    whole, bare = await asyncio.gather(
        compose.hashes(project, config), compose.hashes(project, {**config, "services": alone})
    )
    if not config["services"].keys() <= whole.keys() & bare.keys():
        raise WorldError(f"Compose told no hashes of all services of the project {project.name}")
    return {name: frozenset({whole[name], bare[name]}) for name in config["services"]}


async def differences(
    files: Files, service: str, containers: Sequence[Container], engine: Engine, compose: Compose
) -> dict[str, list[str]]:
    """What differs between the files and each container: kind -> told in words; empty if nothing does.

    TargetError when the image is not on the engine, WorldError when something cannot be read.
    """
    name = files.image(service)
    image = await engine.image(name)
    if image is None:
        missing = f"the image {name} of the service {service} is not on the engine, and nothing is pulled"
        raise TargetError(Reason.DRIFTED, missing)
    found: dict[str, list[str]] = {}
    for container in containers:
        if container.image_id != image.id:
            moved = f"the image {name} is {_short(image.id)} by now, and runs as {_short(container.image_id)}"
            found.setdefault("image", []).append(f"{container.name}: {moved}")
        if container.labels.get(COMPOSE_CONFIG_HASH) in files.hashes[service]:
            continue
        for kind, told in (await _what(files, service, container, engine, compose)).items():
            found.setdefault(kind, []).append(f"{container.name}: {told}")
    return found


async def _what(
    files: Files, service: str, container: Container, engine: Engine, compose: Compose
) -> dict[str, str]:
    made = await engine.made_of(container.id)
    if made is None:
        raise WorldError(f"the container {container.name} went away while it was looked at")
    entry = files.entry(service)
    runs = _environment(entry.get("environment") or {}, made, await engine.image(container.image_id))
    told = _environment_told(entry.get("environment") or {}, runs)
    as_it_runs = {key: value for key, value in entry.items() if key != "environment"}
    if runs:
        as_it_runs["environment"] = runs
    config = {**files.config, "services": {**files.config["services"], service: as_it_runs}}
    hashes = await hashes_of(files.project, config, compose)
    if told and container.labels.get(COMPOSE_CONFIG_HASH) in hashes[service]:
        return {ENVIRONMENT: told}
    found = dict(_other(files, service, container, made))
    if told:
        found[ENVIRONMENT] = told
    if not found.keys() - {ENVIRONMENT}:
        by = container.labels.get("com.docker.compose.version", "an unknown version")
        found["other"] = f"something else that the files say of it (it was made by Compose {by})"
    return found


def _environment(
    declared: Mapping[str, str | None], made: MadeOf, image: Image | None
) -> dict[str, str | None]:
    """What the files must have declared when the container was made, written as Compose writes it."""
    inherited = image.env if image is not None else {}
    runs: dict[str, str | None] = {
        key: value.replace("$", "$$")
        for key, value in made.env.items()
        if inherited.get(key) != value or declared.get(key) == value.replace("$", "$$")
    }
    # Named without a value, and not to be had: it is not in the container either.
    return runs | {key: None for key, value in declared.items() if value is None and key not in made.env}


def _environment_told(declared: Mapping[str, str | None], runs: Mapping[str, str | None]) -> str:
    changes = {
        "changed": [key for key in declared if key in runs and declared[key] != runs[key]],
        "added": [key for key in declared if key not in runs],
        "removed": [key for key in runs if key not in declared],
    }
    told = "; ".join(f"{what} {', '.join(sorted(keys))}" for what, keys in changes.items() if keys)
    return f"environment ({told})" if told else ""


def _other(files: Files, service: str, container: Container, made: MadeOf) -> Iterator[tuple[str, str]]:
    """What else can be told apart, for people; the hash has already said that there is something."""
    entry, name = files.entry(service), files.image(service)
    if container.image != name:
        yield "image", f"image (made of {container.image}, the files say {name})"
    command = entry.get("command")
    if isinstance(command, list) and tuple(command) != tuple(
        word.replace("$", "$$") for word in made.command
    ):
        yield "command", "command"
    mounts = {mount for mount in made.mounts if not _ANONYMOUS.fullmatch(mount)}
    yield from _sets("mounts", set(_mounts(files.config, entry)), mounts)
    yield from _sets("ports", set(_ports(entry)), set(made.ports))


def _mounts(config: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    for mount in entry.get("volumes") or ():
        source = mount.get("source")
        if mount.get("type") == "volume" and source:
            source = (config.get("volumes") or {}).get(source, {}).get("name", source)
        if source:
            yield f"{source}:{mount.get('target')}"


def _ports(entry: Mapping[str, Any]) -> Iterator[str]:
    for port in entry.get("ports") or ():
        target = f"{port.get('target')}/{port.get('protocol', 'tcp')}"
        yield ":".join(str(part) for part in (port.get("host_ip"), port.get("published"), target) if part)


def _sets(kind: str, wanted: set[str], there: set[str]) -> Iterator[tuple[str, str]]:
    parts = {"new": wanted - there, "gone": there - wanted}
    told = "; ".join(f"{what}: {', '.join(sorted(which))}" for what, which in parts.items() if which)
    if told:
        yield kind, f"{kind} ({told})"


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12] or "none"
