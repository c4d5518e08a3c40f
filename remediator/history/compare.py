"""Runs and their replays side by side: which belong together, and how they differ."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from remediator.history.record import NEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    left = sorted(now.runs.values(), key=lambda trail: trail.begun)
    found: list[Compared] = []
    unpaired: list[Trail] = []
    for trail in then.runs.values():
        pair = _pair(trail, left, same_rule=True)
        if pair is None:
            unpaired.append(trail)
        else:
            left.remove(pair)
            found.append(_compared(trail, pair))
    for trail in unpaired:
        pair = _pair(trail, left, same_rule=False)
        if pair is None:
            found.append(Compared(trail, trail, None, Difference.NO_RUN))
        else:
            left.remove(pair)
            found.append(Compared(trail, trail, pair, Difference.OTHER_RULE))
    found += [Compared(trail, None, trail, Difference.NEW_RUN) for trail in left]
    return sorted(found, key=lambda line: line.some.begun)


def _pair(trail: Trail, among: Sequence[Trail], *, same_rule: bool) -> Trail | None:
    near = [
        other
        for other in among
        if other.service == trail.service
        and (other.rule == trail.rule) is same_rule
        and abs(other.begun - trail.begun) <= NEAR
    ]
    return min(near, key=lambda other: abs(other.begun - trail.begun), default=None)


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
