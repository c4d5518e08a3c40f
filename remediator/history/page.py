"""The result of a backtest as one HTML page with charts, which needs nothing from anywhere else.

What alerts and files say is text in it, whatever it looks like: the template escapes everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from remediator.history.report import tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT = 720, 180, 40
"""Of a chart, in its own units, with the room for the numbers at its side."""
COLOURS = 6
"""Rules with a colour of their own; the others share one."""
MOST_BARS = 400


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a chart."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    says: str


def as_page(told: Mapping[str, Any]) -> str:
    """The page of what `told` says: see `remediator.history.report`."""
    environment = Environment(
        loader=PackageLoader("remediator.history", "."), autoescape=True, undefined=StrictUndefined
    )
    days = _days(told["begin"], told["end"])
    rules = _most_active(told["rules"])
    acts = [
        [told["rules"][name]["acts_per_day"].get(day, 0) for day in days]
        if name
        else _others(told, rules, days)
        for name in rules
    ]
    top = max([sum(column) for column in zip(*acts, strict=True)], default=0)
    hours = _hours_of_day(told["hours"])
    return environment.get_template("page.html.j2").render(
        told=told,
        tables=tables(told),
        legend=[name or "other rules" for name in rules],
        bars=_stacked(days, rules, acts, top),
        top=top,
        days=days,
        hours=_columns(hours),
        hour_top=max(hours),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
    )


def _days(begin: str, end: str) -> list[str]:
    first, last = date.fromisoformat(begin[:10]), date.fromisoformat(end[:10])
    count = min((last - first).days + 1, MOST_BARS)
    return [(last - timedelta(days=back)).isoformat() for back in reversed(range(count))]


def _most_active(rules: Mapping[str, Any]) -> list[str | None]:
    """The rules that act most; None stands for all others, if there are any."""
    acting: list[str | None] = [name for name in rules if rules[name]["acts"]]
    acting.sort(key=lambda name: -rules[name or ""]["acts"])
    return acting if len(acting) <= COLOURS else [*acting[: COLOURS - 1], None]


def _others(told: Mapping[str, Any], shown: Sequence[str | None], days: Sequence[str]) -> list[int]:
    others = [rule["acts_per_day"] for name, rule in told["rules"].items() if name not in shown]
    return [sum(rule.get(day, 0) for rule in others) for day in days]


def _stacked(
    days: Sequence[str], rules: Sequence[str | None], acts: Sequence[Sequence[int]], top: int
) -> list[Bar]:
    """A column for each day, with a piece for each rule."""
    room = (WIDTH - LEFT) / max(len(days), 1)
    bars = []
    for number, day in enumerate(days):
        below = 0.0
        for colour, name in enumerate(rules):
            count = acts[colour][number]
            if count:
                height = count / top * HEIGHT
                below += height
                x = LEFT + number * room
                said = f"{day}: {count} by {name or 'other rules'}"
                bars.append(Bar(x, HEIGHT - below, max(room - 2, 0.5), height, colour, said))
    return bars


def _hours_of_day(hours: Mapping[str, int]) -> list[int]:
    """Acts in each hour of the day, over all days."""
    acts = [0] * 24
    for hour, count in hours.items():
        acts[int(hour[11:13])] += count
    return acts


def _columns(acts: Sequence[int]) -> list[Bar]:
    top, room = max(acts) or 1, (WIDTH - LEFT) / len(acts)
    heights = [count / top * HEIGHT for count in acts]
    return [
        Bar(LEFT + hour * room, HEIGHT - height, room - 3, height, 0, f"{hour:02}:00: {acts[hour]}")
        for hour, height in enumerate(heights)
    ]
