"""A disk that a test fills up, and makes room on again.

As root a small file system of its own. Anybody else can only bound how large the files of a process may
become: that fails in the same place, with another word for it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.daemon import Daemon

PIECE = 65_536


class Disk(Protocol):
    """Where the store of a daemon lies."""

    def fill(self) -> None:
        """Leave no room to write."""

    def free(self) -> None:
        """Take that back."""


class FileSystem:
    """A file system of a few megabytes."""

    def __init__(self, folder: Path, megabytes: int = 8) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "lab", folder], check=True)

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file:
            for size in (PIECE, 512, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def free(self) -> None:
        self._filler.unlink()

    def remove(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "--lazy", self.folder], check=True)


class Limit:
    """A bound on the size of the daemon's files: no file can grow beyond its write-ahead log as it is."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def fill(self) -> None:
        wal = self._daemon.store.with_name(self._daemon.store.name + "-wal")
        self._set(wal.stat().st_size)

    def free(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # the bound ends with the process
            self._set(resource.RLIM_INFINITY)

    def _set(self, size: int) -> None:
        process = self._daemon.process
        assert process is not None
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextlib.contextmanager
def of_root(folder: Path) -> Iterator[FileSystem]:
    """A file system at *folder*, for the length of a block."""
    disk = FileSystem(folder)
    try:
        yield disk
    finally:
        disk.remove()


def may_mount() -> bool:
    """Whether this user may make a file system."""
    return os.geteuid() == 0
