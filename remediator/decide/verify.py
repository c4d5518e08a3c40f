"""Whether an act helped: the verdict over a series of looks at the world."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from remediator.model.rule import VerifySpec
from remediator.model.words import Outcome, Reason

SLACK = timedelta(seconds=1)
"""How far two clocks, once compared, may still be apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look after the act."""

    at: datetime
    """The moment that it tells of: when it began, however long it took."""
    alert: Literal["firing", "gone", "unknown", "none"]
    """`none`: there is no alert to ask for (a run by hand)."""
    healthy: bool | None
    """None: the health could not be told."""
    relapsed: bool = False
    """An alert began to fire anew since the look before. It counts even where `alert` is unknown."""
    detail: str = ""
    up_since: datetime | None = None
    """When the youngest of the containers started, by our clock. None: not known, or not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is known so far: since when all has been well."""

    good_since: datetime | None = None
    was_good: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The verdict, once there is one (`outcome` is not None)."""

    progress: Progress
    at: datetime | None = None
    """When the look was taken that led to it."""
    outcome: Outcome | None = None
    reason: Reason = Reason.VERIFIED
    detail: str = ""


def assess(spec: VerifySpec, started: datetime, progress: Progress, look: Look) -> Assessment:
    """Fold one more look in.

    Well means: no alert fires, and the containers are healthy where that is asked for. It must be so
    by `resolved_within` after the act and stay so for `stays`. A look that cannot tell neither
    proves nor breaks anything; when time runs out on one, the outcome is inconclusive, never failed.
    What began anew since all was well breaks it, though each look by itself may find all well: an
    alert, or a container, where health is asked for.
    """
    if look.alert == "none" and not spec.healthy:
        detail = "no alert to watch and no health check asked for"
        return _verdict(progress, look, Outcome.INCONCLUSIVE, Reason.NOTHING_TO_VERIFY, detail)
    bad = look.alert == "firing" or (spec.healthy and look.healthy is False)
    good = look.alert in ("gone", "none") and (not spec.healthy or look.healthy is True)
    relapsed = look.relapsed or (spec.healthy and _started_anew(progress, look))
    since = None if bad or relapsed else progress.good_since
    if good and since is None:
        since = look.at
    progress = Progress(good_since=since, was_good=progress.was_good or good)
    if good and since is not None and look.at - since >= spec.stays:
        return _verdict(progress, look, Outcome.SUCCEEDED, Reason.VERIFIED, look.detail)
    if look.at < started + spec.resolved_within:
        return Assessment(progress=progress, at=look.at)
    if bad:
        reason = Reason.STILL_FIRING if look.alert == "firing" else Reason.UNHEALTHY
        reason = Reason.RELAPSED if progress.was_good else reason
        return _verdict(progress, look, Outcome.FAILED, reason, look.detail)
    # All was well in time, or at the first look after it: whether it stays so is still to be seen.
    if since is not None and not relapsed and (good or look.at < since + spec.stays):
        return Assessment(progress=progress, at=look.at)
    reason = Reason.RELAPSED if relapsed else Reason.CANNOT_TELL
    detail = look.detail or "the state could not be read in time"
    return _verdict(progress, look, Outcome.INCONCLUSIVE, reason, detail)


def _started_anew(progress: Progress, look: Look) -> bool:
    """Whether a container started while all had to stay well, though no look may have seen it down."""
    if look.up_since is None or progress.good_since is None:
        return False
    return look.up_since > progress.good_since + SLACK


def _verdict(progress: Progress, look: Look, outcome: Outcome, reason: Reason, detail: str) -> Assessment:
    return Assessment(progress=progress, at=look.at, outcome=outcome, reason=reason, detail=detail)
