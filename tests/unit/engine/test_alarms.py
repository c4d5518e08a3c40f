"""Which alerts ended lately."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.engine import alarms
from remediator.engine.alarms import REMEMBERED, Alarms
from remediator.model.words import EpisodeStatus
from tests.unit.still_clock import NOON
from tests.unit.store.given import episode, event

if TYPE_CHECKING:
    import pytest

SECOND = timedelta(seconds=1)


def closed(known: Alarms, number: int, mark: str, after: timedelta = timedelta(0)) -> None:
    known.observe(event(episode(number, mark)))
    known.observe(replace(event(episode(number, mark, status=EpisodeStatus.RESOLVED)), at=NOON + after))


def test_an_end_counts_against_what_was_asked_before_it() -> None:
    known = Alarms()
    closed(known, 1, "a")
    assert known.closed_since("a", NOON - SECOND)
    assert not known.closed_since("a", NOON)
    assert not known.closed_since("b", NOON - SECOND)


def test_an_end_is_forgotten_after_a_while() -> None:
    known = Alarms()
    closed(known, 1, "a")
    closed(known, 2, "b", REMEMBERED + SECOND)
    assert not known.closed_since("a", NOON - SECOND)
    assert known.closed_since("b", NOON)


def test_of_too_many_ends_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "MOST_REMEMBERED", 2)
    known = Alarms()
    for number, mark in enumerate(("a", "b", "a", "c"), 1):
        closed(known, number, mark)
    assert [known.closed_since(mark, NOON - SECOND) for mark in "abc"] == [True, False, True]
