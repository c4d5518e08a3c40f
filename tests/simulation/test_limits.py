"""Cooldowns, budgets and the kill switch: limits that hold the daemon back, over hours and restarts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.decide.policy import Policy
from remediator.engine.face import Conflict
from remediator.model.rule import Budget
from remediator.model.words import Reason
from tests.simulation.given import rule, rules
from tests.simulation.house import MINUTE, House

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime(noop_cycles=0)

SOON = timedelta(seconds=5)
SHORT = "{restart: {}, verify: {healthy: true, resolved_within: 1m}}"


def times(house: House) -> list[timedelta]:
    """When each act began, counted from the first."""
    attempts = [a for matched in house.setup.rules for a in house.attempts(matched.rule.name)]
    begun = sorted(attempt.intent_at for attempt in attempts)
    return [at - begun[0] for at in begun]


async def crash_again_when_done(house: House, times: int) -> None:
    """A service that crashes once more as soon as each run has ended."""
    house.watch()
    for count in range(1, times + 1):
        house.docker.crash("app-web-1")
        await house.until(lambda: len(house.runs()) == count)  # noqa: B023 - called before the next round
        assert (await house.finished(within=timedelta(hours=3))).outcome == "succeeded"
        await house.until(lambda: not house.incidents()[-1].open)


async def test_the_cooldown_counts_from_the_end_of_the_act(build: Callable[..., House]) -> None:
    async with build(rules(rule(steps=(SHORT,)))) as house:
        await crash_again_when_done(house, 2)
        first, second = house.attempts()
        assert timedelta(0) <= second.intent_at - (first.ended_at + 10 * MINUTE) <= SOON
        assert [e.data["reason"] for e in house.witness.events if e.kind == "run.held"] == ["cooldown"]


async def test_the_budget_of_three_in_an_hour_holds_the_fourth(build: Callable[..., House]) -> None:
    async with build(rules(rule(steps=(SHORT,), guardrails="budget: [3/1h]"))) as house:
        await crash_again_when_done(house, 4)
        first, *_, fourth = times(house)
        assert timedelta(hours=1) <= fourth - first <= timedelta(hours=1) + SOON
        assert house.inbox.kinds == ["held"], (
            "of a spent budget people are told: three restarts did not mend it"
        )


async def test_of_several_budgets_the_tightest_counts(build: Callable[..., House]) -> None:
    limits = "budget: [2/30m, 3/2h]"
    async with build(rules(rule(steps=(SHORT,), guardrails=limits))) as house:
        await crash_again_when_done(house, 4)
        at = times(house)
        assert at[1] < 30 * MINUTE <= at[2] < 35 * MINUTE
        assert 120 * MINUTE <= at[3] <= 120 * MINUTE + SOON


async def test_the_budget_survives_a_restart_of_the_daemon(build: Callable[..., House]) -> None:
    async with build(rules(rule(steps=(SHORT,), guardrails="budget: [1/1h]"))) as house:
        await crash_again_when_done(house, 1)
        await house.crash()
        await house.start()
        await crash_again_when_done(house, 2)
        assert times(house)[1] >= timedelta(hours=1)


async def test_the_service_has_a_budget_whatever_the_rule(build: Callable[..., House]) -> None:
    policy = Policy(budget=(Budget(count=1, window=20 * MINUTE),))
    written = rules(*(rule(name, alert=name, guardrails="", steps=(SHORT,)) for name in ("a", "b")))
    async with build(written, policy=policy) as house:
        await house.resolve(await house.fire(alert="a"))
        await house.wait(minutes=1)
        mark = await house.fire(alert="a")
        await house.until(lambda: house.docker.restarts)
        await house.resolve(mark)
        await house.finished("a")
        await house.fire(alert="b")
        await house.held(Reason.BUDGET, "b")
        await house.until(lambda: len(house.docker.restarts) == 2, within=30 * MINUTE)
        assert times(house)[1] >= 20 * MINUTE


async def test_paused_by_command_until_it_is_resumed(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "a deploy")
        house.watch()
        house.docker.crash("app-web-1")
        run = await house.held(Reason.PAUSED)
        assert "bob" in run.hold_detail
        await house.crash()
        await house.wait(minutes=10)
        await house.start()
        await house.wait(hours=1)
        assert house.docker.restarts == [], "no restart undoes the kill switch"

        await house.desk.resume("bob")
        resumed_at = house.clock.now()
        await house.until(lambda: house.docker.restarts)
        assert house.clock.now() - resumed_at < SOON
        assert (await house.finished()).outcome == "succeeded"


async def test_paused_by_a_file_until_that_is_gone(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        file = house.pause_file
        file.touch()
        house.watch()
        house.docker.crash("app-web-1")
        await house.held(Reason.PAUSED)
        await house.wait(minutes=30)
        with pytest.raises(Conflict, match="nothing is paused by command"):
            await house.desk.resume("bob")
        assert house.docker.restarts == []
        file.unlink()
        assert (await house.finished()).outcome == "succeeded"


async def test_a_pause_in_the_middle_of_a_plan_stops_before_the_next_container(
    build: Callable[..., House],
) -> None:
    async with build(rules(), replicas=2) as house:
        for name in ("app-web-1", "app-web-2"):
            house.docker.box(name).stops_after = 5
        await house.fire()
        await house.acts()
        await house.desk.pause("bob", "stop that")
        await house.held(Reason.PAUSED)
        assert house.docker.restarts == ["app-web-1"], "what is under way is finished"
        await house.wait(minutes=30)
        assert len(house.docker.restarts) == 1
        await house.desk.resume("bob")
        await house.until(lambda: house.docker.restarts == ["app-web-1", "app-web-2"])
