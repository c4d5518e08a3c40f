"""A store that a simulated house has left behind, and what a replay of it comes to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from remediator.history.assumptions import read_assumptions
from remediator.history.replay import Replay
from remediator.rehearse.time import run
from tests.simulation.house import House

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from remediator.history.compare import Compared


class Past:
    """What a house lived through, as its daemon wrote it down."""

    def __init__(
        self, folder: Path, rules: str, story: Callable[[House], Awaitable[None]], **house: Any
    ) -> None:
        self.path = folder / "past.db"
        self._rules = rules

        async def live() -> House:
            async with House(rules, folder, **house) as lived:
                await story(lived)
                await lived.crash()
                with closing(sqlite3.connect(self.path)) as copy:
                    lived.store._reading.backup(copy)
            return lived

        self.house = run(live)

    def replay(
        self, rules: str | None = None, *assumed: str, since: datetime | None = None
    ) -> list[Compared]:
        """All runs, with these rules or the same as then."""
        self.house.write(rules or self._rules)
        return Replay(
            setup=self.house.setup,
            commands=self.house._commands,
            assumed=read_assumptions(assumed),
            store=str(self.path),
            since=since,
        ).go()


def differences(found: list[Compared]) -> list[tuple[str, str]]:
    """Rule and difference of each run."""
    return [(line.some.rule, line.difference.value) for line in found]
