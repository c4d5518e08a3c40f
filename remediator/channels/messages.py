"""The words of every kind of message: short plain text, rendered from the facts when it is sent.

The facts come partly from alerts, so each is cut and made harmless before it is put into a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remediator.model.text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from remediator.model.run import Message

FACT_CHARS = 300
"""Longest fact shown; the whole of it stands in the payload and in the record."""
LIST_ITEMS = 10
"""Most objects or findings listed."""

_HEADLINES = {
    "approval_wanted": "Approval {approval} wanted: {plan}",
    "approval_expired": "Approval {approval} expired without an answer: {plan}",
    "denied": "Run {run} denied: {plan}",
    "expired": "Run {run} expired: {plan}",
    "failed": "Run {run} failed: {service} needs a person",
    "held": "Run {run} held: {plan}",
    "inconclusive": "Run {run} inconclusive: see whether {service} is well",
    "quarantined": "An alert could not be read and was set aside",
    "succeeded": "Run {run} succeeded: {plan}",
    "unknown": "Run {run}: nobody can tell whether this happened: {plan}",
}

_ADVICE = {
    "approval_wanted": 'Decide: remediator approve {approval}, or: remediator deny {approval} --reason "..."',
    "approval_expired": "Nothing was done. While the alert fires, people are asked again.",
    "expired": "Nothing was done. If it is still wanted: remediator run {rule} --service {service}",
    "failed": "Nothing more is tried for it by itself. See: remediator runs {run}",
    "held": "It goes on by itself when the reason ends. To stop it: remediator cancel {run}",
    "inconclusive": "Nothing more is tried for it by itself. See: remediator runs {run}",
    "quarantined": "The alerts beside it were taken in. The raw notification {notification} is kept.",
    "unknown": (
        "{service} stays locked until you look and tell: remediator settle {run} --applied, "
        "or: remediator settle {run} --not-applied"
    ),
}

_FACTS = (
    ("Why", "reason"),
    ("Detail", "detail"),
    ("Until", "until"),
    ("Expires", "expires_at"),
    ("Approvals needed", "needed"),
    ("Digest", "digest"),
    ("Error", "error"),
    ("Owner", "owner"),
    ("Runbook", "runbook_url"),
)


class _Facts(dict[str, str]):
    """The payload, every value fit for a line; what is missing is said to be."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        super().__init__({key: _line(value) for key, value in payload.items() if value not in (None, "")})

    def __missing__(self, key: str) -> str:
        return f"({key} not known)"


def text_of(message: Message) -> str:
    """The text of a message, without an end of line at its end."""
    return "\n".join(_lines(message))


def _lines(message: Message) -> Iterator[str]:
    payload = message.payload
    facts = _Facts(payload)
    severity = f"[{facts['severity']}] " if "severity" in facts else ""
    headline = _HEADLINES.get(message.kind, harmless(message.kind, limit=FACT_CHARS))
    yield severity + headline.format_map(facts)
    if message.incident_id is not None:
        yield f"Incident {message.incident_id}: {facts['title']}"
    if "rule" in facts:
        yield f"Rule {facts['rule']}, service {facts['service']}, run {facts['run']}"
    for name, key in _FACTS:
        if key in facts:
            yield f"{name}: {facts[key]}"
    yield from _list("Objects", [_line(item) for item in payload.get("objects") or ()])
    yield from _list("Seen", [_finding(item) for item in payload.get("evidence") or ()])
    if message.kind in _ADVICE:
        yield _ADVICE[message.kind].format_map(facts)


def _list(name: str, items: list[str]) -> Iterator[str]:
    if items:
        yield f"{name}:"
        yield from (f"- {item}" for item in items[:LIST_ITEMS])
        if len(items) > LIST_ITEMS:
            yield f"- and {len(items) - LIST_ITEMS} more"


def _finding(item: Any) -> str:
    """One entry of a run's evidence: what was looked at, and what was seen."""
    if not isinstance(item, dict):
        return _line(item)
    return f"{_line(item.get('title') or item.get('check') or 'check')}: {_line(item.get('summary', ''))}"


def _line(value: Any) -> str:
    return harmless(str(value), limit=FACT_CHARS)
