"""Whether an act helped: the verdict over a series of looks at the world."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from remediator.model.rule import VerifySpec
from remediator.model.words import Outcome, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look after the act."""

    at: datetime
    alert: Literal["firing", "gone", "unknown", "none"]
    """`none`: there is no alert to ask for (a run by hand)."""
    healthy: bool | None
    """None: the health could not be told."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is known so far: since when all has been well."""

    good_since: datetime | None = None
    was_good: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The verdict, once there is one (`outcome` is not None)."""

    progress: Progress
    outcome: Outcome | None = None
    reason: Reason = Reason.VERIFIED
    detail: str = ""


def assess(spec: VerifySpec, started: datetime, progress: Progress, look: Look) -> Assessment:
    """Fold one more look in.

    Well means: no alert fires, and the containers are healthy where that is asked for. It must be so
    by `resolved_within` after the act and stay so for `stays`. A look that cannot tell neither
    proves nor breaks anything; when time runs out on one, the outcome is inconclusive, never failed.
    """
    if look.alert == "none" and not spec.healthy:
        return Assessment(
            progress=progress,
            outcome=Outcome.INCONCLUSIVE,
            reason=Reason.NOTHING_TO_VERIFY,
            detail="no alert to watch and no health check asked for",
        )
    unhealthy = spec.healthy and look.healthy is False
    bad = look.alert == "firing" or unhealthy
    good = look.alert in ("gone", "none") and (not spec.healthy or look.healthy is True)
    since = progress.good_since
    if bad:
        since = None
    elif good and since is None:
        since = look.at
    progress = Progress(good_since=since, was_good=progress.was_good or good)
    if good and since is not None and look.at - since >= spec.stays:
        return Assessment(progress=progress, outcome=Outcome.SUCCEEDED, detail=look.detail)
    deadline = started + spec.resolved_within
    if look.at < deadline:
        return Assessment(progress=progress)
    if bad:
        reason = Reason.STILL_FIRING if look.alert == "firing" else Reason.UNHEALTHY
        if progress.was_good:
            reason = Reason.RELAPSED
        return Assessment(progress=progress, outcome=Outcome.FAILED, reason=reason, detail=look.detail)
    if since is not None and look.at < deadline + spec.stays:
        return Assessment(progress=progress)
    return Assessment(
        progress=progress,
        outcome=Outcome.INCONCLUSIVE,
        reason=Reason.CANNOT_TELL,
        detail=look.detail or "the state could not be read in time",
    )
