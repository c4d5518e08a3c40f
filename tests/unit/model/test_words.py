"""The closed vocabularies, where their order means something."""

from datetime import UTC, datetime, timedelta

import pytest

from remediator.model.rule import Budget
from remediator.model.verdict import Allow, Deny, Hold, NeedsApproval, strength
from remediator.model.words import Mode, Reason, Severity


def test_severities_sort_worst_first() -> None:
    assert min(Severity.P2, Severity.P0, Severity.P3) is Severity.P0
    assert sorted(Severity) == [Severity.P0, Severity.P1, Severity.P2, Severity.P3]


def test_modes_go_from_free_to_strict() -> None:
    assert [mode.strictness for mode in (Mode.AUTO, Mode.APPROVE, Mode.SHADOW)] == [0, 1, 2]


def test_verdicts_go_from_allow_to_deny() -> None:
    verdicts = [
        Allow(),
        NeedsApproval(reason=Reason.RULE_MODE, people=1),
        Hold(reason=Reason.PAUSED, until=datetime(2026, 3, 1, tzinfo=UTC)),
        Deny(reason=Reason.SHADOW),
    ]
    assert [strength(verdict) for verdict in verdicts] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("window", "text"),
    [(timedelta(hours=1), "3/1h"), (timedelta(days=1), "3/1d"), (timedelta(minutes=90), "3/1h30m")],
)
def test_a_budget_is_written_as_in_a_rule_file(window: timedelta, text: str) -> None:
    assert str(Budget(count=3, window=window)) == text
