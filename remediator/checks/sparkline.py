"""A series drawn in one line of text, so that a trend shows in a terminal, a message and a ticket."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKS = "▁▂▃▄▅▆▇█"
_LEVEL = _MARKS[3]


def sparkline(samples: Sequence[tuple[float, float]], begin: float, end: float, width: int) -> str:
    """One mark for each of `width` equal parts of the time, blank where there is no finite value.

    The lowest value of all is the lowest mark, the highest the highest; of several in one part the
    highest is drawn, so that no peak is lost. `begin` and `end` are seconds, as in the samples.
    """
    parts: list[float | None] = [None] * width
    for at, value in samples:
        if begin <= at <= end and math.isfinite(value):
            part = min(int((at - begin) / (end - begin) * width), width - 1) if end > begin else 0
            before = parts[part]
            parts[part] = value if before is None else max(before, value)
    there = [value for value in parts if value is not None]
    if not there:
        return " " * width
    low, high = min(there), max(there)
    return "".join(" " if value is None else _mark(value, low, high) for value in parts)


def _mark(value: float, low: float, high: float) -> str:
    # Halves, since the difference of the largest and the smallest number is infinite.
    reach = high / 2 - low / 2
    if not reach:
        return _LEVEL
    return _MARKS[min(int((value / 2 - low / 2) / reach * len(_MARKS)), len(_MARKS) - 1)]
