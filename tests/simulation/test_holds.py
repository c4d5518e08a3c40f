"""What holds the daemon back, and that it goes on by itself when that is over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.model.words import Reason
from remediator.model.world import WorldError
from tests.simulation.given import RESTART, rule, rules
from tests.simulation.house import MINUTE, House

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime(noop_cycles=0)

SOON = timedelta(seconds=5)
SHORT = "{restart: {}, verify: {healthy: true, resolved_within: 1m}}"


async def test_muted_is_held_until_it_is_heard_again(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "until the silence is there")
        mark = await house.fire()
        house.alertmanager.mute(mark)
        await house.desk.resume("bob")
        await house.held(Reason.MUTED)
        await house.wait(hours=1)
        assert house.docker.restarts == []
        house.alertmanager.unmute(mark)
        await house.until(lambda: house.docker.restarts, within=MINUTE)


async def test_muted_and_over_is_cancelled_though_no_webhook_tells(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "until the silence is there")
        mark = await house.fire()
        house.alertmanager.mute(mark)
        await house.desk.resume("bob")
        await house.held(Reason.MUTED)
        house.alertmanager.resolve(mark)
        assert (await house.finished(within=MINUTE)).reason == "resolved"


async def test_a_container_that_somebody_stopped_is_left_alone(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.stop_by_hand("app-web-1")
        run = await house.held(Reason.CHANGED_BY_OTHERS)
        assert "app-web-1" in run.hold_detail
        await house.until(lambda: house.inbox.kinds == ["held"])
        await house.wait(minutes=8)
        assert house.docker.restarts == []
        house.docker.start_by_hand("app-web-1")
        run = await house.finished()
        assert (run.outcome, run.reason) == ("cancelled", "resolved")


async def test_a_stop_that_nobody_takes_back_is_mended_in_the_end(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.stop_by_hand("app-web-1")
        await house.until(lambda: house.docker.restarts, within=11 * MINUTE)
        assert house.clock.now() - house.begun >= 10 * MINUTE
        assert (await house.finished()).outcome == "succeeded"


async def test_its_own_restart_is_no_hand_of_others(build: Callable[..., House]) -> None:
    twice = rules(rule(steps=(SHORT, RESTART), guardrails=""))
    async with build(twice) as house:
        await house.fire()
        await house.until(lambda: len(house.docker.restarts) == 2)
        assert "run.held" not in house.kinds()


async def test_an_engine_that_is_down_is_waited_for(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.down = "connection refused"
        await house.held(Reason.WORLD_UNREADABLE)
        await house.until(lambda: house.inbox.kinds == ["held"])
        await house.wait(minutes=20)
        assert house.kinds().count("run.held") == 1, "the same trouble at each look is told once"
        house.docker.down = None
        await house.until(lambda: house.docker.restarts, within=MINUTE)
        assert (await house.finished()).outcome == "succeeded"


async def test_a_history_that_cannot_be_read_holds(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("history", error=WorldError("the engine answers 500"), times=float("inf"))
        await house.held(Reason.FACT_UNREADABLE)
        house.docker.calm()
        await house.until(lambda: house.docker.restarts, within=MINUTE)


async def test_an_alert_that_nobody_confirms_is_not_acted_on(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "for a while")
        mark = await house.fire()
        await house.held(Reason.PAUSED)
        house.alertmanager.unreachable = "connection refused"
        await house.wait(minutes=10)
        await house.desk.resume("bob")
        await house.held(Reason.UNCONFIRMED)
        assert house.docker.restarts == []
        assert await house.post(house.alertmanager.notification(mark)), "Alertmanager repeats itself"
        await house.until(lambda: house.docker.restarts, within=MINUTE)


async def test_what_alertmanager_knows_to_be_over_is_not_acted_on(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "for a moment")
        mark = await house.fire()
        await house.held(Reason.PAUSED)
        house.alertmanager.resolve(mark)  # nobody has told the daemon yet
        await house.desk.resume("bob")
        run = await house.finished(within=SOON)
        assert (run.outcome, run.reason) == ("cancelled", "resolved")
        assert house.docker.restarts == []


async def test_an_answer_that_is_older_than_the_last_webhook_closes_nothing(
    build: Callable[..., House],
) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "for a while")
        mark = await house.fire()
        await house.held(Reason.PAUSED)
        await house.wait(seconds=29)
        house.alertmanager.resolve(mark)
        house.alertmanager.answer_takes = 5.0
        await house.wait(seconds=3)
        await house.fire()
        house.alertmanager.answer_takes = 0.0
        await house.wait(minutes=5)
        assert "episode.closed" not in house.kinds()


async def test_what_the_api_confirmed_lately_is_acted_on_without_it(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "for a while")
        await house.fire()
        await house.wait(minutes=10)
        house.alertmanager.unreachable = "connection refused"
        await house.wait(minutes=2)
        await house.desk.resume("bob")
        await house.until(lambda: house.docker.restarts, within=SOON)


async def test_facts_that_grew_old_on_the_way_are_read_anew(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.on("run.triaged", lambda: house.store_delays.extend([0.0, 15.0]))
        await house.fire()
        await house.wait(seconds=5)
        assert house.store_delays == [], "the decision is on its way"
        house.docker.stop_by_hand("app-web-1")
        await house.held(Reason.CHANGED_BY_OTHERS)
        assert house.docker.restarts == []


async def test_a_hand_that_comes_after_our_own_act_is_seen(build: Callable[..., House]) -> None:
    async with build(rules(rule(guardrails=""))) as house:
        house.watch()
        house.docker.crash("app-web-1")
        await house.finished()
        await house.wait(minutes=3)
        house.docker.stop_by_hand("app-web-1")
        await house.held(Reason.CHANGED_BY_OTHERS)
        assert len(house.docker.restarts) == 1
