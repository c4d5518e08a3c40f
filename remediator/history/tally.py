"""Counts what the rules would have done, as it happens: nothing that grows with the length of the past.

What is kept grows with the number of rules, of days, and of services that are acted on.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remediator.decide.classify import NOTHING
from remediator.history.assumptions import RESOLVED_AFTER, TARGET, Assumptions, ended_by, rests_on
from remediator.model.run import Attempt, Run
from remediator.model.words import AttemptStatus, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    from remediator.engine.setup import Setup
    from remediator.model.event import Event
    from remediator.model.rule import Budget
    from remediator.model.words import Json

TARGETLESS = frozenset({Reason.TARGET_UNCLEAR, Reason.NO_TARGET, Reason.AMBIGUOUS_TARGET, Reason.NOT_ALLOWED})
"""Holds and denials that only say that nobody knows what ran at that time."""
TRIED = frozenset({Outcome.SUCCEEDED, Outcome.FAILED, Outcome.INCONCLUSIVE})
"""How runs end that have acted."""
ANSWERS = {"approval.granted": "granted", "approval.denied": "denied", "approval.expired": "expired"}


@dataclass(slots=True)
class RuleTally:
    """What one rule would have done."""

    episodes: int = 0
    runs: int = 0
    finished: int = 0
    acts: int = 0
    shadow: int = 0
    """Runs that would have acted, were their mode not shadow."""
    days: Counter[date] = field(default_factory=Counter)
    """Acts by day, in UTC."""
    outcomes: Counter[str] = field(default_factory=Counter)
    holds: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By guardrail and reason."""
    denials: Counter[str] = field(default_factory=Counter)
    """By reason."""
    approvals: Counter[str] = field(default_factory=Counter)
    """`asked`, and what came of it."""
    depends: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a decision rested on a fact that nobody knows: by what was decided, and fact."""


class Tally:
    """Follows the events of the engine."""

    def __init__(self, setup: Setup, assumed: Assumptions, flapping: Budget) -> None:
        """`flapping`: a service that is acted on so often within that time is one that flaps."""
        self.episodes = 0
        self.unmatched = 0
        self.unclassified = 0
        self.rules: dict[str, RuleTally] = {matched.rule.name: RuleTally() for matched in setup.rules}
        self.hours: Counter[datetime] = Counter()
        """Acts in each hour that has some."""
        self.flapping: dict[str, int] = {}
        """Service -> the most acts within the window, where that is as many as it takes."""
        self.flapping_means = flapping
        self._setup = setup
        self._assumed = assumed
        self._recent: dict[str, deque[datetime]] = {}
        self._unfinished: dict[int, str] = {}
        """Runs, and the rules that they are of."""
        self._follow: dict[str, Callable[[RuleTally, Run, Event], None]] = {
            "run.proposed": self._proposed,
            "run.decided": self._decided,
            "run.held": self._held,
            "run.finished": self._finished,
            "approval.requested": self._asked,
        }

    def committed(self, events: Sequence[Event]) -> None:
        """Follow what was committed."""
        for event in events:
            if event.kind == "episode.opened":
                self._opened(event)
            follow = self._follow.get(event.kind)
            run = next((entity for entity in event.puts if isinstance(entity, Run)), None)
            if follow is not None and run is not None:
                follow(self.rules.setdefault(run.rule, RuleTally()), run, event)
            elif event.kind in ANSWERS and (name := self._unfinished.get(event.data["run"])):
                self.rules[name].approvals[ANSWERS[event.kind]] += 1

    def passed_over(self, *, unclassified: bool) -> None:
        """An alert that concerns no rule, nor any service that a rule is about."""
        self.episodes += 1
        self.unmatched += 1
        self.unclassified += unclassified

    def _opened(self, event: Event) -> None:
        self.episodes += 1
        self.unclassified += event.data["classified_by"] == NOTHING
        if event.data["rule"] is None:
            self.unmatched += 1
        else:
            self.rules.setdefault(event.data["rule"], RuleTally()).episodes += 1

    def _proposed(self, rule: RuleTally, run: Run, event: Event) -> None:
        rule.runs += 1
        self._unfinished[run.id] = run.rule

    def _decided(self, rule: RuleTally, run: Run, event: Event) -> None:
        attempts = (entity for entity in event.puts if isinstance(entity, Attempt))
        if any(attempt.status is AttemptStatus.INTENT for attempt in attempts):
            rule.acts += 1
            rule.days[event.at.date()] += 1
            self.hours[event.at.replace(minute=0, second=0, microsecond=0)] += 1
            self._acted_on(run.service, event.at)
            self._depends(rule, "acts", self._facts(run))

    def _held(self, rule: RuleTally, run: Run, event: Event) -> None:
        reason = event.data["reason"]
        rule.holds[event.data.get("decisive", "target"), reason] += 1
        if reason in TARGETLESS:
            self._depends(rule, "holds", (TARGET,))

    def _asked(self, rule: RuleTally, run: Run, event: Event) -> None:
        rule.approvals["asked"] += 1
        self._depends(rule, "approvals", self._facts(run))

    def _finished(self, rule: RuleTally, run: Run, event: Event) -> None:
        rule.finished += 1
        self._unfinished.pop(run.id, None)
        rule.outcomes[event.data["outcome"]] += 1
        if run.outcome is Outcome.SHADOW:
            rule.shadow += 1
            self._depends(rule, "shadow", self._facts(run))
        elif run.outcome is Outcome.DENIED and run.reason is not None:
            rule.denials[run.reason.value] += 1
            if run.reason in TARGETLESS:
                self._depends(rule, "denials", (TARGET,))
        elif run.outcome in TRIED:
            known = self._setup.rules.find(run.rule)
            self._depends(rule, "outcomes", (RESOLVED_AFTER, *(ended_by(known, run.step) if known else ())))

    def _facts(self, run: Run) -> tuple[str, ...]:
        rule = self._setup.rules.find(run.rule)
        if rule is None or run.step >= len(rule.steps):
            return ()
        return rests_on(
            rule,
            run.step,
            self._setup.services.get(run.service),
            self._setup.policy,
            needs_containers=self._setup.actions[rule.steps[run.step].action].needs_containers,
        )

    def _depends(self, rule: RuleTally, what: str, facts: Sequence[str]) -> None:
        for fact in facts:
            if not self._assumed.cover(fact):
                rule.depends[what, fact] += 1

    def _acted_on(self, service: str, at: datetime) -> None:
        recent = self._recent.setdefault(service, deque())
        recent.append(at)
        while recent[0] <= at - self.flapping_means.window:
            recent.popleft()
        if len(recent) >= self.flapping_means.count:
            self.flapping[service] = max(self.flapping.get(service, 0), len(recent))

    @property
    def acts(self) -> int:
        """All acts."""
        return sum(rule.acts for rule in self.rules.values())

    @property
    def worst_hour(self) -> tuple[datetime, int] | None:
        """The first of the hours with the most acts."""
        return min(self.hours.items(), key=lambda hour: (-hour[1], hour[0]), default=None)

    def told(self) -> dict[str, Json]:
        """Everything as JSON."""
        worst = self.worst_hour
        return {
            "episodes": self.episodes,
            "unmatched": self.unmatched,
            "unclassified": self.unclassified,
            "acts": self.acts,
            "worst_hour": worst and {"begins": worst[0].isoformat(), "acts": worst[1]},
            "hours": {hour.isoformat(): acts for hour, acts in sorted(self.hours.items())},
            "flapping": {
                "means": str(self.flapping_means),
                "services": dict(sorted(self.flapping.items(), key=lambda item: (-item[1], item[0]))),
            },
            "rules": {name: _told(rule) for name, rule in self.rules.items()},
        }


def _told(rule: RuleTally) -> dict[str, Json]:
    return {
        "episodes": rule.episodes,
        "runs": rule.runs,
        "unfinished": rule.runs - rule.finished,
        "acts": rule.acts,
        "acts_per_day": {day.isoformat(): acts for day, acts in sorted(rule.days.items())},
        "would_act_in_shadow": rule.shadow,
        "outcomes": dict(sorted(rule.outcomes.items())),
        "holds": [
            {"guardrail": guardrail, "reason": reason, "count": count}
            for (guardrail, reason), count in sorted(rule.holds.items())
        ],
        "denials": dict(sorted(rule.denials.items())),
        "approvals": dict(sorted(rule.approvals.items())),
        "depends_on": [
            {"what": what, "fact": fact, "count": count}
            for (what, fact), count in sorted(rule.depends.items())
        ],
    }
