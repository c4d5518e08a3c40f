"""Conditions of a rule, as files write them; times in the form of Alertmanager's `time_intervals`."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from remediator.model.hours import Hours, Range, When
from remediator.model.params import is_template
from remediator.reading.fields import Text
from remediator.reading.problems import did_you_mean
from remediator.reading.typed import Mistake, ReadAs, Strict, mistaken

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
LONGEST_PROMQL = 10_000
"""Characters of an expression."""
_CLOCK = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)|24:00", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,4}", re.ASCII)


def _minutes(text: str, _: ValidationInfo) -> int:
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"a time is written HH:MM, from 00:00 to 24:00; this is `{text}`")
    return int(text[:2]) * 60 + int(text[3:])


def _named(names: Sequence[str], first: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text.lower() in names:
            return names.index(text.lower()) + first
        raise ValueError(f"expected the name of one, found `{text}`{did_you_mean(text.lower(), names)}")

    return number


def _between(lowest: int, highest: int) -> Callable[[str], int]:
    but = ", but not 0" if lowest < 0 else ""

    def number(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest or int(text) == 0:
            raise ValueError(f"expected a number from {lowest} to {highest}{but}, found `{text}`")
        return int(text)

    return number


def _month(text: str) -> int:
    return _between(1, 12)(text) if _NUMBER.fullmatch(text) else _named(_MONTHS, 1)(text)


def _range(number: Callable[[str], int]) -> Callable[[str, ValidationInfo], Range]:
    def read(text: str, _: ValidationInfo) -> Range:
        begin, colon, end = text.partition(":")
        ends = number(begin.strip()), number((end if colon else begin).strip())
        # The days -3 and 2 are not comparable before the month is known.
        if ends[0] > ends[1] and (ends[0] < 0) == (ends[1] < 0):
            raise ValueError(f"the range `{text}` ends before it begins")
        if ends[0] < 0 < ends[1]:
            raise ValueError(f"the range `{text}` begins at the end of a month and ends at its beginning")
        return ends

    return read


class TimeRange(Strict):
    """A part of the day; the end is not included."""

    start_time: Annotated[int, ReadAs(Text, _minutes)]
    end_time: Annotated[int, ReadAs(Text, _minutes)]

    @model_validator(mode="after")
    def _in_order(self) -> "TimeRange":
        if self.start_time >= self.end_time:
            raise mistaken(Mistake("`end_time` must be after `start_time`", at=("end_time",)))
        return self


def _time_range(written: TimeRange, _: ValidationInfo) -> Range:
    return written.start_time, written.end_time


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"there is no time zone `{name}` on this machine, such as Europe/Berlin") from None
    return name


class TimeInterval(Strict):
    """All keys that are given must hold, each by one of its entries."""

    times: tuple[Annotated[Range, ReadAs(TimeRange, _time_range)], ...] = ()
    weekdays: tuple[Annotated[Range, ReadAs(Text, _range(_named(_DAYS, 0)))], ...] = ()
    days_of_month: tuple[Annotated[Range, ReadAs(Text, _range(_between(-31, 31)))], ...] = ()
    months: tuple[Annotated[Range, ReadAs(Text, _range(_month))], ...] = ()
    years: tuple[Annotated[Range, ReadAs(Text, _range(_between(1, 9999)))], ...] = ()
    location: Annotated[Text, AfterValidator(_zone)] = Field(
        default="UTC", description="A time zone, such as Europe/Berlin."
    )

    @model_validator(mode="after")
    def _says_when(self) -> "TimeInterval":
        if not (self.times or self.weekdays or self.days_of_month or self.months or self.years):
            raise mistaken(Mistake("this is any time: give times, weekdays, days_of_month, months or years"))
        return self


def _hours(written: TimeInterval, _: ValidationInfo) -> Hours:
    return Hours(**dict(written))


_Times = tuple[Annotated[Hours, ReadAs(TimeInterval, _hours)], ...]


def _asked_of_prometheus(expression: str, info: ValidationInfo) -> str:
    if info.context and not info.context.get("prometheus", True):
        raise ValueError("there is no Prometheus to ask: `prometheus` is not in the configuration")
    if is_template(expression):
        raise ValueError("an expression is no template: labels cannot be filled in")
    return expression


class Conditions(Strict):
    """What must hold before the rule acts; until then its runs wait."""

    active: _Times = Field(default=(), description="Only at one of these times.")
    mute: _Times = Field(default=(), description="At none of these times.")
    alerts: int = Field(default=0, ge=0, le=100_000, description="Least firing alerts of the incident.")
    promql: Annotated[Text, AfterValidator(_asked_of_prometheus)] | None = Field(
        default=None,
        max_length=LONGEST_PROMQL,
        description="An expression that Prometheus must answer with some series, or a number but 0.",
    )


def when(written: Conditions, _: Any) -> When:
    """The conditions as the guardrails know them."""
    return When(**dict(written))
