"""Guardrails: one pure stage a file, each answering allow, hold, needs approval or deny.

All stages always run, so that the record shows every objection. The strongest verdict decides:
Deny > Hold > NeedsApproval > Allow; among equals the first in the order below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from remediator.decide.facts import Request
from remediator.decide.guardrails import (
    alert_state,
    approval,
    budget,
    changed_by_others,
    cooldown,
    firing_for,
    lock,
    paused,
    readiness,
    shadow,
    unless_open,
    when,
)
from remediator.model.verdict import Hold, Verdict, strength, word
from remediator.model.words import Json

Stage = Callable[[Request, datetime], Verdict]

STAGES: dict[str, Stage] = {
    "shadow": shadow.judge,
    "paused": paused.judge,
    "readiness": readiness.judge,
    "alert_state": alert_state.judge,
    "firing_for": firing_for.judge,
    "when": when.judge,
    "unless_open": unless_open.judge,
    "changed_by_others": changed_by_others.judge,
    "lock": lock.judge,
    "cooldown": cooldown.judge,
    "budget": budget.judge,
    "approval": approval.judge,
}

UNDO_STAGES = ("shadow", "paused", "readiness", "changed_by_others", "lock")
"""Those for a run that takes another one back: it is there for no alert, and spends nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Every stage's verdict, and the one that decides."""

    verdicts: dict[str, Verdict]
    decisive: str

    @property
    def overall(self) -> Verdict:
        """The verdict that decides."""
        return self.verdicts[self.decisive]

    def told(self) -> list[Json]:
        """The verdicts as they are recorded."""
        return [
            {
                "guardrail": name,
                "verdict": word(v),
                "reason": v.reason.value,
                "detail": v.detail,
                **({"until": v.until.isoformat()} if isinstance(v, Hold) and v.until else {}),
            }
            for name, v in self.verdicts.items()
        ]


def judge(request: Request, now: datetime) -> Judgement:
    """Run every stage, or those for an undo, and find the decisive verdict."""
    names = STAGES if request.run.undoes is None else UNDO_STAGES
    verdicts = {name: STAGES[name](request, now) for name in names}
    decisive = max(verdicts, key=lambda name: strength(verdicts[name]))
    return Judgement(verdicts=verdicts, decisive=decisive)
