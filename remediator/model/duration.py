"""Durations as Prometheus and Go write them (`10m`, `1h30m`), in configuration, rules and parameters.

One spelling for every file that people write, and one type that pydantic models share.
"""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
PATTERN = "^(0|" + "".join(rf"(\d+(\.\d+)?{unit})?" for unit in _UNITS) + ")$"
"""Each unit at most once, the largest first; a bare `0` needs no unit."""

_WHOLE = re.compile(PATTERN, re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([a-z]+)", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """The length of time that `text` writes. ValueError says what a duration looks like."""
    if not text or "\n" in text or not _WHOLE.match(text):
        raise ValueError(
            f"{text!r} is not a duration: write numbers with the units y, w, d, h, m, s, ms, "
            "the largest first, such as 10m or 1h30m"
        )
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in _PART.findall(text)), timedelta(0))
    except OverflowError:
        raise ValueError(f"{text!r} is too long for a duration") from None


def format_duration(length: timedelta) -> str:
    """The shortest exact spelling down to milliseconds, without years: `1h30m`, `0s`. Not negative."""
    left = round(length / _UNITS["ms"])
    if left < 0:
        raise ValueError(f"a negative duration cannot be written: {length}")
    text = ""
    for name in ("w", "d", "h", "m", "s", "ms"):
        count, left = divmod(left, _UNITS[name] // _UNITS["ms"])
        text += f"{count}{name}" if count else ""
    return text or "0s"


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"a duration is written as text with a unit, such as 10m; this is {value!r}")


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": PATTERN, "minLength": 1}, {"const": 0}],
            "examples": ["10m", "1h30m"],
        }
    ),
]
"""A pydantic field that reads `10m` and writes it back as `10m` in JSON. Numbers are refused."""
