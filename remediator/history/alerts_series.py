"""The `ALERTS` series of a Prometheus, turned into episodes.

It is asked for in pieces of time. An episode that goes on over the edge of a piece is one, and so is
one with a small gap, as when Prometheus was restarted.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from remediator.history.changes import Change, HistoryError, mark_of
from remediator.model.world import WorldError
from remediator.world.asking import AnswerTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from typing import Protocol

    from remediator.world.base import Series

    class Ranged(Protocol):
        """What a Prometheus is asked."""

        async def query_range(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
            """See `PrometheusClient`."""


EXPR = 'ALERTS{alertstate="firing"}'
POINTS = 500
"""Most steps that are asked for at once; Prometheus gives at most 11,000."""
SAMPLES = 5_000
"""Samples that an answer should have at most, where so much fires: they are all in memory at once."""
FIRST = 10
"""Steps that are asked for before it is known how much fires."""
GROWTH = 4
GAP = 3
"""An alert that is not there for more steps than this is over."""
NOT_LABELS = ("__name__", "alertstate")


@dataclass(slots=True)
class _Open:
    labels: dict[str, str]
    begin: float
    last: float


async def read_alerts(
    prometheus: Ranged, begin: datetime, end: datetime, step: float, *, points: int = POINTS
) -> AsyncGenerator[Change, None]:
    """All that fired from `begin` to `end`, looked at every `step` seconds. HistoryError."""
    fold, most, now = _Fold(step), points, min(points, FIRST)
    at, stop = begin.timestamp(), end.timestamp()
    while at <= stop:
        last = min(at + (now - 1) * step, stop)
        try:
            series = await prometheus.query_range(EXPR, at, last, step)
        except AnswerTooLarge as error:
            if now == 1:
                raise HistoryError(f"{error}; so many alerts cannot be read at once") from None
            most = now = now // 2
            continue
        except WorldError as error:
            raise HistoryError(
                f"the alerts of the past cannot be read: {error}; see that the server is whole and up, "
                "or ask it for less: a later --since, or a longer --step"
            ) from None
        last_point = at + int((last - at) / step + 1e-6) * step
        for change in fold.add(series, last_point):
            yield change
        at = last_point + step
        samples = sum(len(one.samples) for one in series)
        now = min(most, now * GROWTH, max(1, now * SAMPLES // max(samples, 1)))
    for change in fold.rest(stop):
        yield change


class _Fold:
    """Puts pieces together; tells what nothing that comes later can change."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._open: dict[str, _Open] = {}
        self._due: list[tuple[float, str, Change]] = []

    def add(self, series: Sequence[Series], until: float) -> list[Change]:
        """Take a piece up to `until`; returns what is certain now, in order."""
        for one in series:
            labels = {name: value for name, value in one.labels.items() if name not in NOT_LABELS}
            mark = mark_of(labels)
            for at, _ in one.samples:
                known = self._open.get(mark)
                if known is not None and self._gone(known, at):
                    self._end(mark, known)
                    known = None
                if known is None:
                    self._open[mark] = _Open(labels, at, at)
                    self._push(Change(_moment(at), True, mark, labels, _moment(at)))
                else:
                    known.last = max(known.last, at)
        for mark, known in list(self._open.items()):
            if self._gone(known, until + self._step):
                self._end(mark, known)
        return self._up_to(until - GAP * self._step)

    def rest(self, end: float) -> list[Change]:
        """What is left at the end; what was there at the last look fires on."""
        for mark, known in list(self._open.items()):
            if known.last + self._step <= end:
                self._end(mark, known)
        return self._up_to(end)

    def _gone(self, known: _Open, at: float) -> bool:
        return at - known.last > (GAP + 1) * self._step + 1e-3

    def _end(self, mark: str, known: _Open) -> None:
        del self._open[mark]
        over = _moment(known.last + self._step)
        self._push(Change(over, False, mark, known.labels, _moment(known.begin)))

    def _push(self, change: Change) -> None:
        # At the same moment what ends comes first, and no alert does both.
        heapq.heappush(self._due, (change.at.timestamp() + change.firing * 1e-4, change.mark, change))

    def _up_to(self, moment: float) -> list[Change]:
        told = []
        while self._due and self._due[0][0] <= moment + 1e-3:
            told.append(heapq.heappop(self._due)[-1])
        return told


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
