"""The machine that the daemon runs on, as the daemon sees it: `/proc`, file systems, directories.

Files are read on threads of their own, for a network file system whose server is gone never answers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import stat
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from remediator.model.world import WorldError
from remediator.world.near import Disk, Folder, Machine, Memory, Socket
from remediator.world.threads import NoThreadFree, Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Literal

    from remediator.clock import Clock

SECONDS = 5.0
"""For one file system, one directory, or all of `/proc`."""
MAX_ENTRIES = 200_000
"""Files and directories looked at below one path."""
MAX_SOCKETS = 1000

_LISTENING = {"tcp": "0A", "udp": "07"}
_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_KIB = 1024

T = TypeVar("T")


class LocalHost:
    """The machine at hand. Its face is `Host`."""

    def __init__(self, clock: Clock, *, proc: Path = Path("/proc"), marks: Iterable[Path] = _MARKS) -> None:
        """`marks`: files that are there inside of containers."""
        self._clock = clock
        self._proc = proc
        self._marks = tuple(marks)
        self._system = Threads(2, "host", patience=SECONDS)
        self._disks = Threads(4, "host-disks", patience=SECONDS)

    async def machine(self, paths: Iterable[str]) -> Machine:
        """See `Host.machine`."""
        wanted = list(dict.fromkeys(paths))
        memory, load, sockets, contained = await self._on(self._system, self._of_proc)
        disks = await asyncio.gather(*map(self._disk, wanted))
        return Machine(
            cpus=os.cpu_count(),
            load=load,
            memory=memory,
            disks=dict(zip(wanted, disks, strict=True)),
            sockets=sockets,
            contained=contained,
        )

    async def folder(self, path: str) -> Folder | None:
        """See `Host.folder`."""
        end = self._clock.monotonic() + SECONDS
        try:
            return await self._on(self._disks, lambda: _walked(path, lambda: self._clock.monotonic() < end))
        except OSError as error:
            raise WorldError(f"{path} cannot be read: {error.strerror}") from None

    async def _disk(self, path: str) -> Disk | str:
        try:
            seen = await self._on(self._disks, lambda: os.statvfs(path))
        except OSError as error:
            return error.strerror or type(error).__name__
        except WorldError as error:
            return str(error)
        return Disk(
            size=seen.f_blocks * seen.f_frsize,
            free=seen.f_bavail * seen.f_frsize,
            files=seen.f_files,
            files_free=seen.f_favail,
        )

    def _of_proc(
        self,
    ) -> tuple[Memory | None, tuple[float, float, float] | None, tuple[Socket, ...] | None, bool]:
        contained = any(mark.exists() for mark in self._marks)
        return (
            _if_readable(self._memory),
            _if_readable(self._load),
            _if_readable(self._sockets),
            contained,
        )

    def _memory(self) -> Memory:
        lines = (self._proc / "meminfo").read_text().splitlines()
        told = {key: int(rest.split()[0]) * _KIB for key, _, rest in (line.partition(":") for line in lines)}
        return Memory(
            total=told["MemTotal"],
            available=told["MemAvailable"],
            swap_total=told["SwapTotal"],
            swap_free=told["SwapFree"],
        )

    def _load(self) -> tuple[float, float, float]:
        one, five, fifteen, *_ = (self._proc / "loadavg").read_text().split()
        return float(one), float(five), float(fifteen)

    def _sockets(self) -> tuple[Socket, ...]:
        found: set[Socket] = set()
        for protocol in ("tcp", "udp"):
            for version in ("", "6"):
                path = self._proc / "self" / "net" / f"{protocol}{version}"
                if version and not path.exists():
                    continue  # a machine without IPv6
                found.update(_listening(path, protocol))
        return tuple(sorted(found)[:MAX_SOCKETS])

    async def _on(self, threads: Threads, job: Callable[[], T]) -> T:
        try:
            return await threads.run(job, limit=SECONDS + 1)
        except TimeoutError:
            raise WorldError(f"no answer within {SECONDS:g} s") from None
        except NoThreadFree as error:
            raise WorldError(str(error)) from None


def _if_readable(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (OSError, ValueError, LookupError):
        return None


def _listening(path: Path, protocol: Literal["tcp", "udp"]) -> Iterator[Socket]:
    with path.open() as lines:
        next(lines, None)
        for line in lines:
            _, local, _, state, *_ = line.split()
            if state == _LISTENING[protocol]:
                words, _, port = local.partition(":")
                yield Socket(int(port, 16), protocol, _address(words))


def _address(words: str) -> str:
    """The kernel writes each four bytes as one number of the machine's own byte order."""
    packed = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    return str(ipaddress.ip_address(packed))


def _walked(path: str, in_time: Callable[[], bool]) -> Folder | None:
    """Count what lies below, breadth no matter, until there is no time or too much of it."""
    try:
        root = Path(path).stat()
    except FileNotFoundError:
        return None
    count = _Count()
    if not stat.S_ISDIR(root.st_mode):
        count.file(path, root)
        return count.folder(complete=True)
    complete, entries, todo = True, 0, [path]
    while todo:
        here = todo.pop()
        try:
            with os.scandir(here) as scanned:
                for entry in scanned:
                    entries += 1
                    if entries > MAX_ENTRIES or not in_time():
                        return count.folder(complete=False)
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        count.file(os.path.relpath(entry.path, path), entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            continue  # went away meanwhile
        except OSError:
            if here == path:
                raise
            complete = False
    return count.folder(complete=complete)


class _Count:
    """What a walk has found so far."""

    def __init__(self) -> None:
        self._files = self._size = 0
        self._newest: tuple[float, str, int] | None = None

    def file(self, name: str, seen: os.stat_result) -> None:
        """One more file."""
        self._files += 1
        self._size += seen.st_size
        # An empty file is what a backup leaves that went wrong.
        if seen.st_size and (self._newest is None or seen.st_mtime > self._newest[0]):
            self._newest = seen.st_mtime, name, seen.st_size

    def folder(self, *, complete: bool) -> Folder:
        """All of it."""
        at, name, size = self._newest or (None, None, 0)
        return Folder(
            files=self._files,
            size=self._size,
            newest=name,
            newest_at=None if at is None else datetime.fromtimestamp(at, UTC),
            newest_size=size,
            complete=complete,
        )
