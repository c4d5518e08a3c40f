"""What fires, as it is known without asking the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from remediator.engine.alarms import Alarms
from remediator.model.alert import Alert
from remediator.model.words import EpisodeStatus
from tests.unit.still_clock import NOON
from tests.unit.store.given import episode, event

SECOND = timedelta(seconds=1)


def told(fingerprint: str = "ab", status: str = "firing", started: timedelta = timedelta(0)) -> Alert:
    return Alert.model_validate(
        {"status": status, "labels": {}, "startsAt": NOON + started, "fingerprint": fingerprint}
    )


def knowing() -> Alarms:
    """One episode is open, of `ab`, since noon."""
    known = Alarms()
    known.observe(event(episode(1, "ab")))
    return known


def test_what_is_open_and_told_again_is_a_repeat() -> None:
    known = knowing()
    assert known.repeats(told())
    assert not known.repeats(told("cd"))


def test_an_end_is_no_repeat() -> None:
    assert not knowing().repeats(told(status="resolved"))


def test_with_a_later_start_it_may_have_begun_anew_by_the_time_that_this_is_decided_about() -> None:
    assert not knowing().repeats(told(started=SECOND))
    assert knowing().repeats(told(started=-SECOND))


def test_what_is_over_is_not_repeated() -> None:
    known = knowing()
    known.observe(event(episode(1, "ab", status=EpisodeStatus.RESOLVED)))
    assert not known.repeats(told())


def test_an_episode_that_nobody_heard_begin_is_nothing_that_fires() -> None:
    known = Alarms()
    known.observe(event(replace(episode(1, status=EpisodeStatus.RESOLVED), incident_id=None, rule=None)))
    assert known.firing() == {}


def test_of_what_did_not_open_it_is_forgotten_that_it_was_heard() -> None:
    known = knowing()
    known.heard("ab", NOON)
    known.heard("cd", NOON)
    known.forget_over({"ab", "cd"})
    assert (known.last_heard("ab"), known.last_heard("cd")) == (NOON, None)
