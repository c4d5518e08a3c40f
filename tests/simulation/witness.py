"""The witness sees every commit and every act, and holds both against what was promised.

It knows the daemon's state only from the committed events, as an auditor would. A broken promise is
noted when it happens and raised by `testify`, because nothing can be raised out of a commit's listener.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING

from remediator.model.alert import Episode
from remediator.model.run import UNDO_STEP, Approval, Attempt, Incident, Lock, Message, Run
from remediator.model.snapshot import Snapshot
from remediator.model.words import ApprovalStatus, AttemptStatus, Outcome, RunStatus
from tests.unit.decide.invariants import HAVE_LOCK, OPEN_ATTEMPTS, check_begun

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from remediator.clock import Clock
    from remediator.engine.setup import Setup
    from remediator.model.event import Event
    from remediator.model.rule import Budget, Rule


SHOWN = (
    *("run", "rule", "step", "attempt", "approval", "overall", "reason", "detail", "until", "outcome"),
    *("why", "result", "what", "tries"),
)
"""What is told of an event in a line."""


class Witness:
    """All that happened, and what was wrong with it."""

    def __init__(self, clock: Clock, setup: Setup) -> None:
        self.setup = setup
        """As it is in force now."""
        self.state = Snapshot()
        """What the committed events add up to."""
        self.events: list[Event] = []
        self.requests: dict[int, str] = {}
        """What the world was asked to do: number of the attempt -> object."""
        self._clock = clock
        self._broken: list[str] = []
        self._read: set[int] = set()
        """Notifications that are decided about."""
        self._attempts: dict[int, dict[int, Attempt]] = defaultdict(dict)
        """By run."""
        self._acts: dict[str, dict[int, Attempt]] = defaultdict(dict)
        """By service."""
        self._open: dict[int, Attempt] = {}
        self._alive: dict[tuple[int, str], set[int]] = defaultdict(set)
        """By incident and rule; without those that take others back."""

    def committed(self, events: Sequence[Event]) -> None:
        """Hear of a commit."""
        try:
            for event in events:
                self._check(event)
                self._follow(event)
            for event in events:
                for entity in event.puts:
                    if isinstance(entity, Run):
                        self._check_run(self.state.get(Run, entity.id))
                    elif isinstance(entity, Episode):
                        self._check_episode(self.state.get(Episode, entity.id))
        except AssertionError as error:
            self._note(f"{error} (commit of {', '.join(event.kind for event in events)})")
        self.events += events

    def asked_to_act(self, object_id: str, number: int | None = None) -> None:
        """The world is asked to change an object, for an attempt if it is told for which."""
        intents = [a for a in self._open.values() if object_id in (a.object_id, "") or a.id == number]
        if len(intents) != 1:
            self._note(f"an act on {object_id[:12]} with {len(intents)} committed intents")
            return
        attempt = intents[0]
        run = self.state.get(Run, attempt.run_id)
        if attempt.id in self.requests:
            self._note(f"attempt {attempt.id} acts twice")
        if run.status is not RunStatus.ACTING:
            self._note(f"run {run.id} acts while it is {run.status}")
        if self._clock.now() > attempt.deadline:
            self._note(f"attempt {attempt.id} acts after its deadline")
        self.requests[attempt.id] = object_id

    def testify(self) -> None:
        """AssertionError if anything was wrong so far."""
        assert not self._broken, "\n".join(self._broken)

    def tell(self, last: int = 40) -> str:
        """The last events as people read a record, for a test that fails."""
        return "\n".join(told(event) for event in self.events[-last:])

    def _note(self, what: str) -> None:
        self._broken.append(f"{self._clock.now():%H:%M:%S} {what}")

    def _check(self, event: Event) -> None:
        if event.kind == "notification.taken_in":
            number = event.data["notification"]
            assert number not in self._read, f"notification {number} is decided about twice"
            self._read.add(number)
        for entity in event.puts:
            if isinstance(entity, Attempt) and self.state.find(Attempt, entity.id) is None:
                rule = self._rule(entity.rule)
                check_begun(event, entity, self.state, self.setup.policy, rule)
                if entity.step != UNDO_STEP:
                    self._check_limits(entity, rule)
                self._check_alert(entity)
            elif isinstance(entity, Run):
                was = self.state.find(Run, entity.id)
                assert was is None or not was.finished, f"{event.kind} raises run {entity.id} from the dead"
            elif isinstance(entity, Message):
                before = self.state.find(Message, entity.id)
                assert before is None or before.status == "waiting", "a message is touched after its end"

    def _rule(self, name: str) -> Rule:
        rule = self.setup.rules.find(name)
        assert rule is not None, f"the rule {name} acts, and is not in force"
        return rule

    def _check_limits(self, attempt: Attempt, rule: Rule) -> None:
        """An independent count of the acts in each window: a step counts once, unless nothing happened."""
        steps: dict[tuple[int, int], Attempt] = {}
        for act in self._acts[attempt.service].values():
            if act.status is not AttemptStatus.NOT_APPLIED and act.step != UNDO_STEP:
                steps.setdefault((act.run_id, act.step), act)
        steps.pop((attempt.run_id, attempt.step), None)
        own = [act for act in steps.values() if act.rule == rule.name]
        policy = self.setup.policy
        for budgets, acts in ((rule.guards.budget, own), (policy.budget, list(steps.values()))):
            for budget in budgets:
                assert _spent(budget, acts, attempt) < budget.count, f"the budget {budget} is exceeded"
        for cooldown, acts in ((rule.guards.cooldown, own), (policy.cooldown, list(steps.values()))):
            for act in acts:
                calm = attempt.intent_at - act.intent_at
                assert cooldown is None or act.run_id == attempt.run_id or calm >= cooldown, (
                    f"an act {calm} after the last one, in spite of a cooldown of {cooldown}"
                )

    def _check_alert(self, attempt: Attempt) -> None:
        run = self.state.get(Run, attempt.run_id)
        assert run.by_hand or self._fires(run), f"run {run.id} acts, and its alert is over"

    def _fires(self, run: Run) -> bool:
        return any(
            e.firing and e.incident_id == run.incident_id and e.rule == run.rule
            for e in self.state.all(Episode)
        )

    def _follow(self, event: Event) -> None:
        for entity in event.puts:
            self.state.put(entity)
            if isinstance(entity, Attempt):
                self._attempts[entity.run_id][entity.id] = entity
                self._acts[entity.service][entity.id] = entity
                if entity.status is AttemptStatus.INTENT:
                    self._open[entity.id] = entity
                else:
                    self._open.pop(entity.id, None)
            elif isinstance(entity, Run) and entity.undoes is None:
                alive = self._alive[entity.incident_id, entity.rule]
                (alive.discard if entity.finished else alive.add)(entity.id)
        for entity in event.deletes:
            self.state.delete(entity)

    def _check_episode(self, episode: Episode) -> None:
        if episode.firing and episode.rule is not None:
            alive = self._alive[episode.incident_id, episode.rule]
            assert alive, f"episode {episode.id} opens, and no run is there for it"

    def _check_run(self, run: Run) -> None:
        alive = self._alive[run.incident_id, run.rule]
        assert len(alive) <= 1, f"runs {alive} of {run.rule} are under way for one incident"
        attempts = self._attempts[run.id].values()
        under_way = [a for a in attempts if a.status in OPEN_ATTEMPTS]
        acts = run.status in (RunStatus.ACTING, RunStatus.PROBING, RunStatus.UNKNOWN)
        assert len(under_way) == acts, f"run {run.id} is {run.status} with {len(under_way)} open attempts"
        lock = self.state.find(Lock, run.service)
        if run.status in HAVE_LOCK or (run.operation and not run.finished):
            assert lock and lock.run_id == run.id, f"run {run.id} is {run.status} without its lock"
        if run.finished:
            assert lock is None or lock.run_id != run.id, f"run {run.id} has ended, and keeps its lock"
        if run.undoes is not None:
            return  # it is there for a person, not for the alert or its incident
        if run.outcome is Outcome.SUCCEEDED and self._fires(run):
            assert alive, f"run {run.id} succeeds while its alert fires, and nobody goes on"
        if run.status in (RunStatus.ACTING, RunStatus.PLANNING, RunStatus.AWAITING_APPROVAL):
            assert self.state.get(Incident, run.incident_id).open, "a run goes on in a resolved incident"


def left_over(state: Snapshot) -> list[str]:
    """What is not finished: at the end of a day on which everything was mended, nothing may be."""
    return [
        *(f"run {r.id} is {r.status} {r.hold_reason or ''}" for r in state.all(Run) if not r.finished),
        *(f"incident {i.id} is open" for i in state.all(Incident) if i.open),
        *(f"episode {e.id} fires" for e in state.all(Episode) if e.firing),
        *(f"message {m.id} waits" for m in state.all(Message) if m.status == "waiting"),
        *(f"{lock.service} is locked" for lock in state.all(Lock)),
        *(f"approval {a.id} waits" for a in state.all(Approval) if a.status is ApprovalStatus.PENDING),
    ]


def _spent(budget: Budget, acts: list[Attempt], attempt: Attempt) -> int:
    return sum(act.intent_at > attempt.intent_at - budget.window for act in acts)


def told(event: Event) -> str:
    """An event in a line, for people."""
    shown = {key: event.data[key] for key in SHOWN if event.data.get(key) not in (None, "")}
    return f"{event.at:%d %H:%M:%S} {event.chain} {event.kind} by {event.actor} {shown}"


def digest(events: Sequence[Event], folder: Path) -> str:
    """One text for all that happened, down to each row, wherever the folder is and whatever the database."""
    whole = hashlib.sha256()
    for event in events:
        data = {key: value for key, value in event.data.items() if key != "identity"}
        body = (event.at, event.chain, event.kind, event.actor, data, event.puts, event.deletes)
        whole.update(repr(body).replace(str(folder), "").encode())
    return whole.hexdigest()
