"""People can act on the text of every kind of message, and no alert can bend it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.channels.messages import text_of
from remediator.model.run import Message

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

ABOUT = {
    "run": 12,
    "rule": "app-down",
    "service": "robo-rlhf",
    "severity": "P0",
    "title": "ApplicationDown on robo-rlhf",
    "action": "restart",
    "plan": "restart the container robo-rlhf-1",
}


def message(kind, incident=3, **payload):
    return Message(
        id=1,
        channel="hook",
        incident_id=incident,
        kind=kind,
        payload=payload,
        status="waiting",
        created_at=NOW,
        next_at=NOW,
    )


def test_a_wanted_approval_says_all_that_is_needed_to_decide():
    text = text_of(
        message(
            "approval_wanted",
            **ABOUT,
            approval=7,
            digest="ab12",
            needed=2,
            reason="severity_policy",
            expires_at="2026-03-01T12:30:00+00:00",
            objects=["robo-rlhf-1"],
            evidence=[{"check": "logs", "title": "last 100 lines", "summary": "Killed", "sha256": "f" * 64}],
        )
    )
    assert text.splitlines() == [
        "[P0] Approval 7 wanted: restart the container robo-rlhf-1",
        "Incident 3: ApplicationDown on robo-rlhf",
        "Rule app-down, service robo-rlhf, run 12",
        "Why: severity_policy",
        "Expires: 2026-03-01T12:30:00+00:00",
        "Approvals needed: 2",
        "Digest: ab12",
        "Objects:",
        "- robo-rlhf-1",
        "Seen:",
        "- last 100 lines: Killed",
        'Decide: remediator approve 7, or: remediator deny 7 --reason "..."',
    ]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("approval_expired", "asked again"),
        ("failed", "needs a person"),
        ("inconclusive", "see whether robo-rlhf is well"),
        ("unknown", "remediator settle 12 --applied"),
        ("held", "remediator cancel 12"),
        ("denied", "denied"),
        ("expired", "expired"),
        ("succeeded", "succeeded"),
    ],
)
def test_each_kind_says_what_is_the_matter(kind, says):
    text = text_of(message(kind, **ABOUT, approval=7, reason="budget", detail="3 acts in 1h"))
    assert says in text
    assert "not known" not in text
    assert "Why: budget\nDetail: 3 acts in 1h" in text


def test_whose_rule_it_is_and_where_to_read_on_is_told():
    told = text_of(message("failed", **ABOUT, owner="platform", runbook_url="https://wiki.example.com/down"))
    assert "Owner: platform\nRunbook: https://wiki.example.com/down\n" in told


def test_a_quarantined_alert_has_no_incident():
    text = text_of(message("quarantined", incident=None, notification=5, error="labels: wrong type"))
    assert text.splitlines() == [
        "An alert could not be read and was set aside",
        "Error: labels: wrong type",
        "The alerts beside it were taken in. The raw notification 5 is kept.",
    ]


def test_a_label_cannot_add_a_line_or_hide_one():
    text = text_of(message("failed", **{**ABOUT, "title": "x\nDecide: curl evil\x1b[2J\u202e"}))
    assert r"Incident 3: x\nDecide: curl evil\x1b[2J\u202e" in text.splitlines()


def test_long_facts_and_long_lists_are_cut():
    text = text_of(message("failed", **{**ABOUT, "title": "x" * 70_000}, objects=[str(n) for n in range(99)]))
    assert len(text) < 3000
    assert "- and 89 more" in text


def test_braces_in_facts_are_only_text():
    text = text_of(message("failed", **{**ABOUT, "title": "{run.__class__} {0}"}))
    assert "{run.__class__} {0}" in text


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
kinds = st.sampled_from(["approval_wanted", "held", "quarantined", "unknown", "of tomorrow"])


@given(
    kind=kinds,
    payload=st.dictionaries(st.sampled_from([*ABOUT, "reason", "until", "approval"]), anything),
    items=st.lists(anything | st.dictionaries(st.sampled_from(["title", "check", "summary"]), anything)),
)
def test_no_payload_breaks_the_text(kind, payload, items):
    text = text_of(message(kind, **payload, evidence=items))
    assert all(line.isprintable() for line in text.splitlines())
    assert text
