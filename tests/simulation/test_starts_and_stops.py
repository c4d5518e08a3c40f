"""What the daemon does first after a start, and last before its end."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.decide.policy import Policy, SeverityPolicy
from remediator.engine.face import Draining
from remediator.model.words import Mode, Reason, RunStatus, Severity
from tests.simulation.given import rule, rules
from tests.simulation.house import MINUTE, House

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime(noop_cycles=0)

SOON = timedelta(seconds=5)


async def test_nothing_is_done_before_the_first_look_at_alertmanager(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.crash()
        house.alertmanager.unreachable = "connection refused"
        await house.start()
        mark = house.alertmanager.fire({"alertname": "Down", "service": "web"})
        assert await house.post(house.alertmanager.notification(mark))
        await house.held(Reason.STARTING)
        assert "held" not in house.inbox.kinds
        await house.wait(minutes=3)
        assert house.run().hold_reason is Reason.FACT_UNREADABLE
        assert house.inbox.kinds.count("held") == 1, "a start that does not end is told, once"
        assert house.docker.restarts == []
        assert not (await house.desk.readiness()).ready
        house.alertmanager.unreachable = None
        await house.until(lambda: house.docker.restarts, within=2 * SOON)


async def test_what_ended_while_the_daemon_was_down_is_not_acted_on(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.docker.stop_by_hand("app-web-1")
        mark = await house.fire()
        await house.held(Reason.CHANGED_BY_OTHERS)
        await house.crash()
        house.alertmanager.resolve(mark)
        await house.wait(minutes=15)
        await house.start()
        run = await house.finished(within=SOON)
        assert (run.outcome, run.reason) == ("cancelled", "resolved")
        assert house.docker.restarts == []


async def test_what_began_while_the_daemon_was_down_is_caught_up(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.crash()
        house.alertmanager.fire({"alertname": "Down", "service": "web"})
        await house.wait(minutes=10)
        await house.start()
        await house.until(lambda: house.docker.restarts, within=SOON)
        assert house.inbox.taken == []


async def test_without_an_api_all_that_was_posted_is_read_before_anything_is_done(
    build: Callable[..., House],
) -> None:
    async with build(rules(), alertmanager=False) as house:
        house.docker.stop_by_hand("app-web-1")
        mark = await house.fire()
        await house.held(Reason.CHANGED_BY_OTHERS)
        house.alertmanager.resolve(mark)
        house.fate.deadly = house.fate.commits + 1
        assert not await house.post(house.alertmanager.notification(mark)), "it dies with it on disk"
        await house.crash()
        await house.wait(minutes=15)
        await house.start()
        house.store_delays.append(5.0)  # what is read first is what was posted
        run = await house.finished()
        assert run.reason == "resolved"
        assert house.docker.restarts == []


async def test_a_stop_waits_for_the_act_and_nothing_else(build: Callable[..., House]) -> None:
    async with build(rules(), replicas=2) as house:
        house.docker.box("app-web-1").stops_after = 8
        await house.fire()
        await house.acts()
        took = await house.stop(grace=5 * MINUTE)
        assert took <= timedelta(seconds=9)
        assert [attempt.status for attempt in house.attempts()] == ["applied"]
        assert house.docker.restarts == ["app-web-1"]

        await house.wait(minutes=1)
        await house.start()
        await house.until(lambda: house.docker.restarts == ["app-web-1", "app-web-2"])


async def test_a_stop_does_not_wait_for_a_verification(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.docker.box("app-web-1").stops_after = 8
        await house.fire()
        await house.acts()
        took = await house.stop(grace=5 * MINUTE)
        assert took <= timedelta(seconds=9)
        await house.start()
        run = await house.finished()
        assert run.reason == "still_firing"
        assert len(house.docker.restarts) == 1


async def test_an_act_that_outlasts_the_grace_is_left_to_the_next_start(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        slow(house, 9)
        house.docker.breaks("app-web-1")
        await house.acts()
        took = await house.stop(grace=timedelta(seconds=3))
        assert took <= timedelta(seconds=4)
        assert house.run().status is RunStatus.ACTING
        await house.start()
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert len(house.docker.restarts) == 1
        assert [a.status for a in house.attempts()] == ["applied"]
        assert house.attempts()[0].result["probed"]


async def test_a_daemon_that_stops_takes_nothing_new(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        slow(house, 8)
        mark = await house.fire()
        await house.acts()
        stopping = house.beside(_stop(house))
        await house.wait(seconds=1)
        with pytest.raises(Draining):
            await house.desk.receive(house.alertmanager.notification(mark), "alertmanager")
        await stopping


async def test_the_first_to_come_due_is_not_waited_for_until_the_next_minute(
    build: Callable[..., House],
) -> None:
    policy = Policy(
        severities={
            **Policy().severities,
            Severity.P0: SeverityPolicy(mode=Mode.APPROVE, approval_expires=timedelta(seconds=20)),
        }
    )
    async with build(rules(rule(severity="P0")), policy=policy) as house:
        await house.wait(seconds=1)
        await house.fire()
        await house.wait(minutes=3, seconds=2)
        expired = [event.at for event in house.witness.events if event.kind == "approval.expired"]
        pauses = [second - first for first, second in itertools.pairwise(expired)]
        assert len(expired) == 9
        assert set(pauses) == {timedelta(seconds=20)}


def slow(house: House, seconds: float) -> None:
    """The container takes its time to stop."""
    house.docker.box("app-web-1").stops_after = seconds


async def _stop(house: House) -> None:
    await house.stop()
