"""What the daemon's own store tells of the past: what arrived, and the facts that each decision stored."""

from __future__ import annotations

import bisect
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from remediator.decide.guardrails.changed_by_others import SLACK
from remediator.history.trails import Trail, Trails
from remediator.model.alert import Episode
from remediator.model.plan import Operation, OperationSpec, Plan, PlanSpec
from remediator.model.run import Approval, Attempt, Run
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import AttemptStatus, Outcome, Reason
from remediator.model.world import ObjectChange, TargetError, WorldError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from remediator.model.event import Event
    from remediator.store.journal import Journal

NEAR = timedelta(minutes=1)
"""What was asked of the same service within this of each other is the same question: in a replay no time
passes between an alert and what is decided about it, and in the past some did."""

BEFORE = timedelta(seconds=5)
"""How long before it was told something had been so."""
OPENED = "opened"
SHORTLY = timedelta(seconds=1)
"""How long before a decision, at most, what it found came about that nothing else tells of."""
LATEST = datetime.max.replace(tzinfo=UTC)

UNPLANNED = frozenset(
    {
        Reason.TARGET_UNCLEAR,
        Reason.NO_TARGET,
        Reason.AMBIGUOUS_TARGET,
        Reason.NOT_ALLOWED,
        Reason.OWN_CONTAINER,
        Reason.INVALID_PARAMS,
    }
)


class Planned(NamedTuple):
    """What planning came to."""

    at: datetime
    action: str | None
    """None: whatever was planned."""
    result: PlanSpec | TargetError | WorldError


class Window(NamedTuple):
    """A time at which something was so; the end is not part of it."""

    begin: datetime
    end: datetime
    what: str


class Said(NamedTuple):
    """What a person did."""

    what: str
    """`granted`, `denied`, `start`, `cancel`, `settle`, `pause`, `resume`; of a pause file `on`, `off`."""
    actor: str
    why: str
    run: Run | None = None
    applied: bool = False


class Moment(NamedTuple):
    """An entry of the record that a replay lives through again."""

    at: datetime
    what: Episode | Said


