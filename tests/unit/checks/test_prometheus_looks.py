"""The checks `query` and `active_alerts`: what Prometheus knows now, and how it went."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.checks.prometheus import MAX_ALERTS, MAX_SERIES, WIDTH
from remediator.model.world import WorldError
from remediator.world.base import PromAlert, Sample, Series
from tests.unit.checks.given import LOOKS, look
from tests.unit.given import BARE, COMPOSE
from tests.unit.still_clock import NOON

if TYPE_CHECKING:
    from remediator.world.simulated import SimulatedWorld

UP = "sum by (job) (up)"
WEB_JOB = {"job": "web"}


def rising(labels: dict[str, str]) -> Series:
    """A value each minute of the last hour, from 0 to 60."""
    end = NOON.timestamp()
    return Series(labels=labels, samples=tuple((end - 3600 + 60 * n, float(n)) for n in range(61)))


# query


async def test_values_and_how_they_went(world: SimulatedWorld) -> None:
    world.prometheus.answers[UP] = [Sample(labels=WEB_JOB, value=60)]
    world.prometheus.ranges[UP] = [rising(WEB_JOB)]
    finding = await look(world, "query", BARE, expr=UP)
    assert (finding.ok, finding.summary) == (True, f"{UP}: 60")
    expr, head, _, now, line, span = finding.text.splitlines()
    assert (expr, head) == (UP, "The last 1h, since 2026-03-01T11:00:00+00:00")
    assert now == '{job="web"}  now 60'
    assert (line[0], line[-2:], len(line)) == ("▁", "█|", WIDTH + 1)
    assert span == "min 0, max 60"
    assert finding.facts == {"expr": UP, "count": 1, "series": [{"labels": WEB_JOB, "value": 60}]}


async def test_a_series_that_is_gone_is_drawn_too(world: SimulatedWorld) -> None:
    world.prometheus.ranges[UP] = [rising(WEB_JOB)]
    finding = await look(world, "query", expr=UP)
    assert (finding.ok, finding.summary) == (True, f"{UP}: no series")
    assert '{job="web"}  gone now' in finding.text
    assert "█|" in finding.text


async def test_how_it_went_is_less_than_how_it_is(
    world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> list[Series]:
        raise WorldError("too many points")

    world.prometheus.answers[UP] = [Sample(labels={}, value=1)]
    monkeypatch.setattr(world.prometheus, "query_range", fail)
    finding = await look(world, "query", expr=UP)
    assert (finding.ok, finding.summary) == (True, f"{UP}: 1")
    assert "How it was cannot be told: too many points" in finding.text
    assert (await look(world, "query", expr=UP, range="0s")).text == f"{UP}\n\n{{}}  now 1"


async def test_what_is_not_finite_can_be_kept_as_json(world: SimulatedWorld) -> None:
    values = (math.nan, math.inf, -math.inf)
    world.prometheus.answers[UP] = [Sample(labels={"n": str(n)}, value=n) for n in values]
    finding = await look(world, "query", expr=UP)
    assert finding.summary == f"{UP}: NaN, +Inf, -Inf"
    json.dumps(finding.facts, allow_nan=False)


async def test_of_very_many_series_only_some_are_shown(world: SimulatedWorld) -> None:
    samples = [Sample(labels={"n": f"{n:03}"}, value=n) for n in range(MAX_SERIES + 5)]
    world.prometheus.answers[UP] = samples
    world.prometheus.ranges[UP] = [rising(sample.labels) for sample in samples]
    finding = await look(world, "query", expr=UP)
    assert finding.summary == f"{UP}: 0, 1, 2, and {MAX_SERIES + 2} more series"
    assert finding.text.count("█|") == MAX_SERIES
    assert finding.text.endswith("[... 5 more series ...]")


async def test_labels_cannot_move_a_cursor_or_tell_a_secret(world: SimulatedWorld) -> None:
    labels = {"__name__": "up", "a": "\x1b[2J", "b": "password=hunter2", "c": "x" * 10_000}
    world.prometheus.answers[UP] = [Sample(labels=labels, value=1)]
    finding = await look(world, "query", expr=UP)
    assert 'up{a="\\x1b[2J", b="password=[redacted]"' in finding.text
    assert len(finding.text) < 1000
    assert "hunter2" not in str(finding.facts)


@pytest.mark.parametrize("check", ["query", "active_alerts"])
async def test_without_a_prometheus(world: SimulatedWorld, check: str) -> None:
    params = {"expr": UP} if check == "query" else {}
    finding = await look(replace(world, prometheus=None), check, **params)
    assert (finding.ok, finding.summary) == (None, "no `prometheus` is configured")
    world.prometheus.unreachable = "no route"
    finding = await look(world, check, **params)
    assert (finding.ok, finding.summary) == (None, "Prometheus does not answer: no route")


@pytest.mark.parametrize(
    "params", [{}, {"expr": ""}, {"expr": UP, "range": "-1h"}, {"expr": UP, "range": "1y"}]
)
def test_what_cannot_be_asked_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        LOOKS["query"].params(**params)


# active_alerts


def alert(name: str, state: str = "firing", minutes: int = 5, **labels: str) -> PromAlert:
    return PromAlert(
        labels={"alertname": name, **labels},
        annotations={},
        state="firing" if state == "firing" else "pending",
        active_at=NOON - timedelta(minutes=minutes),
        value="1e+00",
    )


async def test_the_alerts_of_the_service(world: SimulatedWorld) -> None:
    world.prometheus.firing = [
        alert("Slow", "pending", job="web"),
        alert("Down", job="web", minutes=9),
        alert("Full", service="web"),
        alert("Other", job="db"),
    ]
    finding = await look(world, "active_alerts", COMPOSE)
    assert (finding.ok, finding.summary) == (False, "2 firing, 1 pending: Down, Full, Slow")
    head, *rows = finding.text.splitlines()
    assert head.split() == ["STATE", "SINCE", "ALERT", "VALUE", "LABELS"]
    assert rows[0].split() == ["firing", "2026-03-01T11:51:00+00:00", "Down", "1e+00", '{job="web"}']
    assert [row.split()[2] for row in rows] == ["Down", "Full", "Slow"]
    assert [told["state"] for told in finding.facts["alerts"]] == ["firing", "firing", "pending"]


async def test_pending_ones_are_well(world: SimulatedWorld) -> None:
    world.prometheus.firing = [alert("Slow", "pending", job="web")]
    assert (await look(world, "active_alerts")).ok is True


async def test_the_rule_may_say_by_which_labels(world: SimulatedWorld) -> None:
    world.prometheus.firing = [alert("Down", team="x", env="prod"), alert("Slow", team="x", env="test")]
    assert (await look(world, "active_alerts")).summary == "no alert is active"
    finding = await look(world, "active_alerts", labels={"team": "x", "env": "prod"})
    assert finding.summary == "1 firing: Down"


async def test_of_very_many_only_some_are_shown(world: SimulatedWorld) -> None:
    world.prometheus.firing = [alert(f"A{n:03}", job="web") for n in range(MAX_ALERTS + 2)]
    finding = await look(world, "active_alerts")
    assert finding.summary.endswith("A003, A004, ...")
    assert finding.text.endswith("[... 2 more alerts ...]")
    assert finding.facts["count"] == MAX_ALERTS + 2


async def test_labels_of_alerts_cannot_move_a_cursor(world: SimulatedWorld) -> None:
    world.prometheus.firing = [alert("\x1b[2J", job="web", note="\u202e")]
    finding = await look(world, "active_alerts")
    assert not {"\x1b", "\u202e"} & set(finding.text + finding.summary + str(finding.facts))
