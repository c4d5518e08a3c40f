"""Samples of `ALERTS` become episodes, however the time is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.history import alerts_series
from remediator.history.alerts_series import GAP, read_alerts
from remediator.history.changes import HistoryError
from remediator.model.world import WorldError
from remediator.world.asking import AnswerTooLarge
from tests.unit.history.past import BEGIN, STEP, Past, after, told

Told = list[tuple[float, str, bool]]


async def episodes(past: Past, minutes: int = 60, points: int = 10) -> Told:
    return await told(read_alerts(past, BEGIN, after(minutes), STEP, points=points))


async def test_an_episode_lasts_until_the_step_after_its_last_sample() -> None:
    assert await episodes(Past({"Down": [3, 4, 5]})) == [(3, "Down", True), (6, "Down", False)]


async def test_one_that_spans_pieces_is_one() -> None:
    past = Past({"Down": list(range(3, 35))})
    assert await episodes(past) == [(3, "Down", True), (35, "Down", False)]
    assert len(past.asked) == 7


async def test_pieces_do_not_overlap() -> None:
    past = Past({})
    await episodes(past)
    assert [begin for begin, _ in past.asked[1:]] == [end + STEP for _, end in past.asked[:-1]]


async def test_a_small_gap_ends_nothing_and_a_larger_one_does() -> None:
    small, large = [1, 2, 3 + GAP, 4 + GAP], [1, 2, 4 + GAP]
    assert await episodes(Past({"Down": small})) == [(1, "Down", True), (5 + GAP, "Down", False)]
    assert await episodes(Past({"Down": large})) == [
        (1, "Down", True),
        (3, "Down", False),
        (4 + GAP, "Down", True),
        (5 + GAP, "Down", False),
    ]


async def test_what_still_fires_has_no_end() -> None:
    assert await episodes(Past({"Down": list(range(50, 61))})) == [(50, "Down", True)]


async def test_what_comes_first_is_told_first() -> None:
    past = Past({"A": [1, 2, 3], "B": [0, 1], "C": [2, *range(30, 40)]})
    times = [at for at, _, _ in await episodes(past)]
    assert times == sorted(times)


async def test_an_answer_that_is_too_large_is_asked_for_in_smaller_pieces() -> None:
    past = Past({"Down": list(range(3, 35))}, fails=[AnswerTooLarge("too large")])
    assert await episodes(past) == [(3, "Down", True), (35, "Down", False)]
    assert past.asked[1][1] - past.asked[1][0] == 4 * STEP


async def test_pieces_are_as_long_as_what_fires_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = Past({})
    await episodes(quiet, minutes=300, points=100)
    assert [round((end - begin) / STEP) + 1 for begin, end in quiet.asked[:4]] == [10, 40, 100, 100]
    monkeypatch.setattr(alerts_series, "SAMPLES", 40)
    busy = Past({name: list(range(300)) for name in ("A", "B")})
    await episodes(busy, minutes=300, points=100)
    assert {round((end - begin) / STEP) + 1 for begin, end in busy.asked[1:-1]} == {20}


async def test_what_is_too_large_in_any_piece_is_an_error() -> None:
    past = Past({}, fails=[AnswerTooLarge("http://p: too large")] * 9)
    with pytest.raises(HistoryError, match="http://p: too large"):
        await episodes(past)


async def test_a_prometheus_that_is_down_is_told_with_a_remedy() -> None:
    past = Past({}, fails=[WorldError("http://p: ClientConnectorError")])
    with pytest.raises(HistoryError, match=r"http://p: ClientConnectorError; see that .* --since"):
        await episodes(past)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("ABC"), st.sets(st.integers(0, 60)).map(sorted), max_size=3),
    st.integers(1, 70),
)
async def test_how_the_time_is_cut_changes_nothing(seen: dict[str, list[int]], points: int) -> None:
    assert await episodes(Past(seen), points=points) == await episodes(Past(seen), points=1000)
