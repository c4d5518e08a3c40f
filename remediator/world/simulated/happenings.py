"""What the parts of the simulated engine share: its clock, its history, and what is still to happen."""

from __future__ import annotations

import hashlib
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from remediator.world.base import EngineEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.clock import Clock

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Happenings:
    """A history that grows, and a future that becomes it as the clock goes on."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ahead = timedelta(0)
        """How far the engine's clock is ahead of ours."""
        self.remembers_from = LONG_AGO
        """Since when its history is complete, by its own clock."""
        self.events: list[EngineEvent] = []
        """Everything that ever happened, also what the engine has forgotten since."""
        self._due: list[tuple[datetime, int, Callable[[datetime], object]]] = []
        self._count = itertools.count()

    def now(self) -> datetime:
        """The time by the engine's own clock."""
        return self.clock.now() + self.ahead

    def forget(self) -> None:
        """The engine forgets its history, as it does when it is restarted."""
        self.remembers_from = self.now()

    def later(
        self, seconds: float, act: Callable[[datetime], object], *, since: datetime | None = None
    ) -> None:
        """Let something happen so many seconds from now, or `since` then; it is told when that is."""
        due = (since or self.now()) + timedelta(seconds=seconds)
        heapq.heappush(self._due, (due, next(self._count), act))

    def catch_up(self) -> None:
        """Let happen what is due by the clock."""
        while self._due and self._due[0][0] <= self.now():
            at, _, act = heapq.heappop(self._due)
            act(at)

    def new_id(self, name: str) -> str:
        """An id such as the engine gives."""
        return hashlib.sha256(f"{name} {next(self._count)}".encode()).hexdigest()

    def tell(
        self,
        kind: Literal["container", "service"],
        action: str,
        object_id: str,
        at: datetime,
        attributes: dict[str, str],
    ) -> None:
        """Write down what happened."""
        self.events.append(
            EngineEvent(at=at, kind=kind, action=action, object_id=object_id, attributes=attributes)
        )
