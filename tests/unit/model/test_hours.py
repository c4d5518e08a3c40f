"""Times as Alertmanager's `time_intervals` mean them."""

from datetime import UTC, datetime

import pytest

from remediator.model.hours import Hours

OFFICE = Hours(times=((540, 1020),), weekdays=((1, 5),))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        (OFFICE, ["2026-03-02 09:00", "2026-03-06 16:59"], ["2026-03-02 08:59", "2026-03-02 17:00"]),
        (OFFICE, [], ["2026-03-01 12:00", "2026-03-07 12:00"]),  # a Sunday and a Saturday
        (Hours(weekdays=((0, 0), (6, 6))), ["2026-03-01 00:00", "2026-03-07 23:59"], ["2026-03-02 00:00"]),
        (
            Hours(times=((0, 60), (1380, 1440))),
            ["2026-03-01 00:59", "2026-03-01 23:00", "2026-03-01 23:59"],
            ["2026-03-01 01:00", "2026-03-01 22:59"],
        ),
        (Hours(days_of_month=((1, 5),)), ["2026-03-01 00:00", "2026-03-05 23:59"], ["2026-03-06 00:00"]),
        (Hours(days_of_month=((-1, -1),)), ["2026-02-28 12:00", "2028-02-29 12:00"], ["2028-02-28 12:00"]),
        (Hours(days_of_month=((-3, -1),)), ["2026-02-26 12:00"], ["2026-02-25 12:00", "2026-03-28 12:00"]),
        (Hours(days_of_month=((28, -1),)), ["2026-02-28 12:00", "2026-03-31 12:00"], ["2026-03-27 12:00"]),
        (Hours(days_of_month=((31, 31),)), ["2026-03-31 12:00"], ["2026-02-28 12:00", "2026-04-30 12:00"]),
        (Hours(months=((5, 8), (12, 12))), ["2026-05-01 00:00", "2026-12-31 23:59"], ["2026-09-01 00:00"]),
        (Hours(years=((2026, 2027),)), ["2026-01-01 00:00", "2027-12-31 23:59"], ["2028-01-01 00:00"]),
        (Hours(months=((3, 3),), weekdays=((1, 1),)), ["2026-03-02 12:00"], ["2026-04-06 12:00"]),
    ],
)
def test_a_moment_is_inside_or_outside(hours: Hours, inside: list[str], outside: list[str]) -> None:
    assert [moment for moment in inside if not hours.contains(at(moment))] == []
    assert [moment for moment in outside if hours.contains(at(moment))] == []


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-01-15 08:00", True),  # 09:00 in winter
        ("2026-07-15 07:00", True),  # 09:00 in summer
        ("2026-07-15 15:00", False),  # 17:00
        ("2026-01-16 15:59", True),
        ("2026-01-18 23:30", False),  # Monday there, but half past midnight
    ],
)
def test_the_hours_are_those_of_the_place(moment: str, inside: bool) -> None:
    office = Hours(times=OFFICE.times, weekdays=OFFICE.weekdays, location="Europe/Berlin")
    assert office.contains(at(moment)) is inside
