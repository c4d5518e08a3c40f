"""What was committed in a rehearsal, held against what its test expects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from remediator.model.plan import Plan
from remediator.model.run import Approval, Attempt, Incident, Run
from remediator.model.snapshot import Snapshot
from remediator.model.words import ApprovalStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from remediator.model.event import Event
    from remediator.model.rule import Rule
    from remediator.model.run import Message
    from remediator.rehearse.document import Expect, IncidentSeen, RunSeen


class Difference(NamedTuple):
    """One thing that is not as it was expected."""

    what: str
    expected: Any
    got: Any


@dataclass(slots=True)
class Record:
    """What the committed events of a rehearsal add up to."""

    events: list[Event] = field(default_factory=list)
    state: Snapshot = field(default_factory=Snapshot)
    severities: dict[int, str] = field(default_factory=dict)
    """By run: the severity that it was decided upon with last."""

    def follow(self, events: Sequence[Event]) -> None:
        """Hear of a commit."""
        for event in events:
            self.events.append(event)
            if "severity" in event.data and "run" in event.data:
                self.severities[event.data["run"]] = event.data["severity"]
            for entity in event.puts:
                self.state.put(entity)
            for entity in event.deletes:
                self.state.delete(entity)

    def objections(self) -> Iterator[tuple[str, str]]:
        """Each rule and guardrail that objected to something that the rule wanted."""
        for event in self.events:
            for verdict in event.data.get("verdicts", ()):
                if verdict["verdict"] != "allow":
                    yield event.data["rule"], verdict["guardrail"]


def differences(
    expect: Expect, record: Record, told: Sequence[Message], rules: Mapping[str, Rule]
) -> Iterator[Difference]:
    """Everything that is expected and is not so."""
    state = record.state
    if expect.run is not None:
        yield from _of_run(expect.run, record, rules)
    for rule in expect.no_run:
        found = [run for run in state.all(Run) if run.rule == rule]
        if found:
            yield Difference(f"runs of {rule}", "none", len(found))
    if expect.runs is not None:
        yield from _differ("runs", expect.runs, len(list(state.all(Run))))
    if expect.incident is not None:
        yield from _of_incident(expect.incident, state)
    if expect.acts is not None:
        yield from _differ("acts", expect.acts, len(list(state.all(Attempt))))
    if expect.told is not None:
        yield from _differ("told", list(expect.told), [message.kind for message in told])


def _of_run(expected: RunSeen, record: Record, rules: Mapping[str, Rule]) -> Iterator[Difference]:
    state = record.state
    runs = [r for r in state.all(Run) if r.rule == expected.rule and expected.service in (None, r.service)]
    name = f"run of {expected.rule}" + (f" on {expected.service}" if expected.service else "")
    if not runs:
        others = sorted({run.rule for run in state.all(Run)} - {expected.rule})
        yield Difference(name, "one", f"none (there are runs of {', '.join(others)})" if others else "none")
        return
    run = max(runs, key=lambda run: run.id)
    yield from _fields(name, expected, _shown(run, record, rules.get(run.rule)), {"rule", "service"})


def _shown(run: Run, record: Record, rule: Rule | None) -> dict[str, Any]:
    state = record.state
    plans = [plan for plan in state.all(Plan) if plan.run_id == run.id]
    plan = max(plans, key=lambda plan: plan.id, default=None)
    approvals = [a for a in state.all(Approval) if a.run_id == run.id]
    asked = next((a for a in approvals if a.status is ApprovalStatus.PENDING), None)
    looked = rule.triage if rule is not None and run.triaged else ()
    return {
        "status": run.status,
        "reason": run.reason if run.finished else run.hold_reason,
        "outcome": run.outcome,
        "severity": record.severities.get(run.id),
        "step": run.step + 1,
        "action": plan and plan.action,
        "params": plan and {name: value for name, value in plan.params.items() if value is not None},
        "acts": sum(attempt.run_id == run.id for attempt in state.all(Attempt)),
        "asked": asked and asked.reason,
        "people": asked and asked.needed,
        "triage": [{step.check: dict(step.params)} if step.params else step.check for step in looked],
    }


def _of_incident(expected: IncidentSeen, state: Snapshot) -> Iterator[Difference]:
    found = [i for i in state.all(Incident) if expected.service in (None, i.service)]
    name = "incident" + (f" of {expected.service}" if expected.service else "")
    if not found:
        yield Difference(name, "one", "none")
        return
    incident = max(found, key=lambda incident: incident.id)
    got = {name: getattr(incident, name) for name in ("status", "severity", "type")}
    yield from _fields(name, expected, got, {"service"})


def _fields(
    name: str, expected: BaseModel, got: Mapping[str, Any], asked_by: set[str]
) -> Iterator[Difference]:
    for key in type(expected).model_fields:
        if key in expected.model_fields_set - asked_by:
            yield from _differ(f"{name}: {key}", getattr(expected, key), got[key])


def _differ(what: str, expected: Any, got: Any) -> Iterator[Difference]:
    if _plain(expected) != _plain(got):
        yield Difference(what, _plain(expected), _plain(got))


def _plain(value: Any) -> Any:
    """A value as the file of tests could write it: the file gives text only where the type is open."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)
