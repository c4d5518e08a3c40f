"""Runs and their replays side by side: which belong together, and how they differ."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from remediator.history.record import NEAR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remediator.history.trails import Trail, Trails
    from remediator.model.words import Json


class Difference(StrEnum):
    """How a run and its replay compare."""

    SAME = "same"
    OTHER_RULE = "other rule"
    OTHER_ACTION = "other action"
    OTHER_OUTCOME = "other outcome"
    NOT_ACTED = "held instead of acted"
    ACTED = "acted instead of held"
    NO_RUN = "no run"
    NEW_RUN = "new run"


class Compared(NamedTuple):
    """One line of the result."""

    some: Trail
    """The run of the record; if there is none, that of the replay."""
    then: Trail | None
    now: Trail | None
    difference: Difference

    @property
    def depends(self) -> list[str]:
        """The facts that nobody knows and that the replay rested on."""
        return sorted(self.now.missing) if self.now is not None else []

    def told(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "difference": self.difference.value,
            "service": self.some.service,
            "begun": self.some.begun.isoformat(),
            "then": self.then and _told(self.then),
            "now": self.now and _told(self.now),
            "depends_on": self.depends,
        }


def compare(then: Trails, now: Trails) -> list[Compared]:
    """Each run with its replay, in the order of time."""
    left = _Left(now.runs.values())
    found: list[Compared] = []
    unpaired: list[Trail] = []
    for trail in then.runs.values():
        pair = left.take(trail, same_rule=True)
        if pair is None:
            unpaired.append(trail)
        else:
            found.append(_compared(trail, pair))
    for trail in unpaired:
        pair = left.take(trail, same_rule=False)
        if pair is None:
            found.append(Compared(trail, trail, None, Difference.NO_RUN))
        else:
            found.append(Compared(trail, trail, pair, Difference.OTHER_RULE))
    found += [Compared(trail, None, trail, Difference.NEW_RUN) for trail in left.all()]
    return sorted(found, key=lambda line: line.some.begun)


class _Left:
    """Runs of the replay that belong to none of the record yet; found by their service and beginning."""

    def __init__(self, trails: Iterable[Trail]) -> None:
        self._of: dict[str, list[Trail]] = defaultdict(list)
        for trail in sorted(trails, key=_begun):
            self._of[trail.service].append(trail)

    def take(self, then: Trail, *, same_rule: bool) -> Trail | None:
        """The nearest one that belongs to this run; it is left no more."""
        there = self._of[then.service]
        first = bisect_left(there, then.begun - NEAR, key=_begun)
        last = bisect_right(there, then.begun + NEAR, key=_begun)
        near = [
            place
            for place in range(first, last)
            if there[place].is_like(then) and (there[place].rule == then.rule) is same_rule
        ]
        place = min(near, key=lambda place: abs(there[place].begun - then.begun), default=None)
        return None if place is None else there.pop(place)

    def all(self) -> list[Trail]:
        """What nothing was found for."""
        return [trail for trails in self._of.values() for trail in trails]


_begun = attrgetter("begun")


def _compared(then: Trail, now: Trail) -> Compared:
    if bool(then.acts) != bool(now.acts):
        return Compared(then, then, now, Difference.NOT_ACTED if then.acts else Difference.ACTED)
    if then.acts != now.acts:
        return Compared(then, then, now, Difference.OTHER_ACTION)
    if (then.outcome, then.asked) != (now.outcome, now.asked):
        return Compared(then, then, now, Difference.OTHER_OUTCOME)
    return Compared(then, then, now, Difference.SAME)


def _told(trail: Trail) -> dict[str, Json]:
    return {
        "run": trail.id,
        "rule": trail.rule,
        "rule_version": trail.version,
        "acts": [{"step": step, "action": action, "params": params} for step, action, params in trail.acts],
        "holds": trail.holds,
        "asked": trail.asked,
        "outcome": trail.outcome,
        "reason": trail.reason,
    }
