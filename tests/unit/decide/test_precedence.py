"""Any combination of objections, with or without a yes: the strongest decides, and none is ever outvoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from remediator.decide.guardrails import STAGES, judge
from remediator.model.alert import Sighting
from remediator.model.rule import Budget, Guards
from remediator.model.run import Control, Lock
from remediator.model.verdict import Allow, Deny, Hold, NeedsApproval, strength
from remediator.model.words import Mode, Severity
from tests.unit.decide.asks import GRANTED, a_change, a_request, a_yes, an_act
from tests.unit.decide.case import NOON, minutes

if TYPE_CHECKING:
    from collections.abc import Set
    from datetime import datetime, timedelta

    from remediator.decide.guardrails import Judgement
    from remediator.model.verdict import Verdict


def seen(state: str) -> dict[str, Any]:
    return {"sightings": (Sighting(fingerprint="a1", state=state, at=NOON),)}


LIMITS = Guards(cooldown=minutes(10), budget=(Budget(count=1, window=minutes(60)),))

OBJECTIONS: dict[str, tuple[str, type[Verdict], dict[str, dict[str, Any]]]] = {
    "shadow": ("shadow", Deny, {"rule": {"mode": Mode.SHADOW}}),
    "pause": ("paused", Hold, {"stored": {"pause": Control(key="pause", by="bob", reason="", at=NOON)}}),
    "pause file": ("paused", Hold, {"world": {"paused_by_file": "/run/pause"}}),
    "draining": ("readiness", Hold, {"world": {"draining": True}}),
    "not reconciled": ("readiness", Hold, {"world": {"reconciled": False}}),
    "muted": ("alert_state", Hold, {"world": seen("muted")}),
    "unconfirmed": ("alert_state", Hold, {"world": seen("unknown")}),
    "a hand": ("changed_by_others", Hold, {"world": {"changes": (a_change(minutes(1)),)}}),
    "no history": ("changed_by_others", Hold, {"world": {"changes_error": "timed out"}}),
    "lock": ("lock", Hold, {"stored": {"lock": Lock(service="robo-rlhf", run_id=1, since=NOON)}}),
    "elsewhere": ("lock", Hold, {"stored": {"elsewhere": (an_act(minutes(1), lasted=None),)}}),
    "cooldown": ("cooldown", Hold, {"stored": {"history": (an_act(minutes(9)),)}}),
    "budget": ("budget", Hold, {"stored": {"history": (an_act(minutes(50)),)}}),
    "P0": ("approval", NeedsApproval, {"incident": {"severity": Severity.P0}}),
}
"""What objects, by which guardrail and how; each alone is enough."""

LASTING = ("elsewhere", "lock", "pause", "pause file", "shadow")

NAMES = st.sets(st.sampled_from(sorted(OBJECTIONS)))


def judged(names: Set[str], *, approved: bool, now: datetime = NOON) -> Judgement:
    """The judgement of a request to which these object."""
    parts: dict[str, dict[str, Any]] = {"rule": {"guards": LIMITS}, "stored": {}}
    if approved:
        parts["stored"] |= {"approval": GRANTED, "decisions": (a_yes("alice"),)}
    for name in sorted(names):
        for part, changes in OBJECTIONS[name][2].items():
            parts[part] = parts.get(part, {}) | changes
    stored = parts.pop("stored")
    return judge(a_request(**parts, **stored), now)


def test_each_objection_is_the_one_of_its_guardrail_and_enough_alone() -> None:
    for name, (guardrail, kind, _) in OBJECTIONS.items():
        judgement = judged({name}, approved=False)
        assert type(judgement.verdicts[guardrail]) is kind, name
        assert type(judgement.overall) is kind, name


@given(NAMES, st.booleans())
def test_the_strongest_objection_decides_and_a_yes_answers_only_the_question(
    names: set[str], approved: bool
) -> None:
    judgement = judged(names, approved=approved)
    kinds = {OBJECTIONS[name][1] for name in names} - ({NeedsApproval} if approved else set())
    expected = next((kind for kind in (Deny, Hold, NeedsApproval) if kind in kinds), Allow)
    assert type(judgement.overall) is expected
    ranks = {name: strength(verdict) for name, verdict in judgement.verdicts.items()}
    assert list(ranks) == list(STAGES)
    assert judgement.decisive == next(name for name in STAGES if ranks[name] == max(ranks.values()))


@given(NAMES, NAMES, st.booleans())
def test_one_more_objection_never_weakens_the_verdict(some: set[str], more: set[str], approved: bool) -> None:
    less, whole = judged(some, approved=approved), judged(some | more, approved=approved)
    assert strength(whole.overall) >= strength(less.overall)


@given(NAMES, st.sampled_from(LASTING), st.timedeltas(minutes(0), minutes(7 * 24 * 60)))
def test_no_time_wears_out_what_a_person_or_another_run_must_end(
    names: set[str], lasting: str, later: timedelta
) -> None:
    judgement = judged(names | {lasting}, approved=True, now=NOON + later)
    assert type(judgement.overall) in (Hold, Deny)
