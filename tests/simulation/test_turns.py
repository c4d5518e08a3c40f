"""One run at a time has a service, and whoever waits for it gets a turn at once when it is free."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.engine.dispatcher import ACTS_AT_ONCE
from remediator.model.words import Reason, RunStatus
from tests.simulation.given import rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.house import House

pytestmark = pytest.mark.looptime(noop_cycles=0)

SOON = timedelta(seconds=5)
SHORT = "{restart: {}, verify: {healthy: true, resolved_within: 1m}}"


async def test_two_rules_on_one_service_act_one_after_the_other(build: Callable[..., House]) -> None:
    written = rules(rule("a", alert="A", guardrails=""), rule("b", alert="B", guardrails=""))
    async with build(written) as house:
        mark = await house.fire(alert="A")
        await house.fire(alert="B")
        await house.until(lambda: house.docker.restarts)
        await house.held(Reason.LOCKED, "b")
        await house.wait(minutes=2)
        assert len(house.docker.restarts) == 1

        await house.resolve(mark)
        first = await house.finished("a")
        await house.until(lambda: len(house.docker.restarts) == 2)
        [second] = house.attempts("b")
        assert timedelta(0) <= second.intent_at - first.finished_at < SOON


async def test_who_waits_for_the_service_is_dropped_when_the_alert_ends(build: Callable[..., House]) -> None:
    written = rules(rule("a", alert="A", guardrails=""), rule("b", alert="B", guardrails=""))
    async with build(written) as house:
        first = await house.fire(alert="A")
        second = await house.fire(alert="B")
        await house.held(Reason.LOCKED, "b")
        await house.resolve(second)
        run = await house.finished("b", within=SOON)
        assert (run.outcome, run.reason) == ("cancelled", "resolved")
        await house.resolve(first)
        await house.finished("a")
        assert len(house.docker.restarts) == 1


async def test_three_in_line_get_their_turn_in_order(build: Callable[..., House]) -> None:
    names = ("a", "b", "c")
    written = rules(*(rule(name, alert=name, guardrails="", steps=(SHORT,)) for name in names))
    async with build(written) as house:
        for name in names:
            await house.fire(alert=name)
        for name in names:
            run = await house.finished(name)
            assert run.outcome == "failed", "the alerts fire on"
        acts = sorted((a for name in names for a in house.attempts(name)), key=lambda a: a.intent_at)
        assert [act.rule for act in acts] == list(names)


async def test_one_that_is_held_back_lets_the_next_in_line_act(build: Callable[..., House]) -> None:
    names = ("a", "b", "c")
    limits = dict(zip(names, ("", "budget: [1/6h]", ""), strict=True))
    written = rules(*(rule(name, alert=name, guardrails=limits[name], steps=(SHORT,)) for name in names))
    async with build(written) as house:
        spent = await house.fire(alert="b")
        await house.until(lambda: house.docker.restarts)
        await house.resolve(spent)
        await house.finished("b")

        await house.wait(minutes=1)
        marks = {name: await house.fire(alert=name) for name in names}
        await house.held(Reason.LOCKED, "c")
        await house.resolve(marks["a"])
        first = await house.finished("a")
        await house.until(lambda: house.attempts("c"))
        assert house.run("b").hold_reason is Reason.BUDGET
        assert house.attempts("c")[0].intent_at - first.finished_at < SOON


async def test_one_that_waits_for_people_lets_the_next_in_line_act(build: Callable[..., House]) -> None:
    written = rules(
        rule("a", alert="a", guardrails="", steps=(SHORT,)),
        rule("b", alert="b", guardrails="", more="mode: approve"),
        rule("c", alert="c", guardrails=""),
    )
    async with build(written) as house:
        mark = await house.fire(alert="a")
        await house.until(lambda: house.docker.restarts)
        # The other two come to wait for the service, not yet for people.
        await house.fire(alert="b")
        await house.fire(alert="c")
        await house.held(Reason.LOCKED, "b")
        await house.held(Reason.LOCKED, "c")
        await house.resolve(mark)
        first = await house.finished("a")
        await house.until(lambda: house.attempts("c"))
        assert house.run("b").status is RunStatus.AWAITING_APPROVAL
        assert house.attempts("c")[0].intent_at - first.finished_at < SOON


async def test_people_are_asked_at_once_however_many_long_acts_are_under_way(
    build: Callable[..., House],
) -> None:
    names = [f"s{number}" for number in range(ACTS_AT_ONCE + 2)]
    *busy, late, urgent = names
    written = rules(
        *(rule(f"{name}-down", service=name) for name in (*busy, late)),
        rule(f"{urgent}-down", service=urgent, severity="P0"),
    )
    async with build(written, services=names) as house:
        house.docker.disturb("restart_container", delay=30.0, times=len(busy))
        for name in (*busy, late):
            await house.fire(service=name)
        await house.until(lambda: all(house.attempts(f"{name}-down") for name in busy), within=SOON)
        await house.fire(service=urgent)
        await house.asked(f"{urgent}-down", within=SOON)
        assert house.attempts(f"{late}-down") == [], "there is room for no more acts"
        await house.until(lambda: house.attempts(f"{late}-down"))
        assert len(house.docker.restarts) >= 1


async def test_a_container_with_two_names_in_the_catalogue_is_acted_on_once_at_a_time(
    build: Callable[..., House],
) -> None:
    alone = "changed_by_others: 0s"
    written = rules(
        rule("a", alert="A", guardrails=alone, steps=(SHORT,)),
        rule("b", alert="B", service="shop", guardrails=alone, steps=(SHORT,)),
    )
    async with build(written, aliases={"shop": "app-web-1"}) as house:
        house.docker.box("app-web-1").stops_after = 20
        first = await house.fire(alert="A")
        await house.acts("a")
        await house.fire(service="shop", alert="B")
        run = await house.held(Reason.OBJECT_LOCKED, "b")
        assert "run 1 for web is at work on app-web-1" in run.hold_detail
        await house.resolve(first)
        over = (await house.finished("a")).finished_at
        await house.until(lambda: house.attempts("b"))
        assert timedelta(0) <= house.attempts("b")[0].intent_at - over <= 2 * SOON
        assert house.kinds().count("run.held") == 1
