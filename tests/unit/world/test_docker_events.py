"""An engine's history, joined from what it remembers and what was heard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from remediator.world.base import EngineEvent
from remediator.world.docker.events import Backlog, EventLog

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def happened(second: float, action: str = "die", object_id: str = "a") -> tuple[int, EngineEvent]:
    event = EngineEvent(at=at(second), kind="container", action=action, object_id=object_id, attributes={})
    return int(at(second).timestamp() * 1_000_000) * 1000, event


def told(log: EventLog, since: float = 0) -> list[float]:
    return [(event.at - START).total_seconds() for event in log.since(at(since)).events]


def backlog(reach: float, upto: float, *seconds: float) -> Backlog:
    return Backlog(reach=at(reach), upto=at(upto), events=tuple(happened(second) for second in seconds))


def test_nothing_is_complete_before_anything_was_asked() -> None:
    assert EventLog().since(START).complete_from > at(10**9)


def test_a_backlog_is_complete_from_where_it_reaches() -> None:
    log = EventLog()
    log.join(backlog(5, 20, 6, 9))
    assert log.since(at(7)).complete_from == at(5)
    assert told(log) == [6, 9]
    assert told(log, since=7) == [9]


def test_a_backlog_that_overlaps_goes_on_without_a_gap() -> None:
    log = EventLog()
    log.join(backlog(5, 20, 6, 9))
    log.join(backlog(9, 40, 9, 30))
    assert log.complete_from == at(5)
    assert told(log) == [6, 9, 30], "in order, and none twice"


def test_a_backlog_that_does_not_reach_back_leaves_a_gap() -> None:
    log = EventLog()
    log.join(backlog(5, 20, 6))
    log.join(backlog(21, 40, 30))
    assert log.complete_from == at(21)
    assert told(log) == [6, 30], "what is known is told all the same"


def test_a_backlog_that_reaches_further_back_fills_in() -> None:
    log = EventLog()
    log.join(backlog(15, 20, 16))
    log.join(backlog(5, 30, 6, 16))
    assert log.complete_from == at(5)


def test_what_was_heard_live_comes_in_order_and_once() -> None:
    log = EventLog()
    log.join(backlog(5, 20, 6))
    log.add([happened(9), happened(7), happened(9)])
    log.add([happened(9, object_id="b"), happened(9, "stop")])
    assert told(log) == [6, 7, 9, 9, 9]


def test_too_many_are_forgotten_from_the_oldest_on_and_it_says_so() -> None:
    log = EventLog(limit=100)
    log.join(backlog(0, 1))
    log.add(happened(second) for second in range(1, 102))
    kept = told(log)
    assert kept == list(range(12, 102))
    assert at(11) < log.complete_from <= at(12)


def test_a_flood_stays_bounded() -> None:
    log = EventLog(limit=100)
    log.join(backlog(0, 1))
    for second in range(2, 3000):
        log.add([happened(second)])
        assert len(log.since(START).events) <= 100
    assert log.complete_from > at(2800)


def test_what_was_forgotten_is_not_claimed_again_by_a_join() -> None:
    log = EventLog(limit=100)
    log.join(backlog(0, 202))
    log.add(happened(second) for second in range(1, 202))
    forgotten_to = log.complete_from
    log.join(backlog(150, 300, 160))
    assert log.complete_from == forgotten_to
