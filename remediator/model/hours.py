"""Times of day, week, month and year, as Alertmanager's `time_intervals` mean them."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

Range = tuple[int, int]
"""From and to, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A set of moments: one is in it if each list that is not empty has a range that it is in."""

    times: tuple[Range, ...] = ()
    """Minutes of the day; here the end is not included."""
    weekdays: tuple[Range, ...] = ()
    """Sunday is 0."""
    days_of_month: tuple[Range, ...] = ()
    """From 1; -1 is the last one."""
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    location: str = "UTC"
    """Name of the time zone."""

    def contains(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        at = moment.astimezone(ZoneInfo(self.location))
        minute = at.hour * 60 + at.minute
        return (
            (not self.times or any(begin <= minute < end for begin, end in self.times))
            and _within(self.weekdays, at.isoweekday() % 7)
            and (not self.days_of_month or any(_on_days(days, at) for days in self.days_of_month))
            and _within(self.months, at.month)
            and _within(self.years, at.year)
        )


def _within(ranges: tuple[Range, ...], number: int) -> bool:
    return not ranges or any(begin <= number <= end for begin, end in ranges)


def _on_days(days: Range, at: datetime) -> bool:
    """Whether it is one of these days of its month; of those that the month does not have, none."""
    length = monthrange(at.year, at.month)[1]
    begin, end = (day if day > 0 else length + 1 + day for day in days)
    return begin <= at.day <= end


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Conditions of a rule; while one does not hold, its runs wait."""

    active: tuple[Hours, ...] = ()
    """It must be one of these times, if there are any."""
    mute: tuple[Hours, ...] = ()
    """And none of these."""
    alerts: int = 0
    """At least so many alerts of the incident must fire."""
    promql: str | None = None
    """Prometheus must answer this expression with at least one series, or a number that is not zero."""
