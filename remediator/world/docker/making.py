"""What containers and images were made of, from their inspection: to be compared, never to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from remediator.model.world import Image, MadeOf
from remediator.world.docker.answers import Told, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from remediator.model.words import Json


class _Config(Told):
    env: list[str] | None = None
    cmd: list[str] | None = None


class _Mount(Told):
    type: str = ""
    name: str = ""
    source: str = ""
    destination: str


class _Binding(Told):
    host_ip: str = ""
    host_port: str = ""


class _HostConfig(Told):
    port_bindings: dict[str, list[_Binding] | None] | None = None


class _Container(Told):
    config: _Config
    host_config: _HostConfig
    mounts: list[_Mount] = Field(default=[])


class _Image(Told):
    id: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    config: _Config | None = None


def made_of(told: Json) -> MadeOf:
    """From a container's inspection. Raises WorldError."""
    seen = read(_Container, told, "what a container was made of")
    mounts = (f"{mount.name or mount.source}:{mount.destination}" for mount in seen.mounts)
    return MadeOf(
        env=_env(seen.config.env or ()),
        command=tuple(seen.config.cmd or ()),
        mounts=frozenset(mounts),
        ports=frozenset(_ports(seen.host_config.port_bindings or {})),
    )


def image_of(told: Json) -> Image:
    """From an image's inspection. Raises WorldError."""
    seen = read(_Image, told, "an image")
    return Image(id=seen.id, env=_env((seen.config and seen.config.env) or ()))


def _env(listed: Sequence[str]) -> dict[str, str]:
    return {key: value for key, _, value in (entry.partition("=") for entry in listed)}


def _ports(bindings: dict[str, list[_Binding] | None]) -> Iterator[str]:
    for target, hosts in bindings.items():
        for host in hosts or ():
            port = "" if host.host_port == "0" else host.host_port
            yield ":".join(part for part in (host.host_ip, port, target) if part)
