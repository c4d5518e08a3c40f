"""Rules that change under a run, by a reload or between two lives of the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remediator.model.words import Reason, RunStatus
from remediator.reading.problems import InputError
from tests.simulation.given import RESTART, rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.house import House

pytestmark = pytest.mark.looptime(noop_cycles=0)

P0 = rules(rule(severity="P0"))
SHORT = "{restart: {}, verify: {healthy: true, resolved_within: 1m}}"
OTHER = rules(rule("db-down", service="db"))
BOTH = ("web", "db")


async def begin_anew(house: House, written: str, *, by: str) -> None:
    """Put other rules in force."""
    house.write(written)
    if by == "reload":
        await house.desk.reload("alice")
    else:
        await house.crash()
        await house.start()


either = pytest.mark.parametrize("by", ["reload", "restart"])


@either
async def test_a_rule_that_is_gone_does_not_act_any_more(build: Callable[..., House], by: str) -> None:
    async with build(rules(), services=BOTH) as house:
        house.docker.stop_by_hand("app-web-1")
        await house.fire()
        await house.held(Reason.CHANGED_BY_OTHERS)
        await begin_anew(house, OTHER, by=by)
        run = await house.finished()
        assert (run.outcome, run.reason) == ("cancelled", "rule_gone")
        await house.wait(hours=1)
        assert house.docker.restarts == []


@either
async def test_what_has_acted_is_verified_though_its_rule_is_gone(
    build: Callable[..., House], by: str
) -> None:
    async with build(rules(), services=BOTH) as house:
        house.watch()
        house.docker.crash("app-web-1")
        await house.is_now(RunStatus.VERIFYING)
        await begin_anew(house, OTHER, by=by)
        run = await house.finished()
        # After a reload the daemon still knows how it was to be verified; after a restart nobody does.
        assert run.reason == ("verified" if by == "reload" else "rule_gone")


@either
async def test_a_ladder_that_became_shorter_is_climbed_no_further(
    build: Callable[..., House], by: str
) -> None:
    async with build(rules(rule(steps=(SHORT, RESTART))), services=BOTH) as house:
        await house.fire()
        await house.is_now(RunStatus.VERIFYING)
        await house.desk.pause("bob", "new rules")
        await house.wait(minutes=2)
        assert (house.run().step, house.run().status) == (1, RunStatus.HELD)
        await begin_anew(house, rules(rule(steps=(SHORT,))), by=by)
        run = await house.finished()
        assert run.reason == "rule_gone"
        assert house.docker.restarts == ["app-web-1"]


@either
async def test_a_yes_to_an_older_rule_is_asked_for_again(build: Callable[..., House], by: str) -> None:
    async with build(P0) as house:
        await house.fire()
        first = await house.asked()
        await begin_anew(house, rules(rule(severity="P0", guardrails="cooldown: 1m")), by=by)
        await house.desk.approve(first.id, "alice")
        await house.until(lambda: len(house.approvals(house.run())) == 2)
        second = await house.asked()
        assert second.digest != first.digest
        assert house.docker.restarts == []


@either
async def test_a_hold_is_looked_at_anew(build: Callable[..., House], by: str) -> None:
    async with build(rules()) as house:
        house.docker.stop_by_hand("app-web-1")
        await house.fire()
        await house.held(Reason.CHANGED_BY_OTHERS)
        await begin_anew(house, rules(rule(guardrails="changed_by_others: 0s")), by=by)
        await house.wait(seconds=2)
        assert house.docker.restarts == ["app-web-1"]


@either
async def test_a_rule_that_was_made_stricter_asks(build: Callable[..., House], by: str) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "new rules")
        await house.fire()
        await house.held(Reason.PAUSED)
        await begin_anew(house, rules(rule(more="mode: approve")), by=by)
        await house.desk.resume("bob")
        await house.asked()
        assert house.docker.restarts == []


async def test_a_reload_while_it_is_about_to_decide_counts(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.docker.disturb("history", delay=8)
        await house.fire()
        await house.wait(seconds=2)
        await begin_anew(house, rules(rule(more="mode: approve")), by="reload")
        await house.asked()
        assert house.docker.restarts == []


async def test_rules_with_a_mistake_change_nothing(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.reads = "groups: [{name: a, rules: [{name: b, stepz: []}]}]"
        with pytest.raises(InputError):
            await house.desk.reload("alice")
        readiness = await house.desk.readiness()
        assert readiness.ready
        assert "refused (2 mistakes" in readiness.checks["rules"].detail
        house.watch()
        house.docker.crash("app-web-1")
        assert (await house.finished()).outcome == "succeeded"
