"""A series in one line of text."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from remediator.checks.sparkline import sparkline


def drawn(*values: float, width: int = 0) -> str:
    samples = [(float(at), value) for at, value in enumerate(values)]
    return sparkline(samples, 0, len(values), width or len(values))


def test_from_low_to_high() -> None:
    assert drawn(0, 1, 2, 3, 4, 5, 6, 7) == "▁▂▃▄▅▆▇█"
    assert drawn(7, 0, 7) == "█▁█"


def test_what_stays_the_same_is_level() -> None:
    assert drawn(5, 5, 5) == "▄▄▄"
    assert drawn(0, 0) == "▄▄"


def test_gaps_and_what_is_not_finite_stay_blank() -> None:
    assert drawn(0, math.nan, 1, math.inf) == "▁ █ "
    assert sparkline([(0, 1.0), (9, 2.0)], 0, 10, 10) == "▁        █"
    assert sparkline([], 0, 10, 4) == "    "


def test_a_peak_is_not_lost_between_others() -> None:
    assert drawn(0, 0, 0, 9, 0, 0, width=2) == "▁█"


def test_what_lies_outside_is_left_out() -> None:
    assert sparkline([(-1, 100.0), (0, 1.0), (1, 2.0), (9, 100.0)], 0, 2, 2) == "▁█"


def test_the_last_moment_belongs_to_the_last_mark() -> None:
    assert sparkline([(0, 1.0), (10, 2.0)], 0, 10, 3) == "▁ █"
    assert sparkline([(5, 1.0)], 5, 5, 1) == "▄"


@given(st.lists(st.floats(), max_size=50), st.integers(1, 20))
def test_any_numbers_are_drawn_in_the_width(values: list[float], width: int) -> None:
    assert len(drawn(*values, width=width)) == width
