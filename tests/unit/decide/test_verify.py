"""Looks after the act, written as a line: what each one saw, and what it came to.

A look is a word: `fire`, `gone`, `unknown` or `none` for the alert; with `+`, `-` or `?` behind it for
containers that are healthy, are not, or could not be looked at; with `!` for an alert that began anew.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.decide.verify import Assessment, Look, Progress, assess
from remediator.model.rule import VerifySpec
from remediator.model.words import Outcome, Reason
from tests.unit.decide.case import NOON

DEADLINE, STAYS, EVERY = 60, 20, 10
"""Seconds: until when it must be well, how long it must stay so, and between two looks."""

ALERT = VerifySpec(resolved_within=timedelta(seconds=DEADLINE))
STAYING = VerifySpec(resolved_within=timedelta(seconds=DEADLINE), stays=timedelta(seconds=STAYS))
HEALTH = VerifySpec(healthy=True, resolved_within=timedelta(seconds=DEADLINE), stays=timedelta(seconds=STAYS))

WORDS = {"fire": "firing", "gone": "gone", "unknown": "unknown", "none": "none"}
SIGNS = {"+": True, "-": False, "?": None}


def a_look(seconds: float, word: str) -> Look:
    relapsed = word.endswith("!")
    word = word.removesuffix("!")
    healthy = SIGNS.get(word[-1])
    return Look(
        at=NOON + timedelta(seconds=seconds),
        alert=WORDS[word.rstrip("+-?")],  # type: ignore[arg-type]
        healthy=healthy,
        relapsed=relapsed,
    )


def watch(spec: VerifySpec, line: str) -> tuple[float | None, Assessment]:
    """Look every ten seconds until there is a verdict; returns when that was, and the verdict."""
    progress, assessment = Progress(), Assessment(progress=Progress())
    for number, word in enumerate(line.split()):
        seconds = number * EVERY
        assessment = assess(spec, NOON, progress, a_look(seconds, word))
        progress = assessment.progress
        if assessment.outcome is not None:
            return seconds, assessment
    return None, assessment


@pytest.mark.parametrize(
    ("spec", "line", "at", "outcome", "reason"),
    [
        # gone is enough where nothing need stay
        (ALERT, "gone", 0, Outcome.SUCCEEDED, Reason.VERIFIED),
        (ALERT, "fire fire gone", 20, Outcome.SUCCEEDED, Reason.VERIFIED),
        (ALERT, "unknown unknown gone", 20, Outcome.SUCCEEDED, Reason.VERIFIED),
        # the deadline
        (ALERT, "fire fire fire fire fire fire", None, None, None),
        (ALERT, "fire fire fire fire fire fire fire", 60, Outcome.FAILED, Reason.STILL_FIRING),
        (ALERT, "fire fire fire fire fire fire gone", 60, Outcome.SUCCEEDED, Reason.VERIFIED),
        # who cannot tell does not fail
        (ALERT, "unknown " * 7, 60, Outcome.INCONCLUSIVE, Reason.CANNOT_TELL),
        (ALERT, "fire fire fire fire fire fire unknown", 60, Outcome.INCONCLUSIVE, Reason.CANNOT_TELL),
        (
            ALERT,
            "unknown unknown unknown unknown unknown unknown fire",
            60,
            Outcome.FAILED,
            Reason.STILL_FIRING,
        ),
        # stays
        (STAYING, "gone gone", None, None, None),
        (STAYING, "gone gone gone", 20, Outcome.SUCCEEDED, Reason.VERIFIED),
        (STAYING, "gone fire gone gone gone", 40, Outcome.SUCCEEDED, Reason.VERIFIED),
        (STAYING, "gone unknown gone", 20, Outcome.SUCCEEDED, Reason.VERIFIED),
        (STAYING, "gone unknown unknown", None, None, None),
        (STAYING, "gone unknown unknown gone", 30, Outcome.SUCCEEDED, Reason.VERIFIED),
        (STAYING, "gone gone! gone gone", 30, Outcome.SUCCEEDED, Reason.VERIFIED),
        (STAYING, "gone unknown! gone gone gone", 40, Outcome.SUCCEEDED, Reason.VERIFIED),
        # well in time, and staying so beyond the deadline
        (STAYING, "fire fire fire fire fire gone gone gone", 70, Outcome.SUCCEEDED, Reason.VERIFIED),
        (STAYING, "fire fire fire fire fire fire gone gone gone", 80, Outcome.SUCCEEDED, Reason.VERIFIED),
        (STAYING, "fire fire fire fire fire gone gone fire", 70, Outcome.FAILED, Reason.RELAPSED),
        (STAYING, "fire fire fire fire fire gone unknown gone", 70, Outcome.SUCCEEDED, Reason.VERIFIED),
        (
            STAYING,
            "fire fire fire fire fire gone unknown unknown",
            70,
            Outcome.INCONCLUSIVE,
            Reason.CANNOT_TELL,
        ),
        (STAYING, "fire fire fire fire fire gone gone!", 60, Outcome.INCONCLUSIVE, Reason.RELAPSED),
        # flickering
        (STAYING, "gone fire gone fire gone fire fire", 60, Outcome.FAILED, Reason.RELAPSED),
        (STAYING, "gone fire gone fire gone fire gone fire", 70, Outcome.FAILED, Reason.RELAPSED),
        # health
        (HEALTH, "gone+ gone+ gone+", 20, Outcome.SUCCEEDED, Reason.VERIFIED),
        (HEALTH, "gone- gone- gone+ gone+ gone+", 40, Outcome.SUCCEEDED, Reason.VERIFIED),
        (HEALTH, "gone? gone? gone? gone? gone? gone? gone?", 60, Outcome.INCONCLUSIVE, Reason.CANNOT_TELL),
        (HEALTH, "gone- gone- gone- gone- gone- gone- gone-", 60, Outcome.FAILED, Reason.UNHEALTHY),
        (HEALTH, "gone+ gone- gone- gone- gone- gone- gone-", 60, Outcome.FAILED, Reason.RELAPSED),
        (HEALTH, "fire+ fire+ fire+ fire+ fire+ fire+ fire+", 60, Outcome.FAILED, Reason.STILL_FIRING),
        (HEALTH, "fire- fire- fire- fire- fire- fire- fire-", 60, Outcome.FAILED, Reason.STILL_FIRING),
        (HEALTH, "gone+ gone? gone+", 20, Outcome.SUCCEEDED, Reason.VERIFIED),
        (
            HEALTH,
            "unknown- unknown- unknown- unknown- unknown- unknown- unknown-",
            60,
            Outcome.FAILED,
            Reason.UNHEALTHY,
        ),
        # by hand: no alert to ask for
        (HEALTH, "none+ none+ none+", 20, Outcome.SUCCEEDED, Reason.VERIFIED),
        (ALERT, "none", 0, Outcome.INCONCLUSIVE, Reason.NOTHING_TO_VERIFY),
        # health is not asked for, so it does not matter
        (STAYING, "gone- gone- gone-", 20, Outcome.SUCCEEDED, Reason.VERIFIED),
    ],
)
def test_verdict(
    spec: VerifySpec, line: str, at: float | None, outcome: Outcome | None, reason: Reason | None
) -> None:
    seconds, assessment = watch(spec, line)
    assert (seconds, assessment.outcome) == (at, outcome)
    if reason is not None:
        assert assessment.reason is reason


# Without Alertmanager's API an open episode is `unknown`, a closed one `gone`.


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("unknown unknown gone gone gone", Outcome.SUCCEEDED),
        ("unknown " * 7, Outcome.INCONCLUSIVE),
        ("gone unknown! unknown unknown unknown unknown unknown", Outcome.INCONCLUSIVE),
        ("gone unknown! unknown unknown gone unknown! unknown", Outcome.INCONCLUSIVE),
    ],
)
def test_without_the_api_a_missed_deadline_is_inconclusive_never_failed(line: str, outcome: Outcome) -> None:
    assert watch(STAYING, line)[1].outcome is outcome


def test_a_look_long_after_the_deadline_may_still_find_all_well() -> None:
    # The daemon was down meanwhile: what it could not watch is not held against the act.
    late = a_look(3600, "gone")
    first = assess(STAYING, NOON, Progress(), late)
    assert first.outcome is None
    second = assess(STAYING, NOON, first.progress, a_look(3600 + STAYS, "gone"))
    assert second.outcome is Outcome.SUCCEEDED


def test_a_verdict_says_when_it_was_seen_and_what() -> None:
    look = Look(at=NOON, alert="gone", healthy=True, detail="web-1 is healthy")
    assessment = assess(ALERT, NOON, Progress(), look)
    assert (assessment.at, assessment.detail) == (NOON, "web-1 is healthy")


def up(seconds: float, word: str, started: float) -> Look:
    return replace(a_look(seconds, word), up_since=NOON + timedelta(seconds=started))


def fold(looks: list[Look], spec: VerifySpec = HEALTH) -> Assessment:
    assessment = Assessment(progress=Progress())
    for look in looks:
        assert assessment.outcome is None, "there is a verdict already"
        assessment = assess(spec, NOON, assessment.progress, look)
    return assessment


def test_a_start_that_no_look_saw_breaks_the_stretch() -> None:
    looks = [up(0, "gone+", -15), up(10, "gone?", 5), up(20, "gone+", 5)]
    assert fold(looks).outcome is None
    done = fold([*looks, up(30, "gone+", 5), up(40, "gone+", 5)])
    assert (done.outcome, done.at) == (Outcome.SUCCEEDED, NOON + timedelta(seconds=40))


def test_a_start_between_two_good_looks_counts_from_the_second() -> None:
    looks = [up(0, "gone+", -15), up(10, "gone+", 5)]
    assert fold(looks).progress.good_since == NOON + timedelta(seconds=10)
    assert fold([*looks, up(20, "gone+", 5)]).outcome is None


@pytest.mark.parametrize("started", [-15, 0, 1])
def test_a_start_before_the_stretch_breaks_nothing(started: float) -> None:
    looks = [up(seconds, "gone+", started) for seconds in (0, 10, 20)]
    assert fold(looks).outcome is Outcome.SUCCEEDED


def test_starts_do_not_matter_where_health_is_not_asked_for() -> None:
    looks = [up(seconds, "gone+", seconds - 2) for seconds in (0, 10, 20)]
    assert fold(looks, STAYING).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("last", ["gone+", "gone?", "gone-"])
def test_what_starts_over_and_over_never_succeeds_and_is_not_watched_for_ever(last: str) -> None:
    looks = [up(seconds, "gone+", seconds - 2) for seconds in range(0, DEADLINE, EVERY)]
    done = fold([*looks, up(DEADLINE, last, DEADLINE - 2)])
    outcome = Outcome.FAILED if last == "gone-" else Outcome.INCONCLUSIVE
    assert (done.outcome, done.reason) == (outcome, Reason.RELAPSED)


line = st.lists(st.sampled_from(["fire", "gone", "unknown", "gone!", "unknown!"]), min_size=1, max_size=40)


@given(line)
def test_success_needs_an_unbroken_stretch_of_looks_none_of_which_saw_it_fire(words: list[str]) -> None:
    seconds, assessment = watch(STAYING, " ".join(words))
    if assessment.outcome is Outcome.SUCCEEDED:
        assert seconds is not None
        end = int(seconds) // EVERY
        begun = max(
            n for n, word in enumerate(words) if n <= end - STAYS // EVERY and word.startswith("gone")
        )
        stretch = words[begun : end + 1]
        assert stretch[-1].startswith("gone")
        assert "fire" not in stretch
        assert not any(word.endswith("!") for word in stretch[1:])


@given(line)
def test_failed_needs_a_look_at_or_after_the_deadline_that_saw_it_fire(words: list[str]) -> None:
    seconds, assessment = watch(STAYING, " ".join(words))
    if assessment.outcome is Outcome.FAILED:
        assert seconds is not None
        assert seconds >= DEADLINE
        assert words[int(seconds) // EVERY] == "fire"


@given(line)
def test_there_is_a_verdict_soon_after_the_deadline(words: list[str]) -> None:
    words = (words * 20)[:20]
    seconds, assessment = watch(STAYING, " ".join(words))
    assert assessment.outcome is not None
    assert seconds is not None
    assert seconds <= DEADLINE + EVERY + STAYS
