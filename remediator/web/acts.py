"""What operators may change: one function for each act of the API.

Each checks the form of what is asked, hands it to the desk together with the operator's name,
and tells what has become of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from remediator.web import forms
from remediator.web.body import Asked

if TYPE_CHECKING:
    from remediator.web.call import Call
    from remediator.web.forms import Form

MAX_REASON = 2_000
"""Characters."""

Needed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON)]
Optional = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_REASON)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Nothing(Asked):
    """A body that says nothing."""


class Why(Asked):
    """An act that needs no reason, but takes one."""

    reason: Optional = ""


class BecauseOf(Asked):
    """An act that needs a reason."""

    reason: Needed


class Yes(Why):
    """An approval: with the digest, of exactly the plan that the approver has read."""

    digest: str | None = Field(None, pattern="^[0-9a-f]{64}$")


class ByHand(Why):
    """A rule to run on a service."""

    rule: Name
    service: Name


class Settled(Why):
    """What became of an act whose outcome is unknown."""

    applied: bool


async def approve(call: Call) -> Form:
    """POST /api/v1/approvals/ID/approve."""
    asked = await call.body(Yes)
    return forms.approval(await call.desk.approve(call.id, call.actor, asked.reason, asked.digest))


async def deny(call: Call) -> Form:
    """POST /api/v1/approvals/ID/deny."""
    asked = await call.body(BecauseOf)
    return forms.approval(await call.desk.deny(call.id, call.actor, asked.reason))


async def start_run(call: Call) -> Form:
    """POST /api/v1/runs."""
    asked = await call.body(ByHand)
    return forms.run(await call.desk.start_run(asked.rule, asked.service, call.actor, asked.reason))


async def cancel(call: Call) -> Form:
    """POST /api/v1/runs/ID/cancel."""
    asked = await call.body(Why)
    return forms.run(await call.desk.cancel(call.id, call.actor, asked.reason))


async def settle(call: Call) -> Form:
    """POST /api/v1/runs/ID/settle."""
    asked = await call.body(Settled)
    return forms.run(await call.desk.settle(call.id, asked.applied, call.actor, asked.reason))


async def undo(call: Call) -> Form:
    """POST /api/v1/runs/ID/undo."""
    asked = await call.body(Why)
    return forms.run(await call.desk.undo(call.id, call.actor, asked.reason))


async def pause(call: Call) -> Form:
    """POST /api/v1/pause."""
    asked = await call.body(BecauseOf)
    return {"paused": True, "pause": forms.control(await call.desk.pause(call.actor, asked.reason))}


async def resume(call: Call) -> Form:
    """POST /api/v1/resume."""
    asked = await call.body(Why)
    await call.desk.resume(call.actor, asked.reason)
    return {"paused": False, "pause": None}


async def reload(call: Call) -> Form:
    """POST /-/reload."""
    await call.body(Nothing)
    return {"rules_version": await call.desk.reload(call.actor)}
