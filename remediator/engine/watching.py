"""Notices that rule files have changed, and has them read: by what the system tells, and by looking.

What the system tells is only a hint, since on some file systems it tells nothing: the files are looked at
every so often all the same, and read anew only when what is in them differs from what was read last.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog
from watchfiles import awatch

from remediator.reading.files import read_bytes, stamps
from remediator.reading.problems import InputError
from remediator.reading.yamlfile import MAX_BYTES
from remediator.rules.files import SUFFIXES, gather, is_pattern, listing, pattern_root

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

    from watchfiles import Change

    from remediator.clock import Clock

SETTLE = 0.2
"""Seconds without a change before files are read: whoever writes several is to be done."""
SETTLE_ROUNDS = 25
"""How often that is waited for; files that change all the time are read in the end."""
PATIENCE = 1.0
"""Seconds after which files that are wrong are read once more, before anybody is told."""

log = structlog.get_logger(__name__)


class OnDisk:
    """The configuration and the rule files as they are on disk. All of it may block, so ask on a thread."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self.rules: Sequence[Path] = ()
        """Where rules were last read from."""
        self.last_read = ""
        """The content that was last put in force, or refused."""

    def paths(self) -> Sequence[Path]:
        """The files, directories and patterns that everything is read from."""
        return [self._config, *self.rules]

    def stamp(self) -> object:
        """Equal as long as nothing was touched."""
        return stamps([self._config]), listing(self.rules)

    def content(self) -> str:
        """Hash of what is in all files, or of why not. InputError if they never stop changing."""
        try:
            config = hashlib.sha256(read_bytes(self._config, MAX_BYTES + 1)).hexdigest()
        except InputError as error:
            config = str(error)
        found = gather(self.rules)
        told = [config, *((str(f.path), f.sha256, f.problems) for f in found.files), found.problems]
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def changed(self) -> bool:
        """Whether there is something to read that was neither put in force nor refused."""
        try:
            return self.content() != self.last_read
        except InputError:
            return True


class Places(NamedTuple):
    """What the system is asked to tell of."""

    watched: frozenset[Path]
    """Files, and directories with their direct entries."""
    names: frozenset[Path]
    """The entries that matter, besides those that are named like rule files."""

    def matter(self, _: Change, path: str) -> bool:
        """Whether a change of this path can be one of the rules."""
        return path.endswith(SUFFIXES) or Path(path) in self.names


class Watcher:
    """Watches until it is cancelled."""

    def __init__(
        self,
        disk: OnDisk,
        clock: Clock,
        *,
        seconds: Callable[[], float | None],
        reload: Callable[[float], Awaitable[None]],
    ) -> None:
        """`seconds` is how often it looks, None while nothing is to be watched.

        `reload` reads everything anew, and refuses what is wrong after a second look in so many seconds.
        """
        self._disk = disk
        self._clock = clock
        self._seconds = seconds
        self._reload = reload
        self._seen: object = None
        """The stamp at which everything was as it was last read."""
        self._deaf = False

    async def run(self) -> None:
        """Have what changed read anew, again and again."""
        while True:
            seconds = self._seconds()
            if seconds is None:
                await self._clock.sleep(1.0)
                continue
            await self._round(seconds)

    async def look(self) -> None:
        """Read everything anew if it differs from what was last read."""
        stamp = await asyncio.to_thread(self._disk.stamp)
        if stamp == self._seen:
            return
        stamp = await self._settled(stamp)
        if await asyncio.to_thread(self._disk.changed):
            await self._reload(PATIENCE)
            stamp = None  # what was read may be newer than the stamp; and it may not be in force
        self._seen = stamp

    async def _settled(self, stamp: object) -> object:
        for _ in range(SETTLE_ROUNDS):
            await self._clock.sleep(SETTLE)
            before, stamp = stamp, await asyncio.to_thread(self._disk.stamp)
            if stamp == before:
                break
        return stamp

    async def _round(self, seconds: float) -> None:
        """Look once, and then wait until the system tells of a change, or for so long."""
        places = await asyncio.to_thread(lambda: places_of(self._disk.paths()))
        changes = awatch(
            *places.watched,
            watch_filter=places.matter,
            recursive=False,
            rust_timeout=int(seconds * 1000),
            yield_on_timeout=True,
        )
        hearing = asyncio.create_task(_next(changes))
        try:
            await self._clock.sleep(0)  # it hears from now on: nothing falls between looking and hearing
            await self.look()
            if self._seen is not None:
                await hearing
            self._deaf = False
        except (OSError, RuntimeError) as error:
            # What is watched may just have vanished; and a system has only so many watches to give.
            if not self._deaf:
                log.warning("changes of rule files are not told; looking for them", error=str(error))
            self._deaf = True
            await self._clock.sleep(seconds)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            await changes.aclose()


async def _next(changes: AsyncGenerator[object, None]) -> None:
    await anext(changes)


def places_of(paths: Iterable[Path]) -> Places:
    """Where to watch so that no change of what is below `paths` is missed.

    Links are watched where they lie, so that one is seen to be swapped. Of a directory that is gone the
    nearest one above it is watched, until it comes back.
    """
    watched: set[Path] = set()
    names: set[Path] = set()

    def follow(path: Path) -> None:
        links, end, missing = _way(path)
        names.update(links, [end], missing)
        watched.update((link.parent for link in links), [end])

    for path in paths:
        follow(pattern_root(path) if is_pattern(path) else path)
        for file, _ in listing([path]).files:
            if file.is_symlink():
                follow(file)
            elif is_pattern(path):
                follow(file.parent)
    return Places(frozenset(watched), frozenset(names))


def _way(path: Path) -> tuple[list[Path], Path, list[Path]]:
    """The links on the way to what `path` leads to, and that; or where the way ends, and what lacks there."""
    here, *rest = path.absolute().parts
    links: list[Path] = []
    end = Path(here)
    while rest:
        part = rest.pop(0)
        step = end.parent if part == ".." else end / part
        if step.is_symlink():
            if step in links:  # links in a circle
                break
            links.append(step)
            target = step.readlink()
            rest = [*target.parts[1:], *rest] if target.is_absolute() else [*target.parts, *rest]
            end = Path(target.anchor) if target.is_absolute() else end
        elif step.exists():
            end = step
        else:
            return links, end, [step]
    return links, end, []
