"""A machine and a network in memory: they are as they were said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.model.world import WorldError
from remediator.world.near import Connected, Fetched, Machine, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remediator.world.near import Folder


class SimulatedHost:
    """The daemon's own machine, in memory."""

    def __init__(self) -> None:
        self.seen: Machine | None = None
        """How it stands; None: nobody can tell."""
        self.folders: dict[str, Folder] = {}
        """By path; there are no others."""

    async def machine(self, paths: Iterable[str]) -> Machine:
        """How it stands, whatever paths are asked for."""
        if self.seen is None:
            raise WorldError("this machine cannot be looked at")
        return self.seen

    async def folder(self, path: str) -> Folder | None:
        """What was said to be there."""
        return self.folders.get(path)


class SimulatedNetwork:
    """Servers in memory."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, int], Connected | Exception] = {}
        """Host and port -> what comes of connecting; nobody knows any other host."""
        self.pages: dict[str, Fetched | Exception] = {}
        """URL -> what it answers; nothing else does."""

    async def connect(self, host: str, port: int, seconds: float) -> Connected:
        """Connect, if it is open."""
        found = self.open.get((host, port), WorldError(f"{host} cannot be resolved"))
        if isinstance(found, Exception):
            raise found
        return found

    async def get(self, url: str, seconds: float, limit: int) -> Fetched:
        """The page, if there is one."""
        found = self.pages.get(url, NoAnswer("connection refused"))
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        """Nothing to let go of."""
