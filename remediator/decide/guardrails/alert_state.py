"""The alert itself: muted, or not confirmed for too long, is no ground to act on."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request, WorldFacts
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason

RECHECK = timedelta(seconds=30)
HEARD_AGAIN = timedelta(seconds=10)
"""A notification that repeats what is known wakes nobody, so it is looked for."""


def judge(request: Request, now: datetime) -> Verdict:
    """Hold on alerts that are all muted, or that nobody confirmed within the policy's time.

    A run by hand needs no alert. Without an Alertmanager to ask, webhooks are all there is: what one has
    told in this life of the daemon counts until another tells that it is over, but what ended while the
    daemon was down nobody tells any more.
    """
    world = request.world
    if request.run.by_hand:
        return Allow(detail=f"started by {request.run.requested_by}")
    if not world.alert_api:
        return _by_webhooks_alone(world, now)
    states = {s.state for s in world.sightings}
    if "firing" in states:
        return Allow()
    if "muted" in states:
        return Hold(reason=Reason.MUTED, until=now + RECHECK, detail="silenced or inhibited in Alertmanager")
    if world.confirmed_at is not None and now - world.confirmed_at <= request.policy.confirm_within:
        return Allow(detail=f"last heard to fire at {world.confirmed_at.isoformat()}")
    since = world.confirmed_at.isoformat() if world.confirmed_at else "the start"
    return Hold(
        reason=Reason.UNCONFIRMED,
        until=now + RECHECK,
        detail=f"Alertmanager could not be asked, and no webhook told of the alert since {since}",
    )


def _by_webhooks_alone(world: WorldFacts, now: datetime) -> Verdict:
    heard, began = world.confirmed_at, world.started_at
    if heard is not None and (began is None or heard >= began):
        return Allow(detail=f"a webhook told of it at {heard.isoformat()}, and no Alertmanager can be asked")
    since = began.isoformat() if began else "that"
    return Hold(
        reason=Reason.UNCONFIRMED,
        until=now + HEARD_AGAIN,
        detail=f"no webhook has told of it since the start at {since}, and no Alertmanager can be asked",
    )
