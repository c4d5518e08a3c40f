"""Runs rules over what a Prometheus remembers, in virtual time: `remediator backtest`."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from remediator.history.feed import Feed
from remediator.history.stage import PastStage
from remediator.history.tally import Tally
from remediator.rehearse.time import VirtualClock, run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
    from datetime import datetime

    from remediator.engine.setup import Setup
    from remediator.history.assumptions import Assumptions
    from remediator.history.changes import Change
    from remediator.model.command import CommandSpec
    from remediator.model.request import RequestSpec
    from remediator.model.rule import Budget


AFTERWARDS = timedelta(hours=1)


@dataclass(kw_only=True)
class Backtest:
    """One run of rules over the time from `begin` to `end`."""

    setup: Setup
    commands: Mapping[str, CommandSpec]
    requests: Mapping[str, RequestSpec] = field(default_factory=dict)
    assumed: Assumptions
    flapping: Budget
    begin: datetime
    end: datetime | None
    """None: an hour after the last change."""
    source: Callable[[], AsyncGenerator[Change, None]]
    """The past, in the order of time."""
    progress: Callable[[datetime], None] = lambda _: None
    """Told now and then where we are."""
    tally: Tally = field(init=False)
    reached: datetime = field(init=False)
    """Up to where the past has been lived through."""
    complete: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.tally = Tally(self.setup, self.assumed, self.flapping)
        self.reached = self.begin

    def go(self) -> None:
        """Live through all of it. Raises what the source raises; the tally then tells of what was before."""
        with tempfile.TemporaryDirectory(prefix="remediator-") as folder, Feed(self.source) as feed:
            run(lambda: self._live(feed, Path(folder)))

    async def _live(self, feed: Feed, folder: Path) -> None:
        clock = VirtualClock(self.begin)
        named = self.commands, self.requests
        async with PastStage(self.setup, *named, self.assumed, self.tally, clock, folder) as stage:
            async for moment, changes in _by_moment(feed):
                if self.end is not None and moment > self.end:
                    break
                await stage.until(moment)
                await stage.tell(changes)
                self.reached = moment
                self.progress(moment)
            self.end = self.end or self.reached + AFTERWARDS
            await stage.until(self.end)
            self.reached, self.complete = self.end, True


async def _by_moment(changes: AsyncIterable[Change]) -> AsyncGenerator[tuple[datetime, list[Change]], None]:
    """What happened at the same moment, together."""
    same: list[Change] = []
    async for change in changes:
        if same and change.at != same[0].at:
            yield same[0].at, same
            same = []
        same.append(change)
    if same:
        yield same[0].at, same
