"""What must hold after every decision, whatever came in before.

`check_state` looks at the state, `check_events` at one decision: what it began, and on what grounds.
Each failure names the promise that is broken.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from remediator.model.alert import Episode
from remediator.model.plan import Operation, Plan
from remediator.model.run import (
    PAUSE,
    Approval,
    ApprovalDecision,
    Attempt,
    Control,
    Incident,
    Lock,
    Message,
    Run,
    Timer,
)
from remediator.model.snapshot import KEYS, Snapshot, key_of
from remediator.model.words import ApprovalStatus, AttemptStatus, Mode, Reason, RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from remediator.decide.policy import Policy
    from remediator.model.event import Event
    from remediator.model.rule import Rule

HAVE_LOCK = {RunStatus.ACTING, RunStatus.PROBING, RunStatus.UNKNOWN, RunStatus.VERIFYING}
OPEN_ATTEMPTS = {AttemptStatus.INTENT, AttemptStatus.UNKNOWN}
PLAIN = (str, int, float, bool, type(None))


def check_state(snapshot: Snapshot, folded: Snapshot, events: Sequence[Event]) -> None:
    """Everything that the state alone must satisfy."""
    for kind in KEYS:
        assert {key_of(e): e for e in snapshot.all(kind)} == {key_of(e): e for e in folded.all(kind)}, (
            f"the events do not add up to the state of {kind.__name__}"
        )
    runs = list(snapshot.all(Run))
    check_runs(snapshot, runs)
    check_waiting(snapshot, runs, events)
    check_locks(snapshot, runs)
    check_approvals(snapshot)
    check_incidents(snapshot, runs)


def check_runs(snapshot: Snapshot, runs: list[Run]) -> None:
    alive = Counter((r.incident_id, r.rule) for r in runs if not r.finished)
    assert not [key for key, count in alive.items() if count > 1], "two unfinished runs of one rule"
    for run in runs:
        if run.finished:
            assert run.outcome and run.reason and run.finished_at, f"run {run.id} ended without saying how"
        else:
            assert run.outcome is None and run.finished_at is None, f"run {run.id} goes on after its end"
        held = run.status is RunStatus.HELD
        assert (run.hold_reason is not None) == held, f"run {run.id} is {run.status} with a hold's reason"
        if run.status is RunStatus.ACTING:
            operations = [o for o in snapshot.all(Operation) if o.plan_id == run.plan_id]
            assert run.operation in {o.number for o in operations}, f"run {run.id} acts beyond its plan"
        under_way = [a for a in snapshot.all(Attempt) if a.run_id == run.id and a.status in OPEN_ATTEMPTS]
        acts = run.status in {RunStatus.ACTING, RunStatus.PROBING, RunStatus.UNKNOWN}
        assert len(under_way) == acts, f"run {run.id} is {run.status} with {len(under_way)} open attempts"


def check_waiting(snapshot: Snapshot, runs: list[Run], events: Sequence[Event]) -> None:
    """Nothing waits for ever: each run that stands still has something that will move it."""
    until: dict[int, Any] = {}
    for event in events:
        if event.kind == "run.held":
            until[event.data["run"]] = event.data["until"]
    for run in runs:
        others = [r for r in runs if r.service == run.service and r.id != run.id]
        if run.status is RunStatus.HELD and until[run.id] is None:
            released = {
                Reason.LOCKED: snapshot.find(Lock, run.service) is not None
                or any(r.status is RunStatus.PLANNING for r in others),
                Reason.PAUSED: snapshot.find(Control, PAUSE) is not None,
            }
            assert run.hold_reason and released.get(run.hold_reason, False), (
                f"run {run.id} is held for {run.hold_reason} and nothing will ever wake it"
            )
        if run.status in (RunStatus.HELD, RunStatus.AWAITING_APPROVAL) and not run.by_hand:
            assert any(
                e.firing and e.incident_id == run.incident_id and e.rule == run.rule
                for e in snapshot.all(Episode)
            ), f"run {run.id} waits for an alert that is over"


def check_locks(snapshot: Snapshot, runs: list[Run]) -> None:
    by_id = {run.id: run for run in runs}
    for lock in snapshot.all(Lock):
        owner = by_id[lock.run_id]
        assert not owner.finished, f"{lock.service} stays locked by run {owner.id}, which has ended"
        assert owner.service == lock.service
    for run in runs:
        lock = snapshot.find(Lock, run.service)
        if run.status in HAVE_LOCK or (run.operation and not run.finished):
            assert lock and lock.run_id == run.id, f"run {run.id} is {run.status} without its lock"
    busy = Counter(a.service for a in snapshot.all(Attempt) if a.status in OPEN_ATTEMPTS)
    assert all(count == 1 for count in busy.values()), "two acts on one service at the same time"


def check_approvals(snapshot: Snapshot) -> None:
    pending = [a for a in snapshot.all(Approval) if a.status is ApprovalStatus.PENDING]
    asked = Counter(a.run_id for a in pending)
    waiting = Counter(r.id for r in snapshot.all(Run) if r.status is RunStatus.AWAITING_APPROVAL)
    assert asked == waiting, "open questions and the runs that wait for people are not the same"
    timers = {t.key: t.due_at for t in snapshot.all(Timer)}
    assert timers == {f"approval:{a.id}": a.expires_at for a in pending}, (
        "an open question without its expiry, or an expiry without its question"
    )


def check_incidents(snapshot: Snapshot, runs: list[Run]) -> None:
    keys = Counter(i.correlation_key for i in snapshot.all(Incident) if i.open)
    assert all(count == 1 for count in keys.values()), "two open incidents of one key"
    open_episodes = Counter(e.fingerprint for e in snapshot.all(Episode) if e.firing)
    assert all(count == 1 for count in open_episodes.values()), "two open episodes of one alert"
    for incident in snapshot.all(Incident):
        burns = any(e.firing and e.incident_id == incident.id for e in snapshot.all(Episode))
        goes_on = any(not r.finished and r.incident_id == incident.id for r in runs)
        assert incident.open == (burns or goes_on), (
            f"incident {incident.id} is {incident.status}: fires {burns}, has a run {goes_on}"
        )


def check_events(
    events: Iterable[Event], before: Snapshot, policy: Policy, rules: Mapping[str, Rule]
) -> None:
    """Everything that one decision must satisfy, event by event, over the state before it."""
    state = Snapshot(entity for kind in KEYS for entity in before.all(kind))
    for event in events:
        assert_plain(event.data, event.kind)
        if "reason" in event.data:
            assert event.data["reason"] in set(Reason), f"{event.kind}: {event.data['reason']} is no reason"
        for entity in event.puts:
            if isinstance(entity, Message):
                assert_plain(entity.payload, f"the message {entity.kind}")
                assert state.find(Message, entity.id) is None, "a message took another one's place"
            if isinstance(entity, Attempt) and state.find(Attempt, entity.id) is None:
                check_begun(event, entity, state, policy, rules[entity.rule])
            if isinstance(entity, Run):
                was = state.find(Run, entity.id)
                assert was is None or not was.finished, f"{event.kind} raises run {entity.id} from the dead"
        for entity in event.puts:
            state.put(entity)
        for entity in event.deletes:
            state.delete(entity)


def check_begun(event: Event, attempt: Attempt, state: Snapshot, policy: Policy, rule: Rule) -> None:
    """An act begins: everything that allows it must stand in the same event, and in the state."""
    assert event.kind == "run.decided" and event.data["overall"] == "allow", "an act that nobody allowed"
    assert {v["verdict"] for v in event.data["verdicts"]} == {"allow"}, "an act against an objection"
    assert attempt.status is AttemptStatus.INTENT and attempt.intent_at == event.at
    assert state.find(Control, PAUSE) is None and event.data["facts"]["paused_by_file"] is None, (
        "an act while paused"
    )
    lock = state.find(Lock, attempt.service)
    assert lock is None or lock.run_id == attempt.run_id, "an act on a service that another run has"
    busy = {
        a.run_id
        for a in state.all(Attempt)
        if a.object_id == attempt.object_id and a.run_id != attempt.run_id and a.status in OPEN_ATTEMPTS
    }
    assert not busy, f"an act on {attempt.object_id}, on which the runs {busy} act already"
    run = state.get(Run, attempt.run_id)
    assert run.status in (RunStatus.PLANNING, RunStatus.HELD), f"an act out of {run.status}"
    assert run.cancel_requested is None, "an act of a run that somebody stopped"
    incident = state.get(Incident, run.incident_id)
    severity = min(incident.severity, rule.severity or incident.severity)
    of_severity = policy.severities[severity]
    modes = {policy.mode, rule.mode, of_severity.mode}
    assert Mode.SHADOW not in modes, "an act in shadow mode"
    if Mode.APPROVE in modes:
        check_approved(event, attempt, state, max(of_severity.people, 1))


def check_approved(event: Event, attempt: Attempt, state: Snapshot, people: int) -> None:
    plan = next(
        p for p in (*event.puts, *state.all(Plan)) if isinstance(p, Plan) and p.id == event.data["plan"]
    )
    granted = [
        a
        for a in state.all(Approval)
        if a.run_id == attempt.run_id
        and a.digest == plan.digest
        and a.status is ApprovalStatus.GRANTED
        and event.at < a.expires_at
    ]
    assert granted, "an act without an approval in force for exactly its plan"
    yes = {d.actor for d in state.all(ApprovalDecision) if d.approval_id == granted[-1].id and d.granted} - {
        "daemon",
        "alertmanager",
    }
    assert len(yes) >= people, f"an act that {len(yes)} people approved and {people} must"


def assert_plain(value: Any, where: str) -> None:
    """What goes into the record is JSON as it stands, with nothing that turns into something else."""
    if type(value) is dict:
        for key, inner in value.items():
            assert type(key) is str, f"{where}: the key {key!r}"
            assert_plain(inner, f"{where}.{key}")
    elif type(value) is list:
        for number, inner in enumerate(value):
            assert_plain(inner, f"{where}[{number}]")
    else:
        assert type(value) in PLAIN, f"{where}: {value!r} is not plain JSON"
