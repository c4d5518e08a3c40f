"""The approve gate over hours: asked, answered, not answered, and overtaken by what happens meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.decide.policy import Policy, SeverityPolicy
from remediator.engine.face import Conflict
from remediator.model.words import ApprovalStatus, Mode, Outcome, Reason, RunStatus, Severity
from tests.simulation.given import in_order, rule, rules
from tests.simulation.house import MINUTE, House

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.model.run import Run

pytestmark = pytest.mark.looptime(noop_cycles=0)

P0 = rules(rule(severity="P0"))
TWO_PEOPLE = Policy(
    severities={**Policy().severities, Severity.P0: SeverityPolicy(mode=Mode.APPROVE, people=2)}
)


def statuses(house: House, run: Run) -> list[ApprovalStatus]:
    return [approval.status for approval in house.approvals(run)]


async def test_people_are_asked_with_the_evidence_and_then_it_acts(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        house.docker.writes("app-web-1", "panic: out of file handles")
        house.watch()
        house.docker.crash("app-web-1")
        approval = await house.asked()
        await house.until(lambda: house.inbox.taken)
        [message] = house.inbox.taken
        assert message.kind == "approval_wanted"
        assert {found["check"] for found in message.payload["evidence"]} == {"containers", "logs"}

        await house.wait(minutes=20)
        assert house.docker.restarts == [], "nothing is done before somebody has said yes"
        await house.desk.approve(approval.id, "alice", digest=approval.digest)
        run = await house.finished()
        assert run.outcome == "succeeded"
        assert house.docker.restarts == ["app-web-1"]
        in_order(house.kinds(), "run.triaged", "approval.requested", "approval.granted", "attempt.applied")


async def test_silence_expires_and_is_asked_again_while_it_burns(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        house.watch()
        house.docker.crash("app-web-1")
        first = await house.asked()
        assert first.expires_at - first.requested_at == timedelta(minutes=30)

        await house.wait(minutes=29, seconds=30)
        assert statuses(house, house.run()) == ["pending"]
        await house.wait(minutes=1)
        second = await house.asked()
        assert statuses(house, house.run()) == ["expired", "pending"]
        assert (second.ask, second.digest) == (2, first.digest)
        await house.wait(minutes=30)
        third = await house.asked()
        await house.until(lambda: len(house.inbox.taken) == 5)
        assert house.inbox.kinds == ["approval_wanted", *["approval_expired", "approval_wanted"] * 2]
        assert house.docker.restarts == []

        for late in (first, second):
            with pytest.raises(Conflict, match="expired"):
                await house.desk.approve(late.id, "alice")
        await house.desk.approve(third.id, "alice")
        assert (await house.finished()).outcome == "succeeded"


async def test_an_expiry_that_falls_into_the_daemons_absence_is_caught_up(
    build: Callable[..., House],
) -> None:
    async with build(P0) as house:
        house.watch()
        house.docker.crash("app-web-1")
        await house.asked()
        await house.crash()
        await house.wait(hours=1)
        await house.start()
        await house.wait(seconds=5)
        assert statuses(house, house.run()) == ["expired", "pending"]


async def test_an_approval_survives_a_crash(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        house.watch()
        house.docker.crash("app-web-1")
        approval = await house.asked()
        await house.crash()
        await house.wait(minutes=5)
        await house.start()
        await house.desk.approve(approval.id, "alice")
        assert (await house.finished()).outcome == "succeeded"


async def test_a_denial_ends_it_and_nothing_more_is_asked(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        await house.fire()
        approval = await house.asked()
        await house.desk.deny(approval.id, "bob", "the training would be lost")
        run = await house.finished()
        assert (run.outcome, run.reason) == ("denied", "denied_by_person")
        await house.wait(hours=3)
        assert house.docker.restarts == []
        assert len(house.runs()) == 1
        assert house.inbox.kinds == ["approval_wanted"]


@pytest.mark.parametrize("heard", ["webhook", "reconcile"])
async def test_when_the_alert_ends_nobody_needs_to_answer(build: Callable[..., House], heard: str) -> None:
    async with build(P0) as house:
        mark = await house.fire()
        approval = await house.asked()
        if heard == "webhook":
            await house.resolve(mark)
        else:
            house.alertmanager.resolve(mark)  # its webhook is lost
        run = await house.finished()
        assert (run.outcome, run.reason) == ("cancelled", "resolved")
        assert statuses(house, run) == ["cancelled"]
        assert not house.incidents()[0].open
        with pytest.raises(Conflict, match="cancelled"):
            await house.desk.approve(approval.id, "alice")
        await house.wait(hours=1)
        assert house.docker.restarts == []


async def test_a_yes_to_a_container_that_is_another_one_now_is_asked_again(
    build: Callable[..., House],
) -> None:
    async with build(rules(rule(severity="P0", guardrails="changed_by_others: 2m"))) as house:
        await house.fire()
        first = await house.asked()
        house.docker.recreate_by_hand("app-web-1")
        await house.wait(minutes=3)

        await house.desk.approve(first.id, "alice")
        await house.until(lambda: len(house.approvals(house.run())) == 2)
        second = await house.asked()
        assert statuses(house, house.run()) == ["superseded", "pending"]
        assert second.digest != first.digest
        assert house.docker.restarts == []
        await house.desk.approve(second.id, "alice")
        await house.until(lambda: house.docker.restarts)


async def test_a_yes_does_not_outweigh_a_hand_on_the_target(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        await house.fire()
        approval = await house.asked()
        house.docker.stop_by_hand("app-web-1")
        await house.desk.approve(approval.id, "alice")
        await house.wait(minutes=9)
        assert (house.run().status, house.run().hold_reason) == ("held", "changed_by_others")
        assert house.docker.restarts == []
        await house.wait(minutes=2)
        assert house.docker.restarts == ["app-web-1"], "the yes is half an hour old at most, and still counts"


async def test_a_yes_that_outlives_its_time_in_a_hold_is_asked_for_again(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        await house.fire()
        approval = await house.asked()
        await house.desk.pause("bob", "a deploy")
        await house.desk.approve(approval.id, "alice")
        await house.wait(minutes=40)
        await house.desk.resume("bob")
        again = await house.asked()
        assert again.ask == 2
        assert statuses(house, house.run()) == ["superseded", "pending"]
        assert house.docker.restarts == []


async def test_severity_is_read_when_acting(build: Callable[..., House]) -> None:
    worse = rule("web-lost", alert="Lost", severity="P0")
    async with build(rules(rule(), worse)) as house:
        await house.desk.pause("bob", "a look around")
        await house.fire()
        assert (await house.is_now(RunStatus.HELD)).hold_reason == "paused"

        await house.fire(alert="Lost")
        await house.wait(seconds=5)
        await house.desk.resume("bob")
        await house.asked()
        await house.asked("web-lost")
        assert house.incidents()[0].severity == "P0"
        assert house.docker.restarts == []


async def test_two_people_are_two_people(build: Callable[..., House]) -> None:
    async with build(P0, policy=TWO_PEOPLE) as house:
        house.watch()
        house.docker.crash("app-web-1")
        approval = await house.asked()
        await house.desk.approve(approval.id, "alice")
        with pytest.raises(Conflict, match="another person"):
            await house.desk.approve(approval.id, "alice")
        await house.wait(minutes=5)
        assert house.docker.restarts == []

        await house.desk.approve(approval.id, "bob")
        assert (await house.finished()).outcome == "succeeded"
        assert house.docker.restarts == ["app-web-1"]


async def test_one_yes_of_two_does_not_carry_over_to_the_next_question(build: Callable[..., House]) -> None:
    async with build(P0, policy=TWO_PEOPLE) as house:
        await house.fire()
        first = await house.asked()
        await house.desk.approve(first.id, "alice")
        await house.wait(minutes=31)
        second = await house.asked()
        await house.desk.approve(second.id, "bob")
        await house.wait(minutes=5)
        assert house.docker.restarts == []
        await house.desk.approve(second.id, "alice")
        await house.until(lambda: house.docker.restarts)


async def test_a_yes_to_one_step_is_none_to_the_next(build: Callable[..., House]) -> None:
    twice = "{restart: {}, verify: {healthy: true, resolved_within: 1m}}"
    async with build(rules(rule(severity="P0", steps=(twice, twice)))) as house:
        await house.fire()
        first = await house.asked()
        await house.desk.approve(first.id, "alice")
        await house.until(lambda: house.docker.restarts)
        await house.wait(minutes=1, seconds=5)
        second = await house.asked()
        assert second.digest != first.digest
        assert len(house.docker.restarts) == 1


async def test_a_run_by_hand_that_is_held_for_long_is_not_done_when_the_hold_ends(
    build: Callable[..., House],
) -> None:
    async with build(rules()) as house:
        await house.desk.pause("bob", "a deploy")
        await house.desk.start_run("web-down", "web", "alice", "a drill")
        await house.held(Reason.PAUSED)
        run = await house.finished(within=70 * MINUTE)
        assert (run.outcome, run.reason) == ("expired", "too_late")
        await house.until(lambda: house.inbox.kinds == ["expired"])
        await house.desk.resume("bob")
        await house.wait(minutes=5)
        assert house.docker.restarts == []


async def test_a_run_by_hand_is_asked_about_once(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        run = await house.desk.start_run("web-down", "web", "alice", "a drill")
        await house.asked()
        await house.wait(minutes=31)
        run = await house.finished()
        assert (run.outcome, run.reason) == (Outcome.EXPIRED, "approval_expired")
        assert not house.incidents()[0].open


async def test_alice_and_bob_answer_at_the_same_moment(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        await house.fire()
        approval = await house.asked()
        await house.desk.deny(approval.id, "bob", "no")
        with pytest.raises(Conflict, match="denied"):
            await house.desk.approve(approval.id, "alice")
        await house.wait(minutes=1)
        assert house.docker.restarts == []


async def test_a_yes_is_taken_back_while_something_else_holds(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        await house.fire()
        approval = await house.asked()
        await house.desk.pause("bob", "a deploy")
        await house.desk.approve(approval.id, "alice")
        await house.held(Reason.PAUSED)
        await house.desk.deny(approval.id, "alice", "I had the wrong one in mind")
        run = await house.finished()
        assert (run.outcome, run.reason) == ("denied", "denied_by_person")
        await house.desk.resume("bob")
        await house.wait(minutes=5)
        assert house.docker.restarts == []


async def test_each_answer_is_on_the_record_by_name(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        await house.fire()
        approval = await house.asked()
        await house.desk.approve(approval.id, "alice", "it is down anyway")
        said = [event for event in house.witness.events if event.kind == "approval.decided"]
        assert [(event.actor, event.data["why"]) for event in said] == [("alice", "it is down anyway")]
        assert house.clock.now() - said[0].at < MINUTE
