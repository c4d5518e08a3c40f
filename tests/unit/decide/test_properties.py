"""Whatever comes in, in whatever order: nothing that was promised is broken, and everything ends.

A storm throws alerts, facts, reports, people and time at the decisions. What must always hold is
checked after each of them (see `invariants`). Then the storm is over, and every run has to come to its
end by the wakings, and the times to look again, that the decisions themselves have asked for.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediator.decide.asking import RefusalError
from remediator.decide.intake import RECONCILE, WEBHOOK
from remediator.decide.policy import Policy, SeverityPolicy
from remediator.model.rule import Budget, Guards
from remediator.model.run import Approval, Attempt, Incident, Lock, Run, Timer
from remediator.model.words import ApprovalStatus, IncidentStatus, Mode, Outcome, Reason, RunStatus, Severity
from remediator.model.world import ActFailed, Applied, NotApplied, ObjectChange, Unknown
from tests.unit.decide.case import Case, a_plan, a_rule, minutes, reloaded

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

RULES = (
    a_rule("auto", steps=3, guards=Guards(cooldown=minutes(5))),
    a_rule("p0", steps=2, severity=Severity.P0),
    a_rule("ask", steps=2, mode=Mode.APPROVE, severity=Severity.P2),
    a_rule("spare", severity=None, guards=Guards(budget=(Budget(count=2, window=minutes(60)),))),
)
TWO_PEOPLE = SeverityPolicy(mode=Mode.APPROVE, people=2)
POLICY = Policy(channels=("hook", "pager"), severities={**Policy().severities, Severity.P0: TWO_PEOPLE})
ALERTS = ("a1", "a2", "a3", "a4")
TWO = a_plan("web-1", "web-2")
OTHER_PLANS = (a_plan("web-1"), a_plan("web-1", "web-3"), a_plan())
OTHER_WORLDS: tuple[dict[str, Any], ...] = (
    {"draining": True},
    {"paused_by_file": "/run/pause"},
    {"changes_error": "timed out"},
    {"sightings": (), "confirmed_at": None},
    {"alert_api": False, "sightings": ()},
    {"alert_api": False, "sightings": (), "confirmed_at": None},
)


class Storm:
    """Everything that can come in; each method is one thing, its details drawn."""

    def __init__(self, data: st.DataObject) -> None:
        self.case = Case(*RULES, policy=POLICY)
        self._data = data
        self.begins()

    def draw(self, *values: T) -> T:
        return self._data.draw(st.sampled_from(values))

    def begins(self) -> None:
        """Several rules want the same service at once."""
        for fingerprint, rule in zip(ALERTS, self.case.rules, strict=True):
            self.case.fire(fingerprint, rule=rule)

    def rages(self) -> None:
        """One thing comes in. Most of them lead a run on, so that many get far."""
        self.draw(self.time_passes, *[self.a_run_moves] * 12, *[self.an_alert] * 2, self.people, self.late)()

    def time_passes(self) -> None:
        self.case.after(timedelta(seconds=self.draw(1, 30, 300)))

    def an_alert(self) -> None:
        case, fingerprint = self.case, self.draw(*ALERTS)
        match self.draw("fires", "fires", "fires", "ends", "is gone"):
            case "fires":
                rule, service = self.draw(*case.rules, None), self.draw("robo-rlhf", "robo-rlhf", "redis")
                began = case.now - timedelta(seconds=self.draw(0, 0, 3600))
                source = self.draw(WEBHOOK, RECONCILE)
                case.fire(fingerprint, rule=rule, service=service, starts_at=began, source=source)
            case "ends":
                case.resolve(fingerprint, ends_at=case.now - timedelta(seconds=self.draw(0, 0, 3600)))
            case "is gone":
                case.seen_gone(fingerprint)

    def a_run_moves(self) -> None:
        runs = [r for r in self.case.all(Run) if not r.finished]
        if not runs:
            return
        run = self.draw(*runs)
        match run.status:
            case RunStatus.PLANNING | RunStatus.HELD:
                other = self.draw(self.it_is_decided_upon, self.it_is_decided_upon, self.it_is_not_planned)
                self.draw(self.it_goes_on, self.it_goes_on, other)(run)
            case RunStatus.AWAITING_APPROVAL:
                self.draw(*[self.people_answer] * 4, self.nobody_answers)(run)
            case RunStatus.ACTING:
                self.it_has_acted(run)
            case RunStatus.PROBING:
                self.case.probe(self.draw(Applied(), NotApplied(), ActFailed(), Unknown()), run)
            case RunStatus.UNKNOWN:
                self.case.settle(applied=self.draw(True, False), run=run)
            case RunStatus.VERIFYING:
                outcome = self.draw(Outcome.SUCCEEDED, Outcome.FAILED, Outcome.FAILED, Outcome.INCONCLUSIVE)
                self.case.verdict(outcome, run, at=self.case.now - timedelta(seconds=self.draw(0, 2)))

    def it_goes_on(self, run: Run) -> None:
        self.case.decide(run, planned=TWO)

    def it_is_decided_upon(self, run: Run) -> None:
        case = self.case
        match self.draw("plan", "plan", "world", "world", "change", "sightings"):
            case "plan":
                stored = run.operation > 0 and self.draw(False, True)
                case.decide(run, planned=None if stored else self.draw(*OTHER_PLANS), stored=stored)
            case "world":
                case.decide(run, planned=TWO, **self.draw(*OTHER_WORLDS))
            case "sightings":
                state: Any = self.draw("absent", "muted", "unknown")
                prints = [e.fingerprint for e in case.firing(run)]
                sightings = tuple(replace(s, state=state) for s in case.gone(*prints)) if prints else ()
                case.decide(run, planned=TWO, sightings=sightings, confirmed_at=None)
            case "change":
                name, ago = self.draw("web-1", "web-2"), timedelta(seconds=self.draw(0, 599, 600))
                change = ObjectChange(
                    object_id=f"id-{name}", object_name=name, what="stop", at=case.now - ago
                )
                case.decide(run, planned=TWO, changes=(change,))

    def it_is_not_planned(self, run: Run) -> None:
        case = self.case
        absent = (self.it_has_no_target, self.it_has_no_target, case.lose_rule)
        self.draw(*[case.cannot_read] * 3, *[case.triage] * 3, *absent)(run)

    def it_has_no_target(self, run: Run) -> None:
        reason = self.draw(Reason.NO_TARGET, Reason.AMBIGUOUS_TARGET, Reason.NOT_ALLOWED)
        self.case.cannot_plan(run, reason, lasts=timedelta(seconds=self.draw(0, 61)))

    def people_answer(self, run: Run) -> None:
        (asked,) = [a for a in self.case.pending() if a.run_id == run.id]
        if self.draw(True, True, True, False):
            for actor in self.draw(("alice", "bob"), ("alice", "bob"), ("alice",), ("bob",)):
                self.refusable(lambda actor=actor: self.case.grant(actor, approval=asked.id))
        else:
            self.refusable(lambda: self.case.deny("bob", approval=asked.id))
        # Between the yes and the act all kinds of things can happen.
        self.draw(lambda: None, lambda: None, lambda: self.an_approval_runs_out(asked), self.an_alert)()

    def nobody_answers(self, run: Run) -> None:
        (asked,) = [a for a in self.case.pending() if a.run_id == run.id]
        self.an_approval_runs_out(asked)
        self.case.expire(asked.id)

    def an_approval_runs_out(self, asked: Approval) -> None:
        self.case.now = max(self.case.now, asked.expires_at)

    def it_has_acted(self, run: Run) -> None:
        if self.draw(False, False, True):
            self.refusable(lambda: self.case.cancel(run))
        if self.draw(False, False, False, True):
            self.case.restart_daemon(run)
        else:
            self.case.report(
                self.draw(Applied(), Applied(), ActFailed(result={"error": "no"}), Unknown()), run
            )

    def people(self) -> None:
        case = self.case
        match self.draw("edit", "start", "pause", "cancel", "answer"):
            case "edit":
                name = self.draw(*case.rules)
                severity, mode = self.draw(None, *Severity), self.draw(Mode.AUTO, *Mode)
                case.rules[name] = reloaded(case.rules[name], severity=severity, mode=mode)
            case "start":
                name, service = self.draw(*case.rules), self.draw("robo-rlhf", "robo-rlhf", "redis")
                self.refusable(lambda: case.start(name, service))
            case "pause":
                self.refusable(self.draw(case.pause, case.resume))
            case "cancel" if runs := case.all(Run):
                run = self.draw(*runs)
                self.refusable(lambda: case.cancel(run))
            case "answer" if asked := case.all(Approval):
                number, actor = self.draw(*asked).id, self.draw("alice", "bob")
                answer = self.draw(case.grant, case.deny)
                self.refusable(lambda: answer(actor, approval=number))

    def late(self) -> None:
        """What comes at the wrong moment, or twice, changes nothing."""
        case = self.case
        runs = [r for r in case.all(Run) if r.status not in (RunStatus.PLANNING, RunStatus.HELD)]
        for run in runs:
            mark = len(case.events)
            case.decide(run, planned=TWO)
            case.cannot_plan(run)
            case.cannot_read(run)
            if run.status not in (RunStatus.ACTING, RunStatus.PROBING):
                case.restart_daemon(run)
                if any(a.run_id == run.id for a in case.all(Attempt)):
                    case.report(Unknown(), run)
                    case.probe(Unknown(), run)
            if run.status is not RunStatus.VERIFYING:
                case.verdict(Outcome.FAILED, run)
            assert case.since(mark) == []

    def refusable(self, act: Callable[[], Any]) -> None:
        """A refusal changes nothing."""
        mark = len(self.case.events)
        try:
            act()
        except RefusalError:
            assert self.case.since(mark) == []


def come_to_rest(case: Case) -> None:
    """Drive every run as the engine does: when it is woken, or when it asked to be looked at again."""
    for _ in range(400):
        unfinished = [r for r in case.all(Run) if not r.finished]
        if not unfinished:
            return
        moved = [drive(case, case.again(run)) for run in unfinished]
        if any(moved):
            continue
        times = [at for r in unfinished if (at := case.look_at.get(r.id)) and at > case.now]
        assert times, f"these wait for ever: {[(r.id, r.status, r.hold_reason) for r in unfinished]}"
        case.now = min(times)
    raise AssertionError(f"no end of it: {[r for r in case.all(Run) if not r.finished]}")


def drive(case: Case, run: Run) -> bool:
    """One step of one run, where all goes well; False if it has to wait."""
    match run.status:
        case RunStatus.PLANNING:
            case.decide(run, planned=TWO)
        case RunStatus.HELD:
            at = case.look_at[run.id]
            if at is None or at > case.now:
                return False
            case.decide(run, planned=TWO)
        case RunStatus.AWAITING_APPROVAL:
            all_say_yes(case, run)
        case RunStatus.ACTING:
            case.report(Applied(), run)
        case RunStatus.PROBING:
            case.probe(Applied(), run)
        case RunStatus.UNKNOWN:
            case.settle(applied=True, run=run)
        case RunStatus.VERIFYING:
            case.verdict(Outcome.SUCCEEDED, run)
        case RunStatus.FINISHED:
            pass
    return True


def all_say_yes(case: Case, run: Run) -> None:
    (asked,) = [a for a in case.pending() if a.run_id == run.id]
    if asked.expires_at <= case.now:
        case.expire(asked.id)
        return
    for actor in ("carol", "dave"):
        if case.snapshot.get(Approval, asked.id).status is ApprovalStatus.PENDING:
            case.grant(actor, approval=asked.id)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_comes_in_no_promise_is_broken_and_everything_ends(data: st.DataObject) -> None:
    storm = Storm(data)
    for _ in range(60):
        storm.rages()
    case = storm.case
    if case.paused():
        case.resume()
    come_to_rest(case)
    assert case.all(Lock) == case.all(Timer) == []
    for fingerprint in ALERTS:
        case.seen_gone(fingerprint)
    assert {i.status for i in case.all(Incident)} <= {IncidentStatus.RESOLVED}
