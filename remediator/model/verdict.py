"""What a guardrail answers."""

from dataclasses import dataclass
from datetime import datetime

from remediator.model.words import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Nothing to object."""

    reason: Reason = Reason.OK
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsApproval:
    """Only if this many people say yes to exactly this plan."""

    reason: Reason
    people: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Not now. Look again at `until`, or when what it waits for changes."""

    reason: Reason
    until: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """No."""

    reason: Reason
    detail: str = ""


Verdict = Allow | NeedsApproval | Hold | Deny

_ORDER: dict[type, int] = {Allow: 0, NeedsApproval: 1, Hold: 2, Deny: 3}
_WORDS: dict[type, str] = {Allow: "allow", NeedsApproval: "needs_approval", Hold: "hold", Deny: "deny"}


def word(verdict: Verdict) -> str:
    """The verdict's name, as the record and the metrics carry it."""
    return _WORDS[type(verdict)]


def strength(verdict: Verdict) -> int:
    """Rank of a verdict: Deny > Hold > NeedsApproval > Allow."""
    return _ORDER[type(verdict)]
