"""What holds the daemon back, and that it goes on by itself when that is over."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.decide.policy import Policy, SeverityPolicy
from remediator.engine.face import Conflict, Draining
from remediator.model.rule import Budget
from remediator.model.words import Mode, Reason, RunStatus, Severity
from remediator.model.world import WorldError
from tests.simulation.given import RESTART, rule, rules
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
        await house.until(lambda: len(house.runs()) == count)  # noqa: B023
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
        assert house.since_start() >= 10 * MINUTE
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


async def test_nothing_is_done_before_the_first_look_at_alertmanager(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.crash()
        house.alertmanager.unreachable = "connection refused"
        await house.start()
        mark = house.alertmanager.fire({"alertname": "Down", "service": "web"})
        assert await house.post(house.alertmanager.notification(mark))
        await house.wait(minutes=3)
        assert house.run().status is RunStatus.PLANNING
        assert not (await house.desk.readiness()).ready
        house.alertmanager.unreachable = None
        await house.until(lambda: house.docker.restarts, within=SOON)


async def test_what_ended_while_the_daemon_was_down_is_not_acted_on(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "for a while")
        await house.fire()
        await house.held(Reason.PAUSED)
        await house.desk.resume("bob")
        await house.crash()
        house.docker.restarts.clear()
        for mark in [house.alertmanager.fire({"alertname": "Down", "service": "web"})]:
            house.alertmanager.resolve(mark)
        await house.wait(minutes=10)
        await house.start()
        await house.wait(minutes=1)
        assert house.run().finished
        assert house.docker.restarts == []


async def test_what_began_while_the_daemon_was_down_is_caught_up(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.crash()
        house.alertmanager.fire({"alertname": "Down", "service": "web"})
        await house.wait(minutes=10)
        await house.start()
        await house.until(lambda: house.docker.restarts, within=SOON)
        assert house.inbox.taken == []


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


def slow(house: House, seconds: float) -> None:
    """The container takes its time to stop."""
    house.docker.box("app-web-1").stops_after = seconds


async def _stop(house: House) -> None:
    await house.stop()


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
