"""What the daemon sees without an engine: the machine that it runs on, and what it reaches over the network.

The faces, and a stand-in that sees nothing: a rehearsal must look neither at the operator's own machine
nor at real servers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol

from remediator.model.world import WorldError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


class NoAnswer(Exception):  # noqa: N818 - named by what is the matter, like TimeoutError's kin
    """An address was tried, and nothing there took the connection, or answered in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of a machine, in bytes."""

    total: int
    available: int
    """What programs could still have."""
    swap_total: int = 0
    swap_free: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A file system, in bytes and files. What is kept for root counts as used."""

    size: int
    free: int
    files: int = 0
    """How many files it can hold; 0 where there is no such limit."""
    files_free: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Socket:
    """Something that listens."""

    port: int
    protocol: Literal["tcp", "udp"]
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine at one moment. None is what could not be read."""

    cpus: int | None
    load: tuple[float, float, float] | None
    """Over 1, 5 and 15 minutes."""
    memory: Memory | None
    disks: Mapping[str, Disk | str]
    """By path; where one cannot be read, why."""
    sockets: tuple[Socket, ...] | None = None
    contained: bool = False
    """Seen from inside of a container: disks and sockets are those that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What lies in a directory and below it. Links are not followed."""

    files: int = 0
    size: int = 0
    """Bytes of all files together."""
    newest: str | None = None
    """The newest file that is not empty, by its path below the directory."""
    newest_at: datetime | None = None
    newest_size: int = 0
    complete: bool = True
    """False: there is more than was looked at, or some of it may not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A connection that was made."""

    address: str
    """Where, as numbers."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The answer to a GET."""

    status: int
    seconds: float
    body: bytes = b""
    cut: bool = False
    """There was more."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Host(Protocol):
    """The machine that the daemon runs on, as the daemon sees it. Every method may raise WorldError."""

    async def machine(self, paths: Iterable[str]) -> Machine:
        """How it stands; of its disks those that these paths lie on."""

    async def folder(self, path: str) -> Folder | None:
        """A directory, or a single file; None if there is nothing."""


class Network(Protocol):
    """What can be reached. Every method may raise NoAnswer, and WorldError where a name is not known."""

    async def connect(self, host: str, port: int, seconds: float) -> Connected:
        """Make a connection, and close it."""

    async def get(self, url: str, seconds: float, limit: int) -> Fetched:
        """Ask for a page, and read at most `limit` bytes of it. Redirects are not followed."""

    async def close(self) -> None:
        """Let go of connections."""


class Unseen:
    """Stands where there is neither a machine nor a network to look at."""

    async def machine(self, paths: Iterable[str]) -> Machine:
        """Nothing can be told."""
        _nothing()

    async def folder(self, path: str) -> Folder | None:
        """Nothing can be told."""
        _nothing()

    async def connect(self, host: str, port: int, seconds: float) -> Connected:
        """Nothing can be told."""
        _nothing()

    async def get(self, url: str, seconds: float, limit: int) -> Fetched:
        """Nothing can be told."""
        _nothing()

    async def close(self) -> None:
        """Nothing to let go of."""


def _nothing() -> NoReturn:
    raise WorldError("a rehearsal does not look at real machines")
