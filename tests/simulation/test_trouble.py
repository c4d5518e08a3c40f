"""A world that does not do what it is told, or does it and does not say so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.engine.face import Conflict
from remediator.model.command import CommandSpec
from remediator.model.words import Reason, RunStatus
from remediator.model.world import WorldError
from remediator.world.base import EngineRefused, EngineTimeout
from tests.simulation.given import RESTART, rule, rules
from tests.simulation.house import MINUTE, House

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime(noop_cycles=0)

CLEAR = CommandSpec(name="clear", argv=("/usr/local/bin/clear",), timeout=timedelta(seconds=30))
CLEARING = rules(rule(steps=("{command: {name: clear}, verify: {resolved_within: 5m}}",)))
DOWN = WorldError("the engine cannot be reached: connection refused")


async def test_an_act_whose_answer_is_lost_is_found_done_and_not_repeated(
    build: Callable[..., House],
) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.lose_answer("restart_container")
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert house.docker.restarts == ["app-web-1"]
        [attempt] = house.attempts()
        assert (attempt.status, attempt.result["probed"]) == ("applied", True)


async def test_an_act_that_takes_place_long_after_its_timeout_is_waited_for(
    build: Callable[..., House],
) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.lose_answer("restart_container", acts_after=50)
        await house.is_now(RunStatus.PROBING)
        await house.wait(seconds=30)
        assert house.run().status is RunStatus.PROBING, "what has not happened yet may still happen"
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert [a.status for a in house.attempts()] == ["applied"]
        assert house.docker.restarts == ["app-web-1"]


async def test_a_request_that_got_lost_is_made_again_through_the_guardrails(
    build: Callable[..., House],
) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("restart_container", error=DOWN)
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert [a.status for a in house.attempts()] == ["not_applied", "applied"]
        assert house.kinds().count("run.decided") == 2
        first, second = house.attempts()
        assert second.intent_at >= first.deadline


async def test_requests_that_get_lost_again_and_again_end_in_failure(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("restart_container", error=DOWN, times=float("inf"))
        run = await house.finished()
        assert (run.outcome, run.reason) == ("failed", "act_failed")
        assert [a.status for a in house.attempts()] == ["not_applied"] * 3
        await house.until(lambda: house.inbox.kinds == ["failed"])


async def test_a_request_that_was_taken_and_not_answered_is_never_sent_again_by_itself(
    build: Callable[..., House],
) -> None:
    """No deadline proves that an engine which took a request will not carry it out later."""
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("restart_container", error=EngineTimeout("no answer in time"))
        await house.is_now(RunStatus.UNKNOWN, within=3 * MINUTE)
        assert house.docker.restarts == []
        await house.until(lambda: house.inbox.kinds == ["unknown"])
        await house.desk.settle(1, False, "alice", "I have looked: it was lost")
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert [a.status for a in house.attempts()] == ["not_applied", "applied"]
        assert house.kinds().count("run.decided") == 2


async def test_a_refusal_fails_the_step_at_once(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("restart_container", error=EngineRefused("500: driver failed"))
        run = await house.finished()
        assert (run.outcome, run.reason) == ("failed", "act_failed")
        assert run.detail and "driver failed" in run.detail
        assert run.finished_at and run.finished_at - run.created_at < timedelta(seconds=5)


async def test_a_slow_engine_is_given_its_time(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("restart_container", delay=55)
        assert (await house.finished()).outcome == "succeeded"
        assert house.docker.restarts == ["app-web-1"]


async def test_an_engine_that_never_answers_is_given_up_and_asked_what_happened(
    build: Callable[..., House],
) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("restart_container", delay=10_000)
        run = await house.finished()
        assert run.outcome == "succeeded"
        first, second = house.attempts()
        assert (first.status, second.status) == ("not_applied", "applied")
        assert first.result["error"] == "no outcome within 75 s"


async def test_a_target_that_vanishes_before_the_act(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        slow_facts(house, 5)
        mark = await house.fire()
        await house.wait(seconds=4)
        house.docker.remove_by_hand("app-web-1")
        # Somebody's hand on it is seen first; then there is nothing left to act on.
        await house.held(Reason.NO_TARGET, within=15 * MINUTE)
        await house.until(lambda: house.inbox.kinds == ["held", "held"])
        await house.resolve(mark)
        run = await house.finished()
        assert (run.outcome, run.reason) == ("cancelled", "resolved")
        assert house.docker.restarts == []


async def test_a_target_that_is_missing_for_a_while_is_waited_for(build: Callable[..., House]) -> None:
    """As when Compose makes a container anew while its alert fires."""
    async with build(rules(rule(guardrails="changed_by_others: 0s"))) as house:
        house.docker.remove_by_hand("app-web-1")
        mark = await house.fire()
        await house.held(Reason.TARGET_UNCLEAR)
        await house.wait(seconds=40)
        assert house.inbox.taken == [], "so it is for a moment in any deploy"
        house.docker.add_compose_service("web", health_check=True)
        await house.until(lambda: house.docker.restarts, within=timedelta(seconds=20))
        await house.resolve(mark)
        assert (await house.finished()).outcome == "succeeded"


async def test_a_target_that_stays_missing_is_told_once(build: Callable[..., House]) -> None:
    async with build(rules(rule(guardrails="changed_by_others: 0s"))) as house:
        house.docker.remove_by_hand("app-web-1")
        mark = await house.fire()
        await house.held(Reason.NO_TARGET, within=2 * MINUTE)
        await house.until(lambda: house.inbox.kinds == ["held"])
        await house.wait(hours=1)
        await house.crash()
        await house.start()
        await house.wait(hours=3)
        assert house.inbox.kinds == ["held"]
        assert house.kinds().count("run.held") == 2
        await house.resolve(mark)
        assert (await house.finished()).reason == "resolved"


async def test_a_target_that_vanishes_between_the_intent_and_the_act(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.on("run.decided", lambda: house.docker.remove_by_hand("app-web-1"))
        await house.fire()
        run = await house.finished()
        assert (run.outcome, run.reason) == ("failed", "act_failed")
        assert [a.status for a in house.attempts()] == ["failed"]
        assert house.docker.restarts == []


async def test_a_container_that_is_recreated_under_way_is_not_taken_for_the_old_one(
    build: Callable[..., House],
) -> None:
    async with build(rules()) as house:
        house.docker.disturb("restart_container", error=EngineTimeout("no answer in time"))
        await house.fire()
        await house.is_now(RunStatus.PROBING)
        house.docker.recreate_by_hand("app-web-1")
        run = await house.held(Reason.CHANGED_BY_OTHERS, within=5 * MINUTE)
        assert [a.status for a in house.attempts()] == ["not_applied"]
        assert run.status is RunStatus.HELD


async def test_a_crash_during_the_act_while_the_engine_cannot_be_read_for_a_while(
    build: Callable[..., House],
) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.breaks("app-web-1")
        house.docker.box("app-web-1").stops_after = 5
        await house.acts()
        await house.crash()
        house.docker.down = "connection refused"
        await house.start()
        await house.wait(minutes=2)
        assert house.run().status is RunStatus.PROBING
        house.docker.down = None
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert house.docker.restarts == ["app-web-1"]


async def test_what_nobody_can_tell_a_person_settles_and_the_service_stays_locked(
    build: Callable[..., House],
) -> None:
    written = rules(rule(), rule("web-slow", alert="Slow", guardrails=""))
    async with build(written) as house:
        house.docker.box("app-web-1").stops_after = 5
        mark = await house.fire()
        await house.acts()
        await house.crash()
        house.docker.disturb("container", error=DOWN, times=float("inf"))
        await house.start()
        await house.is_now(RunStatus.UNKNOWN, within=5 * MINUTE)
        await house.until(lambda: house.inbox.kinds == ["unknown"])

        await house.fire(alert="Slow")
        await house.held(Reason.LOCKED, "web-slow")
        await house.crash()
        await house.start()
        await house.wait(hours=2)
        assert house.run().status is RunStatus.UNKNOWN
        assert house.docker.restarts == ["app-web-1"]
        with pytest.raises(Conflict, match="settle"):
            await house.desk.cancel(house.run().id, "bob")

        house.docker.calm()
        await house.desk.settle(house.run().id, True, "bob", "the log shows its start")
        await house.resolve(mark)
        assert (await house.finished()).outcome == "succeeded"
        await house.until(lambda: len(house.docker.restarts) == 2)


async def test_settled_as_not_done_it_is_tried_again(build: Callable[..., House]) -> None:
    async with build(CLEARING, commands=[CLEAR]) as house:
        mark = await house.fire()
        house.commands.behaves("clear", seconds=20)
        await house.until(lambda: house.commands.runs)
        house.commands.kill_all()
        await house.crash()
        await house.start()
        await house.is_now(RunStatus.UNKNOWN, within=5 * MINUTE)
        await house.desk.settle(house.run().id, False, "bob")
        await house.until(lambda: len(house.commands.runs) == 2, within=MINUTE)
        await house.resolve(mark)
        assert (await house.finished()).outcome == "succeeded"


async def test_a_command_that_hangs_is_ended_and_has_failed(build: Callable[..., House]) -> None:
    async with build(CLEARING, commands=[CLEAR]) as house:
        await house.fire()
        house.commands.behaves("clear", seconds=float("inf"))
        run = await house.finished()
        assert (run.outcome, run.reason) == ("failed", "act_failed")
        assert run.detail == "not done within 30 s"


async def test_a_command_that_will_not_die_is_unknown(build: Callable[..., House]) -> None:
    async with build(CLEARING, commands=[CLEAR]) as house:
        await house.fire()
        house.commands.behaves("clear", seconds=float("inf"), undying=True)
        await house.is_now(RunStatus.UNKNOWN, within=5 * MINUTE)
        await house.desk.settle(house.run().id, False, "bob")
        await house.wait(minutes=1)
        assert len(house.commands.runs) == 2


async def test_a_command_outlives_the_daemon_and_its_probe_tells(build: Callable[..., House]) -> None:
    done: list[bool] = []
    clear = CommandSpec(name="clear", argv=("/usr/local/bin/clear",), probe="is-clear")
    is_clear = CommandSpec(name="is-clear", argv=("/usr/local/bin/is-clear",))
    async with build(CLEARING, commands=[clear, is_clear]) as house:
        mark = await house.fire()
        house.commands.behaves("clear", seconds=20, effect=lambda: tell(house, done))
        house.commands.behaves("is-clear", exit_code=1)
        await house.until(lambda: house.commands.runs)
        await house.crash()
        await house.start()
        await house.is_now(RunStatus.VERIFYING, within=5 * MINUTE)
        assert len(house.commands.ran("clear")) == 1
        await house.resolve(mark)
        assert (await house.finished()).outcome == "succeeded"


async def test_a_cancelled_run_finishes_its_act_and_climbs_no_further(build: Callable[..., House]) -> None:
    async with build(rules(rule(steps=(RESTART, RESTART))), replicas=2) as house:
        house.docker.box("app-web-1").stops_after = 5
        await house.fire()
        run = await house.acts()
        await house.desk.cancel(run.id, "bob", "not now")
        run = await house.finished()
        assert house.docker.restarts == ["app-web-1"]
        assert run.outcome == "failed"
        assert run.detail and "stopped by bob" in run.detail


async def test_triage_that_cannot_see_stops_nothing(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("logs", delay=60)
        run = await house.finished()
        assert run.outcome == "succeeded"
        logs = next(found for found in run.evidence if found["check"] == "logs")
        assert (logs["ok"], logs["summary"]) == (None, "took longer than 10 s")


LOOKS = """stats, {events: {since: 5m}}, changes, host, {tcp: {targets: ['redis:6379']}},
 {health_url: {url: 'http://app/'}}, {directory: {path: /backup}}, {query: {expr: up}}, active_alerts,
 auth_failures, containers""".replace("\n", "")


async def test_no_look_that_fails_stops_another_or_the_act(build: Callable[..., House]) -> None:
    async with build(rules(rule(triage=LOOKS))) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.docker.disturb("usage", error=DOWN, times=float("inf"))
        house.docker.disturb("logs", error=DOWN, times=float("inf"))
        house.docker.disturb("history", delay=60)
        house.prometheus.unreachable = "no route"
        run = await house.finished()
        assert run.outcome == "succeeded"
        seen = {found["check"]: (found["ok"], found["summary"]) for found in run.evidence}
        assert len(seen) == 11
        assert (None, "took longer than 10 s") in seen.values()
        assert seen["host"] == seen["directory"] == (None, "a rehearsal does not look at real machines")
        assert seen["query"] == (None, "Prometheus does not answer: no route")
        assert seen["containers"] == (False, "1 container: exited 1")


def slow_facts(house: House, seconds: float) -> None:
    """The engine takes its time to tell what happened lately."""
    house.docker.disturb("history", delay=seconds)


def tell(house: House, done: list[bool]) -> None:
    done.append(True)
    house.commands.behaves("is-clear", exit_code=0)
