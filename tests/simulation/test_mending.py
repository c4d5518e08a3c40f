"""From a crash to a service that is mended, or to people who are told: told as time lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.model.command import CommandSpec
from remediator.model.words import IncidentStatus, Reason, RunStatus
from tests.simulation.given import RESTART, in_order, rule, rules
from tests.simulation.house import MINUTE, House

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime(noop_cycles=0)

FAILOVER = CommandSpec(name="failover", argv=("/usr/local/bin/failover",))
LADDER = rules(
    rule(steps=(RESTART, "{command: {name: failover}, verify: {healthy: true, resolved_within: 5m}}"))
)
QUICK = timedelta(seconds=5)


async def test_a_crash_is_mended_and_verified(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")

        run = await house.finished()
        assert (run.outcome, run.reason) == ("succeeded", "verified")
        assert house.docker.restarts == ["app-web-1"]
        assert {found["check"] for found in run.evidence} == {"containers", "logs"}
        await house.wait(minutes=1)
        assert [incident.status for incident in house.incidents()] == [IncidentStatus.RESOLVED]
        assert house.inbox.taken == [], "what goes well by itself is nothing to wake people for"
        in_order(
            house.kinds(),
            *("incident.opened", "episode.opened", "run.proposed", "run.triaged", "run.decided"),
            *("attempt.applied", "run.verifying", "run.finished", "incident.resolved"),
        )


async def test_it_has_to_stay_well_before_that_counts(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)

        await house.wait(minutes=1)
        await house.resolve(mark)
        gone_at = house.clock.now()
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert timedelta(0) <= run.finished_at - (gone_at + 2 * MINUTE) <= QUICK


async def test_what_is_well_only_at_the_last_moment_may_still_stay_so(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)

        await house.wait(minutes=4, seconds=55)
        await house.resolve(mark)
        await house.wait(minutes=1)
        assert house.run().status is RunStatus.VERIFYING
        assert (await house.finished()).outcome == "succeeded"


async def test_a_relapse_while_it_is_to_stay_well_is_a_failure_and_told(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        await house.is_now(RunStatus.VERIFYING)

        await house.wait(minutes=1, seconds=30)
        house.docker.crash("app-web-1")
        run = await house.finished()
        assert (run.outcome, run.reason) == ("failed", "relapsed")
        assert len(house.docker.restarts) == 1
        await house.until(lambda: house.inbox.kinds == ["failed"])


async def test_what_relapses_and_recovers_in_time_has_to_stay_well_anew(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)
        await house.resolve(mark)
        await house.wait(minutes=1, seconds=30)
        await house.fire()

        await house.wait(minutes=1)
        assert house.run().status is RunStatus.VERIFYING
        await house.resolve(mark)
        gone_at = house.clock.now()
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert timedelta(0) <= run.finished_at - (gone_at + 2 * MINUTE) <= QUICK


async def test_what_a_restart_does_not_mend_the_next_step_does(build: Callable[..., House]) -> None:
    async with build(LADDER, commands=[FAILOVER]) as house:
        house.watch()
        house.docker.breaks("app-web-1", incurable=True)
        house.commands.behaves("failover", seconds=20, effect=lambda: mend(house))

        run = await house.finished()
        assert (run.outcome, run.reason, run.step) == ("succeeded", "verified", 1)
        assert house.docker.restarts == ["app-web-1"]
        assert len(house.commands.ran("failover")) == 1
        restart, failover = house.attempts()
        # Until then the restart might still have helped, and the ladder does not wait for its own cooldown.
        assert timedelta(0) <= failover.intent_at - (restart.ended_at + 5 * MINUTE) <= QUICK


async def test_at_the_end_of_the_ladder_people_are_told(build: Callable[..., House]) -> None:
    async with build(LADDER, commands=[FAILOVER]) as house:
        house.watch()
        house.docker.breaks("app-web-1", incurable=True)

        run = await house.finished()
        assert (run.outcome, run.reason) == ("failed", "still_firing")
        await house.until(lambda: house.inbox.kinds == ["failed"])
        [message] = house.inbox.taken
        assert message.payload["service"] == "web"

        await house.wait(hours=2)
        assert len(house.runs()) == 1, "while it burns on, nothing is tried anew"
        assert house.incidents()[0].open


async def test_an_act_that_fails_climbs_at_once(build: Callable[..., House]) -> None:
    steps = ("{command: {name: failover}}", RESTART)
    async with build(rules(rule(steps=steps)), commands=[FAILOVER]) as house:
        house.watch()
        house.docker.crash("app-web-1")
        house.commands.behaves("failover", exit_code=3, output="no standby")

        await house.until(lambda: house.docker.restarts, within=MINUTE)
        failed, _ = house.attempts()
        assert (failed.status, failed.result["exit_code"]) == ("failed", 3)
        assert (await house.finished()).outcome == "succeeded"


async def test_an_alert_that_fires_on_beside_a_healthy_service_fails(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.fire()
        run = await house.finished()
        assert (run.outcome, run.reason) == ("failed", "still_firing")


async def test_when_nobody_can_say_whether_it_fires_people_are_called_and_no_step_follows(
    build: Callable[..., House],
) -> None:
    async with build(LADDER, commands=[FAILOVER]) as house:
        await house.fire()
        await house.is_now(RunStatus.VERIFYING)
        house.alertmanager.unreachable = "connection refused"

        run = await house.finished()
        assert (run.outcome, run.reason) == ("inconclusive", "cannot_tell")
        assert house.commands.runs == []
        await house.until(lambda: house.inbox.kinds == ["inconclusive"])


async def test_an_alert_muted_while_it_is_watched_is_inconclusive(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        mark = await house.fire()
        await house.is_now(RunStatus.VERIFYING)
        house.alertmanager.mute(mark)
        run = await house.finished()
        assert (run.outcome, run.reason) == ("inconclusive", "cannot_tell")


async def test_without_an_api_a_missed_deadline_is_inconclusive(build: Callable[..., House]) -> None:
    async with build(rules(), alertmanager=False) as house:
        await house.fire()
        run = await house.finished()
        assert (run.outcome, run.reason) == ("inconclusive", "cannot_tell")
        await house.until(lambda: house.inbox.kinds == ["inconclusive"])


async def test_without_an_api_the_webhook_tells_that_it_is_over(build: Callable[..., House]) -> None:
    async with build(rules(), alertmanager=False) as house:
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)
        await house.wait(minutes=1)
        await house.resolve(mark)
        gone_at = house.clock.now()
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert timedelta(0) <= run.finished_at - (gone_at + 2 * MINUTE) <= QUICK


async def test_without_an_api_a_relapse_is_seen_by_its_webhook(build: Callable[..., House]) -> None:
    async with build(rules(), alertmanager=False) as house:
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)
        await house.resolve(mark)
        await house.wait(minutes=1, seconds=50)
        await house.fire()
        run = await house.finished()
        # Not yet heard of its end once more, that is no failure; but no success either.
        assert (run.outcome, run.reason) == ("inconclusive", "cannot_tell")


async def test_two_alerts_of_one_service_are_one_incident_and_each_rule_has_its_run(
    build: Callable[..., House],
) -> None:
    slow = rule("web-slow", alert="Slow", severity="P2")
    async with build(rules(rule(), slow)) as house:
        marks = [await house.fire(), await house.fire(alert="Slow")]
        await house.until(lambda: house.docker.restarts)
        for mark in marks:
            await house.resolve(mark)
        await house.finished()
        await house.finished("web-slow")
        assert len(house.incidents()) == 1
        assert house.run("web-slow").reason is Reason.RESOLVED
        assert len(house.docker.restarts) == 1


async def test_an_alert_that_comes_back_hours_later_is_a_new_incident(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        for count in (1, 2):
            house.docker.crash("app-web-1")
            await house.until(lambda: len(house.runs()) == count)  # noqa: B023 - called before the next round
            assert (await house.finished()).outcome == "succeeded"
            await house.wait(hours=1)
        assert len(house.incidents()) == 2
        assert len(house.docker.restarts) == 2


async def test_repeats_and_a_restarted_prometheus_change_nothing(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        mark = await house.fire()
        await house.is_now(RunStatus.VERIFYING)
        for _ in range(3):
            await house.wait(seconds=20)
            house.alertmanager.begins_anew(mark)
            assert await house.post(house.alertmanager.notification(mark))
        await house.resolve(mark)
        await house.finished()
        await house.wait(minutes=1)
        assert (len(house.incidents()), len(house.runs()), len(house.docker.restarts)) == (1, 1, 1)


def mend(house: House) -> None:
    """What the failover brings about: the container that could not be cured is well."""
    box = house.docker.box("app-web-1")
    box.broken = box.incurable = False


@pytest.mark.parametrize("alertmanager", [True, False])
async def test_a_notification_that_comes_late_is_about_what_is_over(
    build: Callable[..., House], alertmanager: bool
) -> None:
    async with build(rules(), alertmanager=alertmanager) as house:
        await house.fire()
        await house.until(lambda: house.docker.restarts)
        old_firing = house.alertmanager.notification()
        await house.wait(seconds=10)
        house.alertmanager.resolve(*house.alertmanager.marks())
        old_resolved = house.alertmanager.notification()
        assert await house.post(old_resolved)
        await house.finished()
        await house.wait(minutes=30)

        assert await house.post(old_firing)
        assert (len(house.runs()), len(house.incidents())) == (1, 1), "it fired before it was resolved"

        await house.fire()
        await house.until(lambda: len(house.docker.restarts) == 2)
        assert await house.post(old_resolved)
        await house.wait(seconds=10)
        assert house.incidents()[-1].open, "that end was the end of the alert before"
        assert house.kinds().count("episode.closed") == 1


async def test_what_begins_again_while_it_is_looked_at_gets_a_run_of_its_own(
    build: Callable[..., House],
) -> None:
    at_once = "{restart: {}, verify: {healthy: true, resolved_within: 5m}}"
    async with build(rules(rule(steps=(at_once,), guardrails="cooldown: 1m"))) as house:
        mark = await house.fire()
        await house.is_now(RunStatus.VERIFYING)
        await house.wait(seconds=5)
        house.docker.disturb("ping", delay=20)  # the next look takes this long
        house.alertmanager.resolve(mark)
        await house.wait(seconds=10)
        assert await house.post(house.alertmanager.notification(mark))
        await house.wait(seconds=2)
        await house.fire()

        await house.until(lambda: len(house.runs()) == 2, within=MINUTE)
        first, _ = house.runs()
        assert first.outcome == "succeeded"
        assert len(house.incidents()) == 1, "it never ended as far as anybody was told"
        await house.until(lambda: len(house.docker.restarts) == 2, within=2 * MINUTE)


@pytest.mark.parametrize("alertmanager", [True, False])
async def test_a_relapse_between_two_looks_counts(build: Callable[..., House], alertmanager: bool) -> None:
    async with build(rules(), alertmanager=alertmanager) as house:
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)
        await house.resolve(mark)
        await house.wait(minutes=1, seconds=1)
        await house.fire()
        await house.wait(seconds=0.5)
        await house.resolve(mark)
        again_at = house.clock.now()
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert run.finished_at >= again_at + 2 * MINUTE


@pytest.mark.parametrize("times", [2, 20])
async def test_a_crash_loop_that_no_look_sees_down_is_not_well(
    build: Callable[..., House], times: int
) -> None:
    async with build(rules()) as house:
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)
        await house.resolve(mark)
        box = house.docker.box("app-web-1")
        box.seen = replace(box.seen, restart_policy="always")
        crashed_at = house.clock.now()
        for _ in range(times):
            await house.wait(seconds=51)
            if not house.run().finished:
                house.docker.crash("app-web-1")
                crashed_at = house.clock.now()
        run = await house.finished()
        if times == 2:
            assert run.outcome == "succeeded"
            assert run.finished_at >= crashed_at + 2 * MINUTE
        else:
            assert (run.outcome, run.reason) == ("inconclusive", "relapsed")
            assert run.finished_at - crashed_at <= QUICK


async def test_time_that_the_daemon_was_down_is_not_held_against_the_act(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        mark = await house.fire()
        await house.is_now(RunStatus.VERIFYING)
        await house.crash()
        await house.wait(minutes=10)
        await house.start()
        await house.wait(minutes=1)
        await house.resolve(mark)
        assert (await house.finished()).outcome == "succeeded"


async def test_a_plan_that_is_out_of_date_in_its_middle_is_not_carried_on(
    build: Callable[..., House],
) -> None:
    async with build(rules(rule(guardrails="changed_by_others: 0s")), replicas=2) as house:
        house.docker.box("app-web-1").stops_after = 5
        mark = await house.fire()
        await house.acts()
        house.docker.recreate_by_hand("app-web-2")
        await house.is_now(RunStatus.VERIFYING)
        assert house.docker.restarts == ["app-web-1"]
        [why] = [e.data["reason"] for e in house.witness.events if e.kind == "run.verifying"]
        assert why == "stale_plan"
        await house.resolve(mark)
        assert (await house.finished()).outcome == "succeeded"
