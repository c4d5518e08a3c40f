"""Rules that wait for more than an alert, take the service from its labels, or do not know how bad it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from remediator.model.words import Reason
from remediator.world.base import Sample
from tests.simulation.given import rule, rules
from tests.simulation.house import MINUTE, House

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime(noop_cycles=0)

SOON = timedelta(seconds=20)
TEMPLATED = """
groups:
  - name: house
    rules:
      - name: web-down
        match: [alertname=Down]
        severity: P1
        service: "{{ labels.app }}"
        steps: [restart: ]
"""
CHAIN = ("web", "db", "disk")
"""Each depends on the next."""
UNCLASSIFIED = TEMPLATED.replace("        severity: P1\n", "").replace("{{ labels.app }}", "web")


async def test_a_rule_waits_until_the_alert_has_fired_for_so_long(build: Callable[..., House]) -> None:
    async with build(rules(rule(more="for: 5m"))) as house:
        await house.fire()
        await house.held(Reason.NOT_FIRING_LONG)
        await house.until(lambda: house.docker.restarts)
        assert 5 * MINUTE <= house.clock.now() - house.begun <= 5 * MINUTE + SOON


async def test_what_ends_before_is_never_acted_on(build: Callable[..., House]) -> None:
    async with build(rules(rule(more="for: 5m"))) as house:
        mark = await house.fire()
        await house.wait(minutes=4)
        await house.resolve(mark)
        assert (await house.finished()).reason == "resolved"
        assert house.docker.restarts == []


async def test_a_rule_waits_for_the_end_of_another_services_incident(build: Callable[..., House]) -> None:
    async with build(rules(rule(more="unless_open: [db]")), services=("web", "db")) as house:
        ill = await house.fire("db", "Slow")
        await house.fire()
        run = await house.held(Reason.OTHER_INCIDENT_OPEN)
        assert "of db is open" in str(run.hold_detail)
        await house.wait(hours=1)
        assert house.docker.restarts == []
        await house.resolve(ill)
        await house.until(lambda: house.docker.restarts, within=SOON)


@pytest.mark.parametrize(("more", "waits"), [("", True), ("unless_open: []", False)])
@pytest.mark.parametrize("written", ["service: web", ""])
async def test_unless_it_says_otherwise_a_rule_waits_for_all_that_its_service_depends_on(
    build: Callable[..., House], written: str, more: str, waits: bool
) -> None:
    of_label = rule(more=more).replace("        service: web\n", f"        {written}\n")
    house = build(rules(of_label), services=CHAIN)
    for name, needed in pairwise(CHAIN):
        house._services[name] = replace(house._services[name], depends_on=(needed,))
    async with house:
        ill = await house.fire("disk", "Slow")
        await house.fire()
        if waits:
            await house.held(Reason.OTHER_INCIDENT_OPEN)
            await house.resolve(ill)
        await house.until(lambda: house.docker.restarts, within=SOON)


async def test_a_rule_waits_for_enough_alerts_of_the_incident(build: Callable[..., House]) -> None:
    async with build(rules(rule(more="when: {alerts: 2}"))) as house:
        await house.fire()
        await house.held(Reason.TOO_FEW_ALERTS)
        await house.wait(hours=1)
        assert house.docker.restarts == []
        await house.fire(alert="Slow")
        await house.until(lambda: house.docker.restarts, within=SOON)


async def test_a_rule_waits_for_its_hours(build: Callable[..., House]) -> None:
    never = "when: {active: [{years: ['1999']}]}"
    async with build(rules(rule(more=never))) as house:
        await house.fire()
        await house.held(Reason.OUTSIDE_HOURS)
        await house.wait(hours=1)
        assert house.docker.restarts == []
        house.write(rules(rule()))
        await house.desk.reload("alice")
        await house.until(lambda: house.docker.restarts, within=SOON)


async def test_a_template_names_the_service_that_is_mended(build: Callable[..., House]) -> None:
    async with build(TEMPLATED.replace("labels.app", "labels.service")) as house:
        house.watch()
        house.docker.crash("app-web-1")
        assert (await house.finished()).outcome == "succeeded"


async def test_what_nothing_classifies_is_only_decided_and_recorded(build: Callable[..., House]) -> None:
    async with build(UNCLASSIFIED) as house:
        await house.fire()
        run = await house.finished()
        assert (run.outcome, run.plan_id is not None) == ("shadow", True)
        assert house.docker.restarts == []


async def test_what_the_table_classifies_is_acted_on(build: Callable[..., House]) -> None:
    table = "classification: [{match: [alertname=Down], severity: P2, type: infrastructure}]"
    async with build(table + UNCLASSIFIED) as house:
        await house.fire()
        await house.until(lambda: house.docker.restarts)
        (incident,) = house.incidents()
        assert (incident.severity, incident.type) == ("P2", "infrastructure")


PROMQL = rule(more="when: {promql: 'sum(rate(requests_total[5m])) > 1'}")
EXPR = "sum(rate(requests_total[5m])) > 1"


async def test_a_rule_waits_for_what_prometheus_says(build: Callable[..., House]) -> None:
    async with build(rules(PROMQL)) as house:
        await house.fire()
        run = await house.held(Reason.CONDITION_NOT_MET)
        assert run.hold_detail == f"`{EXPR}` has no series"
        await house.wait(hours=1)
        assert house.docker.restarts == []
        house.prometheus.answers[EXPR] = [Sample(labels={}, value=0.0)]
        await house.until(lambda: house.docker.restarts, within=SOON)
        told = next(e.data for e in reversed(house.witness.events) if e.kind == "run.decided")
        assert told["facts"]["answer"]["told"] == (({}, "0"),)


@pytest.mark.parametrize(("value", "acts"), [(0.0, False), (float("nan"), False), (-1.0, True)])
async def test_of_a_number_zero_does_not_hold(build: Callable[..., House], value: float, acts: bool) -> None:
    async with build(rules(PROMQL)) as house:
        house.prometheus.answers[EXPR] = [Sample(labels={}, value=value, scalar=True)]
        await house.fire()
        await house.wait(minutes=1)
        assert bool(house.docker.restarts) is acts


async def test_a_prometheus_that_does_not_answer_holds_and_people_are_told_once(
    build: Callable[..., House],
) -> None:
    async with build(rules(PROMQL)) as house:
        house.prometheus.unreachable = "it burns"
        await house.fire()
        run = await house.held(Reason.FACT_UNREADABLE)
        assert "it burns" in str(run.hold_detail)
        await house.wait(minutes=10)
        assert house.inbox.kinds.count("held") == 1
        assert house.docker.restarts == []
        house.prometheus.unreachable = None
        house.prometheus.answers[EXPR] = [Sample(labels={}, value=2.0)]
        await house.until(lambda: house.docker.restarts, within=SOON)
