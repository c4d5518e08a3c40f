"""Which of several objections decides, and the guardrails that look at daemon, alert, lock and people."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from remediator.decide.facts import ACTS_TOLD, ALERTS_TOLD
from remediator.decide.guardrails import (
    STAGES,
    alert_state,
    approval,
    judge,
    lock,
    paused,
    readiness,
    shadow,
)
from remediator.decide.policy import SeverityPolicy
from remediator.model.alert import Sighting
from remediator.model.run import Approval, Control, Lock
from remediator.model.verdict import Allow, Deny, Hold, NeedsApproval, Verdict
from remediator.model.words import (
    ApprovalStatus,
    Mode,
    Reason,
    Severity,
)
from tests.unit.decide.asks import (
    GRANTED,
    INSTANT,
    a_change,
    a_request,
    a_yes,
    an_act,
    reason_of,
    until_of,
)
from tests.unit.decide.case import NOON, minutes
from tests.unit.decide.invariants import assert_plain

# All stages


def test_every_stage_runs_and_allows_when_nothing_is_the_matter() -> None:
    judgement = judge(a_request(), NOON)
    assert list(judgement.verdicts) == list(STAGES)
    assert type(judgement.overall) is Allow


PAUSE = {"pause": Control(key="pause", by="alice", reason="deploy", at=NOON)}
SHADOW = {"policy": {"mode": Mode.SHADOW}}
P0 = {"incident": {"severity": Severity.P0}}
LOCKED = {"lock": Lock(service="robo-rlhf", run_id=1, since=NOON)}


@pytest.mark.parametrize(
    ("what", "decisive", "kind"),
    [
        ({}, "shadow", Allow),
        (P0, "approval", NeedsApproval),
        (PAUSE, "paused", Hold),
        (P0 | PAUSE, "paused", Hold),
        (P0 | PAUSE | SHADOW, "shadow", Deny),
        (PAUSE | LOCKED, "paused", Hold),
        (P0 | LOCKED, "lock", Hold),
        (P0 | SHADOW, "shadow", Deny),
    ],
)
def test_deny_beats_hold_beats_needs_approval_beats_allow(
    what: dict[str, Any], decisive: str, kind: type[Verdict]
) -> None:
    judgement = judge(a_request(**what), NOON)
    assert (judgement.decisive, type(judgement.overall)) == (decisive, kind)


def test_every_objection_is_on_the_record_not_only_the_decisive_one() -> None:
    told = judge(a_request(**(P0 | PAUSE | LOCKED)), NOON).told()
    assert [(v["guardrail"], v["verdict"], v["reason"]) for v in told if v["verdict"] != "allow"] == [
        ("paused", "hold", "paused"),
        ("lock", "hold", "locked"),
        ("approval", "needs_approval", "severity_policy"),
    ]
    assert_plain(told, "told")


def test_an_approval_satisfies_nothing_but_the_need_of_one() -> None:
    granted = {"approval": GRANTED, "decisions": (a_yes("alice"),)}
    assert type(judge(a_request(**P0, **granted), NOON).overall) is Allow
    for objection in (PAUSE, LOCKED):
        assert type(judge(a_request(**P0, **granted, **objection), NOON).overall) is Hold
    assert type(judge(a_request(**P0, **granted, **SHADOW), NOON).overall) is Deny


# Shadow


@pytest.mark.parametrize(
    ("what", "who"),
    [
        ({"policy": {"mode": Mode.SHADOW}}, "the daemon"),
        ({"rule": {"mode": Mode.SHADOW}}, "rule app-down"),
        ({"policy": {"severities": {Severity.P1: SeverityPolicy(mode=Mode.SHADOW)}}}, "severity P1"),
    ],
)
def test_shadow_mode_denies_and_says_whose_it_is(what: dict[str, Any], who: str) -> None:
    verdict = shadow.judge(a_request(**what), NOON)
    assert reason_of(verdict, Deny) is Reason.SHADOW
    assert verdict.detail.startswith(who)


def test_approve_mode_is_not_shadow() -> None:
    assert type(shadow.judge(a_request(policy={"mode": Mode.APPROVE}), NOON)) is Allow


# Paused


def test_a_pause_by_command_holds_until_it_is_released() -> None:
    verdict = paused.judge(a_request(**PAUSE), NOON)
    assert (reason_of(verdict, Hold), until_of(verdict)) == (Reason.PAUSED, None)
    assert verdict.detail == "paused by alice: deploy"


def test_a_pause_file_is_looked_for_again() -> None:
    verdict = paused.judge(a_request(world={"paused_by_file": "/run/pause"}, **PAUSE), NOON)
    assert until_of(verdict) == NOON + timedelta(seconds=10)
    assert "/run/pause" in verdict.detail


# Readiness


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        ({"draining": True}, Reason.DRAINING),
        ({"reconciled": False}, Reason.STARTING),
        ({"draining": True, "reconciled": False}, Reason.DRAINING),
    ],
)
def test_nothing_is_begun_while_starting_or_stopping(world: dict[str, Any], reason: Reason) -> None:
    verdict = readiness.judge(a_request(world=world), NOON)
    assert reason_of(verdict, Hold) is reason
    assert until_of(verdict) == NOON + timedelta(seconds=5)


# The state of the alert


def seen(*states: str) -> tuple[Sighting, ...]:
    return tuple(
        Sighting(fingerprint=f"a{n}", state=state, at=NOON)  # type: ignore[arg-type]
        for n, state in enumerate(states)
    )


WITHOUT_API = {"sightings": (), "alert_api": False, "started_at": NOON - minutes(60)}


@pytest.mark.parametrize(
    ("world", "kind", "reason"),
    [
        ({"sightings": seen("firing")}, Allow, Reason.OK),
        ({"sightings": seen("muted")}, Hold, Reason.MUTED),
        ({"sightings": seen("muted", "firing")}, Allow, Reason.OK),
        ({"sightings": seen("muted", "absent")}, Hold, Reason.MUTED),
        ({"sightings": seen("unknown")}, Hold, Reason.UNCONFIRMED),
        ({"sightings": ()}, Hold, Reason.UNCONFIRMED),
        ({"sightings": seen("unknown"), "confirmed_at": NOON - minutes(5)}, Allow, Reason.OK),
        (
            {"sightings": seen("unknown"), "confirmed_at": NOON - minutes(5) - timedelta(microseconds=1)},
            Hold,
            Reason.UNCONFIRMED,
        ),
        ({"sightings": seen("muted"), "confirmed_at": NOON}, Hold, Reason.MUTED),
        ({"sightings": (), "alert_api": False}, Hold, Reason.UNCONFIRMED),
        (WITHOUT_API | {"confirmed_at": NOON - minutes(60)}, Allow, Reason.OK),
        (WITHOUT_API | {"confirmed_at": NOON - minutes(60) - INSTANT}, Hold, Reason.UNCONFIRMED),
    ],
)
def test_an_alert_that_nobody_confirms_is_no_ground_to_act(
    world: dict[str, Any], kind: type[Verdict], reason: Reason
) -> None:
    assert reason_of(alert_state.judge(a_request(world=world), NOON), kind) is reason


def test_a_run_by_hand_needs_no_alert() -> None:
    request = a_request(run={"requested_by": "alice"}, world={"sightings": seen("muted")})
    assert type(alert_state.judge(request, NOON)) is Allow


# Lock


@pytest.mark.parametrize(("owner", "kind"), [(7, Allow), (6, Hold)])
def test_only_the_run_that_has_the_service_may_act_on_it(owner: int, kind: type[Verdict]) -> None:
    held = Lock(service="robo-rlhf", run_id=owner, since=NOON)
    assert type(lock.judge(a_request(lock=held), NOON)) is kind


def test_who_waits_for_the_lock_is_woken_and_does_not_look_again_and_again() -> None:
    assert until_of(lock.judge(a_request(**LOCKED), NOON)) is None


# Approval


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({}, None),
        (P0, Reason.SEVERITY_POLICY),
        ({"rule": {"mode": Mode.APPROVE}}, Reason.RULE_MODE),
        ({"policy": {"mode": Mode.APPROVE}}, Reason.RULE_MODE),
        ({"rule": {"severity": Severity.P0}}, Reason.SEVERITY_POLICY),
        (P0 | {"rule": {"mode": Mode.APPROVE}}, Reason.SEVERITY_POLICY),
    ],
)
def test_who_must_be_asked(what: dict[str, Any], reason: Reason | None) -> None:
    verdict = approval.judge(a_request(**what), NOON)
    assert type(verdict) is (NeedsApproval if reason else Allow)
    assert verdict.reason is (reason or Reason.OK)


@pytest.mark.parametrize(
    ("asked", "now", "allowed"),
    [
        (GRANTED, NOON, True),
        (GRANTED, NOON + minutes(25) - INSTANT, True),
        (GRANTED, NOON + minutes(25), False),
        (replace(GRANTED, status=ApprovalStatus.PENDING), NOON, False),
        (replace(GRANTED, status=ApprovalStatus.DENIED), NOON, False),
        (replace(GRANTED, status=ApprovalStatus.EXPIRED), NOON, False),
        (replace(GRANTED, status=ApprovalStatus.SUPERSEDED), NOON, False),
        (replace(GRANTED, needed=2), NOON, False),
        (None, NOON, False),
    ],
)
def test_only_an_approval_that_was_granted_and_has_not_expired_counts(
    asked: Approval | None, now: datetime, allowed: bool
) -> None:
    request = a_request(**P0, approval=asked, decisions=(a_yes("alice"),))
    assert (type(approval.judge(request, now)) is Allow) == allowed


def test_an_approval_expires_in_the_middle_of_its_plan_too() -> None:
    request = a_request(**P0, run={"operation": 1}, approval=GRANTED, decisions=(a_yes("alice"),))
    assert type(approval.judge(request, NOON + minutes(26))) is NeedsApproval


def test_more_people_are_needed_when_the_policy_says_so_by_now() -> None:
    policy = {"severities": {Severity.P0: SeverityPolicy(mode=Mode.APPROVE, people=2)}}
    request = a_request(**P0, policy=policy, approval=GRANTED, decisions=(a_yes("alice"),))
    verdict = approval.judge(request, NOON)
    assert isinstance(verdict, NeedsApproval)
    assert verdict.people == 2
    both = a_request(**P0, policy=policy, approval=GRANTED, decisions=(a_yes("alice"), a_yes("bob")))
    assert type(approval.judge(both, NOON)) is Allow


def test_a_no_counts_for_nobody() -> None:
    asked = replace(GRANTED, needed=2)
    request = a_request(**P0, approval=asked, decisions=(a_yes("alice"), a_yes("bob", granted=False)))
    assert type(approval.judge(request, NOON)) is NeedsApproval


def test_approval_of_nobody_is_no_approval() -> None:
    policy = {"severities": {Severity.P0: SeverityPolicy(mode=Mode.APPROVE, people=0)}}
    verdict = approval.judge(a_request(**P0, policy=policy), NOON)
    assert isinstance(verdict, NeedsApproval)
    assert verdict.people == 1


# The record


def test_the_facts_of_a_decision_are_recorded_in_full_and_as_plain_json() -> None:
    request = a_request(
        world={"changes": (a_change(minutes(1)), a_change(None)), "confirmed_at": NOON, "draining": True},
        approval=GRANTED,
        decisions=(a_yes("alice"), a_yes("bob", granted=False)),
        history=(an_act(minutes(3)),),
        **PAUSE,
        **LOCKED,
    )
    world, stored = request.world.told(), request.stored.told()
    assert_plain([world, stored], "told")
    assert world["draining"] is True
    assert [s["state"] for s in world["alerts"]] == ["firing"]
    assert [c["at"] for c in world["changes"]] == [(NOON - minutes(1)).isoformat(), None]
    assert (stored["lock"]["run"], stored["pause"]["by"]) == (1, "alice")
    assert (stored["approval"]["id"], stored["approval"]["granted_by"]) == (5, ["alice"])
    assert [(a["status"], a["ended_at"]) for a in stored["acts"]] == [
        ("applied", (NOON - minutes(3)).isoformat())
    ]


def test_of_many_alerts_the_record_keeps_those_that_do_not_fire_and_the_counts() -> None:
    states: tuple[Literal["firing", "muted", "unknown"], ...] = ("firing",) * 10_000 + ("muted", "unknown")
    seen = tuple(Sighting(fingerprint=f"{n:x}", state=state, at=NOON) for n, state in enumerate(states))
    told = a_request(world={"sightings": seen}).world.told()
    assert told["alerts_known"] == {"firing": 10_000, "muted": 1, "unknown": 1}
    assert [s["state"] for s in told["alerts"]] == ["muted", "unknown", *["firing"] * (ALERTS_TOLD - 2)]


def test_of_a_long_history_the_record_keeps_the_end_and_the_count() -> None:
    history = tuple(an_act(minutes(m), run=m) for m in range(1, 31))
    told = a_request(history=history).stored.told()
    assert (told["acts_known"], len(told["acts"])) == (30, ACTS_TOLD)
    assert told["acts"][-1]["run"] == 1