@dataclass(slots=True)
class Record:
    """The past of one store."""

    trails: Trails = field(default_factory=Trails)
    moments: list[Moment] = field(default_factory=list)
    """Beginnings and ends of episodes, and what people did, in order."""
    planned: dict[str, list[Planned]] = field(default_factory=lambda: defaultdict(list))
    attempts: dict[tuple[str, str, str], list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    """By service, action and object."""
    decided: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """When facts were read of a service."""
    changes: dict[str, list[ObjectChange]] = field(default_factory=lambda: defaultdict(list))
    """By others, by service."""
    unreadable: dict[str, list[Window]] = field(default_factory=lambda: defaultdict(list))
    """Times at which changes could not be read, by service."""
    alerts: dict[str, list[Window]] = field(default_factory=lambda: defaultdict(list))
    """Times at which Alertmanager said of an alert what its notifications do not tell, by fingerprint."""
    ill: dict[str, list[Window]] = field(default_factory=lambda: defaultdict(list))
    """Times at which a service was not well, by service."""
    verified: dict[tuple[str, str], list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """When a service began to be verified after an act of this action."""
    answers: dict[str, list[tuple[datetime, bool]]] = field(default_factory=lambda: defaultdict(list))
    """Whether an expression held, by its text."""
    api: bool = True
    """Whether Alertmanager could be asked."""
    begin: datetime | None = None
    end: datetime | None = None

    def plan(self, service: str, action: str, now: datetime) -> Planned | None:
        """What planning this came to at that time: what is nearest, or else what was last known."""
        known = [entry for entry in self.planned[service] if entry.action in (action, None)]
        near = [entry for entry in known if abs(entry.at - now) <= NEAR]
        if near:
            return min(near, key=lambda entry: abs(entry.at - now))
        before = [entry for entry in known if entry.at < now and isinstance(entry.result, PlanSpec)]
        return before[-1] if before else None

    def has_facts(self, service: str, now: datetime) -> bool:
        """Whether facts about this service were read at that time."""
        times = self.decided[service]
        place = bisect.bisect_left(times, now - NEAR)
        return place < len(times) and times[place] <= now + NEAR

    def held(self, promql: str, now: datetime) -> bool | None:
        """Whether an expression held at that time; None if nobody asked."""
        near = [answer for answer in self.answers.get(promql, ()) if abs(answer[0] - now) <= NEAR]
        return min(near, key=lambda answer: abs(answer[0] - now))[1] if near else None

    def answered(self, asked: Approval, trail: Trail) -> bool:
        """Whether people answered this question then; `trail` is of the run that asks it."""
        return any(
            isinstance(said, Said)
            and said.what in ("granted", "denied")
            and said.run is not None
            and self.trails.runs[said.run.id].is_like(trail)
            and asked.requested_at - NEAR <= at <= asked.expires_at
            for at, said in self.moments
        )

    def said_of(self, mark: str, now: datetime) -> str | None:
        """What Alertmanager said of an alert at that time, if that is known."""
        return next((w.what for w in self.alerts.get(mark, ()) if w.begin <= now < w.end), None)


def read_record(journal: Journal, stays: dict[tuple[str, int], timedelta]) -> Record:
    """Everything that the decisions stored. `stays`: how long a rule's step wants all to stay well."""
    reader = _Reader(stays)
    for event in journal.events():
        reader.take(event)
    return reader.finished()


class _Reader:
    """Reads events in order, and remembers what is still to be put together."""

    def __init__(self, stays: dict[tuple[str, int], timedelta]) -> None:
        self._record = Record()
        self._stays = stays
        self._plans: dict[int, Plan] = {}
        self._operations: dict[int, Operation] = {}
        self._of_plan: dict[int, list[Operation]] = defaultdict(list)
        self._attempts: dict[int, Attempt] = {}
        self._runs: dict[int, Run] = {}
        self._marks: dict[tuple[int, str], set[str]] = defaultdict(set)
        self._seen: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        self._verifying: dict[int, datetime] = {}
        self._paused_by_file = False
        self._changes_error: dict[str, tuple[datetime, str]] = {}

    def take(self, event: Event) -> None:
        record = self._record
        record.begin, record.end = record.begin or event.at, event.at
        record.trails.observe([event])
        for entity in event.puts:
            self._keep(entity, event)
        run = self._runs.get(event.data.get("run", 0))
        if run is not None and run.undoes is not None:
            return  # other rules would not have left the same to take back
        self._people(event, run)
        if run is None:
            return
        if "facts" in event.data:
            self._facts(event, run)
        elif event.kind == "run.held":
            self._no_plan(event, run, lasting=False)
        elif event.kind == "run.finished" and event.data["outcome"] == Outcome.DENIED.value:
            self._no_plan(event, run, lasting=True)
        if event.kind == "run.verifying":
            self._verifying[run.id] = event.at
        elif event.kind in ("run.finished", "run.next_step") and run.id in self._verifying:
            self._verified(event, run, self._verifying.pop(run.id))

    def _keep(self, entity: Any, event: Event) -> None:
        match entity:
            case Plan():
                self._plans[entity.id] = entity
            case Operation():
                self._operations[entity.id] = entity
                self._of_plan[entity.plan_id].append(entity)
            case Attempt():
                self._attempts[entity.id] = entity
            case Run():
                self._runs[entity.id] = entity
            case Episode() if entity.incident_id is not None:
                if entity.rule is not None:
                    self._marks[entity.incident_id, entity.rule].add(entity.fingerprint)
                self._record.moments.append(Moment(event.at, entity))
                self._seen[entity.fingerprint].append((event.at, OPENED if entity.firing else ""))

    def _people(self, event: Event, run: Run | None) -> None:
        data, why = event.data, str(event.data.get("why") or "")
        said: Said | None = None
        match event.kind:
            case "approval.decided":
                said = Said("granted" if data["granted"] else "denied", event.actor, why or "replayed", run)
            case "run.proposed" if run is not None and run.by_hand:
                said = Said("start", event.actor, why, run)
            case "run.cancel_requested":
                said = Said("cancel", event.actor, why, run)
            case "run.finished" if data["reason"] == Reason.CANCELLED_BY_PERSON.value:
                said = Said("cancel", event.actor, why, run)
            case "attempt.applied" | "attempt.not_applied" if "settled_by" in (data.get("result") or {}):
                said = Said("settle", event.actor, why, run, event.kind == "attempt.applied")
            case "pause.on":
                said = Said("pause", event.actor, why or "replayed")
            case "pause.off":
                said = Said("resume", event.actor, why)
        if said is not None:
            self._record.moments.append(Moment(event.at, said))

    def _facts(self, event: Event, run: Run) -> None:
        record, facts = self._record, event.data["facts"]
        record.api = record.api and bool(facts["alert_api"])
        record.decided[run.service].append(event.at)
        if (answer := facts.get("answer")) is not None and answer["error"] is None:
            record.answers[answer["promql"]].append((event.at, answer["met"]))
        plan = self._plans[event.data["plan"]]
        operations = sorted(self._of_plan[plan.id], key=lambda o: o.number)
        planned = PlanSpec(
            action=plan.action,
            params=plan.params,
            operations=tuple(map(_spec, operations)),
            summary=plan.summary,
        )
        record.planned[run.service].append(Planned(event.at, plan.action, planned))
        for told in facts["changes"]:
            at = told["at"] and datetime.fromisoformat(told["at"])
            change = ObjectChange(**{**told, "at": at or event.at})
            if change not in record.changes[run.service]:
                record.changes[run.service].append(change)
        for told in facts["alerts"]:
            self._seen[told["fingerprint"]].append((event.at, told["state"]))
        by_file = facts["paused_by_file"] is not None
        if by_file is not self._paused_by_file:
            self._paused_by_file = by_file
            said = Said("on" if by_file else "off", "", "")
            record.moments.append(Moment(event.at - SHORTLY, said))
        before = self._changes_error.pop(run.service, None)
        if before is not None:
            record.unreadable[run.service].append(Window(before[0] - BEFORE, event.at, before[1]))
        if facts["changes_error"] is not None:
            self._changes_error[run.service] = event.at, facts["changes_error"]

    def _no_plan(self, event: Event, run: Run, *, lasting: bool) -> None:
        reason, detail = Reason(event.data["reason"]), event.data["detail"]
        if reason in UNPLANNED:
            # What was unclear for a moment is told so by the replay, too.
            real = Reason.NO_TARGET if reason is Reason.TARGET_UNCLEAR else reason
            error = TargetError(real, detail, lasting=lasting)
            self._record.planned[run.service].append(Planned(event.at, None, error))
        elif reason is Reason.WORLD_UNREADABLE:
            self._record.planned[run.service].append(Planned(event.at, None, WorldError(detail)))

    def _verified(self, event: Event, run: Run, begun: datetime) -> None:
        record, over, reason = self._record, event.at, Reason(event.data["reason"])
        plan = self._plans.get(run.plan_id or 0)
        if plan is not None:
            record.verified[run.service, plan.action].append(begun)
        step = run.step - 1 if event.kind == "run.next_step" else run.step
        stays = self._stays.get((run.rule, step), timedelta(0))
        until, since = over + SHORTLY, begun - BEFORE  # the replay may be there a little sooner
        windows: list[Window] = []
        match reason:
            case Reason.VERIFIED:
                windows = [Window(max(begun, over - stays - SHORTLY), until, "absent")]
            case Reason.UNHEALTHY:
                windows = [Window(since, until, "absent")]
            case Reason.CANNOT_TELL | Reason.CANCELLED_BY_PERSON:
                windows = [Window(since, until, "unknown")]
        if reason in (Reason.UNHEALTHY, Reason.CANCELLED_BY_PERSON):  # which was not verified by then
            record.ill[run.service].append(windows[0])
        for mark in self._marks[run.incident_id, run.rule]:
            record.alerts[mark] += windows

    def finished(self) -> Record:
        """What is only known at the end."""
        record = self._record
        record.moments.sort(key=lambda moment: moment.at)
        for service, (at, error) in self._changes_error.items():
            record.unreadable[service].append(Window(at - BEFORE, at + NEAR, error))
        for attempt in self._attempts.values():
            operation = self._operations[attempt.operation_id]
            action = self._plans[operation.plan_id].action
            record.attempts[attempt.service, action, attempt.object_id].append(attempt)
        for service, changes in record.changes.items():
            ours = [a for a in self._attempts.values() if a.service == service]
            record.changes[service] = sorted(
                (change for change in changes if not _explained(change, ours)),
                key=lambda change: change.at or LATEST,
            )
        for mark, seen in self._seen.items():
            opened = [at for at, state in seen if state == OPENED]
            record.alerts[mark] = [_until_it_fires(window, opened) for window in record.alerts[mark]]
            for (at, state), (until, _) in zip(seen, [*seen[1:], (seen[-1][0] + NEAR, "")], strict=True):
                if state in ("muted", "unknown"):
                    record.alerts[mark].append(Window(at, until, state))
        return record


def _until_it_fires(window: Window, opened: Iterable[datetime]) -> Window:
    """What was seen of an alert is not so of the next time that it fires; a replay hears of that sooner."""
    fires = min((at for at in opened if window.begin < at < window.end), default=window.end)
    return window if fires == window.end else window._replace(end=window.end - SHORTLY)


def _explained(change: ObjectChange, attempts: Iterable[Attempt]) -> bool:
    return change.at is not None and any(
        a.status is not AttemptStatus.NOT_APPLIED
        and a.intent_at - SLACK <= change.at <= (a.ended_at or a.deadline) + SLACK
        for a in attempts
    )


def _spec(operation: Operation) -> OperationSpec:
    return OperationSpec(
        kind=operation.kind,
        object_id=operation.object_id,
        object_name=operation.object_name,
        change=operation.change,
        before=operation.before,
        timeout=timedelta(seconds=operation.timeout),
    )


def fitted(known: PlanSpec, fresh: PlanSpec) -> PlanSpec:
    """A plan with other parameters, for the objects that are known to have been there."""
    model = fresh.operations[0]
    operations = [replace(o, change=model.change, timeout=model.timeout) for o in known.operations]
    return replace(fresh, operations=tuple(operations), summary=known.summary)


def with_known(services: Mapping[str, Service], record: Record) -> dict[str, Service]:
    """The catalogue, and what the record knows to have been found by its name alone."""
    found = dict(services)
    for name, planned in record.planned.items():
        if name not in found and any(isinstance(entry.result, PlanSpec) for entry in planned):
            found[name] = Service(name=name, target=Target(kind=TargetKind.CONTAINER, name=name))
    return found
