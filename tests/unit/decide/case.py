"""A daemon without a world: the decisions alone, over a snapshot in memory and under a clock set by hand.

A test tells what comes in and looks at what was decided. After each decision everything that must
always hold is checked too (`invariants`), so each test of one case is also a test of all of those.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from remediator.decide import acting, asking, outcomes, people
from remediator.decide.draft import DAEMON, Draft
from remediator.decide.facts import Records, WorldFacts
from remediator.decide.intake import WEBHOOK, close_episodes, take_in
from remediator.decide.policy import Policy
from remediator.decide.verify import Assessment, Progress
from remediator.model.alert import Alert, Episode, Sighting
from remediator.model.plan import OperationSpec, PlanSpec
from remediator.model.rule import Rule, Step
from remediator.model.run import (
    Approval,
    Attempt,
    Control,
    Incident,
    Lock,
    Message,
    Run,
)
from remediator.model.snapshot import KEYS, Snapshot
from remediator.model.verdict import Hold
from remediator.model.words import (
    AT_WORK,
    ApprovalStatus,
    AttemptStatus,
    IncidentType,
    Json,
    Outcome,
    Reason,
    Severity,
)
from remediator.model.world import Applied, TargetError
from tests.unit.decide.invariants import check_events, check_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remediator.decide.guardrails import Judgement
    from remediator.model.event import Event
    from remediator.model.world import ApplyResult, ObjectChange, ProbeResult

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

SERVICE = "robo-rlhf"


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def a_rule(name: str = "app-down", *, steps: int = 1, **changes: Any) -> Rule:
    """A P1 rule of so many rungs; `changes` are fields of Rule."""
    fields: dict[str, Any] = {
        "name": name,
        "group": "tests",
        "version": f"{name}-v1",
        "source": "rules.yml:3",
        "severity": Severity.P1,
        "type": IncidentType.SERVICE_OUTAGE,
        "steps": tuple(Step(action=f"restart-{number}") for number in range(steps)),
        **changes,
    }
    return Rule(**fields)


def a_plan(*objects: str, action: str = "restart", **changes: Any) -> PlanSpec:
    """A plan of one operation on each of these objects."""
    operations = tuple(
        OperationSpec(
            kind="container.restart", object_id=f"id-{name}", object_name=name, before={"started_at": "then"}
        )
        for name in objects
    )
    fields: dict[str, Any] = {
        "action": action,
        "params": {},
        "operations": operations,
        "summary": f"{action} {', '.join(objects)}",
        **changes,
    }
    return PlanSpec(**fields)


class Case:
    """The state, and the verbs by which things come in."""

    def __init__(self, *rules: Rule, policy: Policy | None = None) -> None:
        self.rules = {rule.name: rule for rule in (rules or (a_rule(),))}
        self.policy = policy or Policy(channels=("hook", "pager"))
        self.snapshot = Snapshot()
        self.folded = Snapshot()
        """The state as it comes out of the events alone."""
        self.now = NOON
        self.events: list[Event] = []
        self.look_at: dict[int, datetime | None] = {}
        """When a held run is to be looked at again, as its last decision said."""

    # What comes in

    def after(self, length: timedelta) -> Case:
        self.now += length
        return self

    def fire(
        self,
        fingerprint: str = "a1",
        *,
        rule: str | None = "app-down",
        starts_at: datetime | None = None,
        source: str = WEBHOOK,
        seen_at: datetime | None = None,
        service: str | None = SERVICE,
        **labels: str,
    ) -> str:
        """By webhook, or by the API, which was asked now or at `seen_at`."""
        seen_at = seen_at if source == WEBHOOK else seen_at or self.now
        return self._take_in(fingerprint, "firing", rule, starts_at, None, seen_at, service, labels)

    def resolve(
        self,
        fingerprint: str = "a1",
        *,
        ends_at: datetime | None = None,
        starts_at: datetime | None = None,
    ) -> str:
        """By default the end of the alert's latest episode."""
        known = [e.starts_at for e in self.all(Episode) if e.fingerprint == fingerprint]
        began = starts_at or max(known, default=self.now)
        return self._take_in(fingerprint, "resolved", None, began, ends_at or self.now, None, SERVICE, {})

    def lose(self, fingerprint: str = "a1") -> None:
        """Nobody has told of this alert for too long, and there is no API to ask."""
        with self.deciding() as draft:
            lost = [e for e in draft.snapshot.all(Episode) if e.fingerprint == fingerprint and e.firing]
            close_episodes(draft, [(e, e.opened_at) for e in lost], self.policy, by="lost")

    def seen_gone(self, fingerprint: str = "a1") -> None:
        """The reconciler finds Alertmanager without this alert."""
        with self.deciding() as draft:
            gone = [e for e in draft.snapshot.all(Episode) if e.fingerprint == fingerprint and e.firing]
            close_episodes(draft, [(e, self.now) for e in gone], self.policy, by="reconcile")

    def _take_in(
        self,
        fingerprint: str,
        status: str,
        rule: str | None,
        starts_at: datetime | None,
        ends_at: datetime | None,
        seen_at: datetime | None,
        service: str | None,
        labels: dict[str, str],
    ) -> str:
        alert = Alert.model_validate(
            {
                "status": status,
                "labels": {
                    "alertname": "ApplicationDown",
                    **({"service": service} if service else {}),
                    **labels,
                },
                "startsAt": starts_at or self.now,
                "fingerprint": fingerprint,
                **({"endsAt": ends_at} if ends_at else {}),
            }
        )
        with self.deciding("alertmanager") as draft:
            return take_in(draft, alert, self.rules.get(rule or ""), self.policy, seen_at=seen_at)

    def facts(self, run: Run, **changes: Any) -> WorldFacts:
        """A world in order: the alert fires, all can be read, nobody touched anything."""
        firing = [e.fingerprint for e in self.firing(run)]
        sightings = tuple(Sighting(fingerprint=f, state="firing", at=self.now) for f in firing)
        fields: dict[str, Any] = {
            "read_at": self.now,
            "alert_api": True,
            "sightings": () if run.by_hand else sightings,
            "confirmed_at": self.now if firing else None,
            **changes,
        }
        return WorldFacts(**fields)

    def gone(self, *fingerprints: str) -> tuple[Sighting, ...]:
        return tuple(Sighting(fingerprint=f, state="absent", at=self.now) for f in fingerprints or ("a1",))

    def decide(
        self,
        run: Run | None = None,
        planned: PlanSpec | None = None,
        *,
        stored: bool = False,
        changes: tuple[ObjectChange, ...] = (),
        **facts: Any,
    ) -> Judgement | None:
        """Plan and decide. `stored`: go on with the stored plan; `facts` are fields of WorldFacts."""
        run = self.run if run is None else self.again(run)
        rule = self.rules[run.rule]
        if not stored and planned is None:
            planned = a_plan("web-1", action=f"restart-{run.step}")
        world = self.facts(run, changes=changes, **facts)
        history = [a for a in self.all(Attempt) if a.service == run.service]
        since = self.now - self.policy.horizon(rule.guards)
        history = [a for a in history if a.intent_at >= since]
        records = Records(history=history, elsewhere=self.elsewhere(run, planned))
        with self.deciding() as draft:
            judgement = acting.decide(draft, run, rule, self.policy, world, records, planned)
        if judgement is not None and isinstance(judgement.overall, Hold):
            self.look_at[run.id] = judgement.overall.until
        return judgement

    def elsewhere(self, run: Run, planned: PlanSpec | None) -> list[Attempt]:
        """What the store finds of other runs at work on the plan's objects."""
        if planned is None:
            return []
        objects = {o.object_id for o in planned.operations}
        at_work = {r.id for r in self.all(Run) if r.status in AT_WORK and r.id != run.id}
        return [
            a
            for a in self.all(Attempt)
            if a.run_id in at_work and a.object_id in objects and a.status is not AttemptStatus.NOT_APPLIED
        ]

    def cannot_plan(
        self,
        run: Run | None = None,
        reason: Reason = Reason.NO_TARGET,
        detail: str = "no such thing",
        *,
        lasts: timedelta = timedelta(0),
        lasting: bool = False,
    ) -> None:
        """The target is not there, and has not been for so long."""
        run = self.again(run or self.run)
        with self.deciding() as draft:
            error = TargetError(reason, detail, lasting=lasting)
            hold = acting.plan_failed(draft, run, self.policy, error, self.now - lasts)
        self.look_at[run.id] = hold.until if hold else None

    def cannot_read(self, run: Run | None = None, detail: str = "the engine is down") -> Hold:
        run = self.again(run or self.run)
        with self.deciding() as draft:
            hold = acting.plan_unreadable(draft, run, self.policy, detail)
        self.look_at[run.id] = hold.until
        return hold

    def triage(self, run: Run | None = None, *evidence: Json) -> Run:
        with self.deciding() as draft:
            return acting.triaged(draft, self.again(run or self.run), evidence)

    def lose_rule(self, run: Run | None = None) -> None:
        with self.deciding() as draft:
            acting.rule_gone(draft, self.again(run or self.run), self.policy)

    def report(self, result: ApplyResult | None = None, run: Run | None = None) -> None:
        """The act under way ended so; well, unless told otherwise."""
        run = self.again(run or self.run)
        with self.deciding() as draft:
            outcomes.act_ended(
                draft, run, self.attempt(run), self.rules[run.rule], self.policy, result or Applied(), 1.5
            )

    def restart_daemon(self, run: Run | None = None) -> None:
        with self.deciding() as draft:
            outcomes.interrupted(draft, self.again(run or self.run))

    def probe(self, result: ProbeResult, run: Run | None = None) -> None:
        run = self.again(run or self.run)
        with self.deciding() as draft:
            outcomes.probed(draft, run, self.attempt(run), self.rules[run.rule], self.policy, result)

    def verdict(
        self,
        outcome: Outcome = Outcome.SUCCEEDED,
        run: Run | None = None,
        reason: Reason | None = None,
        at: datetime | None = None,
    ) -> None:
        """The looks after the act, the last of them `at`, have come to this."""
        run = self.again(run or self.run)
        reasons = {Outcome.SUCCEEDED: Reason.VERIFIED, Outcome.FAILED: Reason.STILL_FIRING}
        found = Assessment(
            progress=Progress(),
            at=at or self.now,
            outcome=outcome,
            reason=reason or reasons.get(outcome, Reason.CANNOT_TELL),
        )
        with self.deciding() as draft:
            outcomes.verified(draft, run, self.rules[run.rule], self.policy, found)

    def grant(self, actor: str = "alice", *, digest: str | None = None, approval: int | None = None) -> None:
        with self.deciding(actor) as draft:
            asking.grant(draft, self._approval(approval), reason="go", digest=digest)

    def deny(self, actor: str = "bob", *, approval: int | None = None) -> None:
        with self.deciding(actor) as draft:
            asking.deny(draft, self._approval(approval), self.policy, reason="not now")

    def expire(self, approval: int | None = None) -> None:
        with self.deciding() as draft:
            asking.expire(draft, self._approval(approval), self.policy)

    def start(self, rule: str = "app-down", service: str = SERVICE, actor: str = "alice") -> Run:
        with self.deciding(actor) as draft:
            return people.start_run(draft, self.rules[rule], service, why="to be sure")

    def cancel(self, run: Run | None = None, actor: str = "alice") -> None:
        with self.deciding(actor) as draft:
            people.cancel(draft, self.again(run or self.run), self.policy, why="enough")

    def settle(self, *, applied: bool, run: Run | None = None, actor: str = "alice") -> None:
        run = self.again(run or self.run)
        with self.deciding(actor) as draft:
            rule = self.rules[run.rule]
            people.settle(draft, run, rule, self.policy, was_applied=applied, why="I looked")

    def pause(self, actor: str = "alice") -> None:
        with self.deciding(actor) as draft:
            people.pause(draft, why="deploy")

    def resume(self, actor: str = "bob") -> None:
        with self.deciding(actor) as draft:
            people.resume(draft, why="done")

    # What was decided

    @property
    def run(self) -> Run:
        """The newest run."""
        return max(self.all(Run), key=lambda r: r.id)

    @property
    def incident(self) -> Incident:
        """The newest incident."""
        return max(self.all(Incident), key=lambda i: i.id)

    @property
    def approval(self) -> Approval:
        """The newest question."""
        return max(self.all(Approval), key=lambda a: a.id)

    @property
    def lock(self) -> Lock | None:
        return self.snapshot.find(Lock, SERVICE)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def all(self, kind: type[Any]) -> list[Any]:
        return list(self.snapshot.all(kind))

    def again(self, run: Run) -> Run:
        """The run as it is now."""
        return self.snapshot.get(Run, run.id)

    def attempt(self, run: Run | None = None) -> Attempt:
        """The newest attempt of a run."""
        run = run or self.run
        return max((a for a in self.all(Attempt) if a.run_id == run.id), key=lambda a: a.id)

    def firing(self, run: Run) -> list[Episode]:
        return [
            e
            for e in self.all(Episode)
            if e.firing and e.incident_id == run.incident_id and e.rule == run.rule
        ]

    def told(self, kind: str | None = None) -> list[Message]:
        """The messages to the first channel, of one kind or all."""
        messages = [m for m in self.all(Message) if m.channel == "hook"]
        return [m for m in messages if kind is None or m.kind == kind]

    def since(self, mark: int) -> list[str]:
        return [event.kind for event in self.events[mark:]]

    def paused(self) -> bool:
        return bool(self.all(Control))

    def pending(self) -> list[Approval]:
        return [a for a in self.all(Approval) if a.status is ApprovalStatus.PENDING]

    def under_way(self) -> list[Attempt]:
        return [a for a in self.all(Attempt) if a.status is AttemptStatus.INTENT]

    def _approval(self, number: int | None) -> Approval:
        return self.approval if number is None else self.snapshot.get(Approval, number)

    @contextmanager
    def deciding(self, actor: str = DAEMON) -> Iterator[Draft]:
        """One transaction: what it drafts is checked and kept, or nothing is if it refuses."""
        before = Snapshot(entity for kind in KEYS for entity in self.snapshot.all(kind))
        draft = Draft(self.snapshot, self.now, actor=actor)
        try:
            yield draft
        except BaseException:
            self.snapshot = before
            raise
        check_events(draft.events, before, self.policy, self.rules)
        self.events += draft.events
        for event in draft.events:
            for entity in event.puts:
                self.folded.put(entity)
            for entity in event.deletes:
                self.folded.delete(entity)
        check_state(self.snapshot, self.folded, self.events)


def reloaded(rule: Rule, **changes: Any) -> Rule:
    """The rule after somebody has edited its file."""
    return replace(rule, version=f"{rule.version}+", **changes)
