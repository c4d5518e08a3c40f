"""`remediator approvals`, `approve` and `deny`: what waits for people, and their answers.

An approval is for exactly the plan that was shown: its digest is sent along, and the daemon
refuses if the plan has become another meanwhile.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from remediator.cli.client import Refused, calls_daemon
from remediator.cli.incidents import show_alerts
from remediator.cli.output import moment, more
from remediator.cli.runs import decided_by, show_evidence, show_plan
from remediator.clock import SystemClock
from remediator.model.words import ApprovalStatus

if TYPE_CHECKING:
    from remediator.cli.client import Client
    from remediator.cli.output import Output

APPROVAL_ID = click.IntRange(min=1)
ALL = "all"


@click.command()
@click.argument("approval", type=APPROVAL_ID, required=False, metavar="[ID]")
@click.option(
    "--status",
    type=click.Choice([*(s.value for s in ApprovalStatus), ALL]),
    default=ApprovalStatus.PENDING.value,
    show_default=True,
    help="Only those.",
)
@click.option("--before", type=click.IntRange(min=1), help="Only those before this id.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many.")
@calls_daemon
def approvals(
    client: Client, out: Output, approval: int | None, status: str, before: int | None, limit: int
) -> None:
    """List what waits for approval; or show all that is needed to decide on the one with this ID."""
    if approval is not None:
        found = client.get(f"/api/v1/approvals/{approval}")
        out.json(found) if out.as_json else _show(out, found)
        return
    wanted = None if status == ALL else status
    page = client.get("/api/v1/approvals", status=wanted, before=before, limit=limit)
    if out.as_json:
        out.json(page)
        return
    out.table(
        ("ID", "SEV", "STATUS", "EXPIRES (UTC)", "SERVICE", "PLAN"),
        (
            (
                a["id"],
                a["incident"]["severity"],
                a["status"],
                moment(a["expires_at"]),
                a["service"],
                a["plan"]["summary"] if a["plan"] else a["rule"],
            )
            for a in page["approvals"]
        ),
    )
    more(out, page)


@click.command()
@click.argument("approval", type=APPROVAL_ID, metavar="ID")
@click.option("--digest", help="Only if it still is for the plan with this digest.")
@click.option("--reason", default="", help="Goes on the record.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@calls_daemon
def approve(client: Client, out: Output, approval: int, digest: str | None, reason: str, yes: bool) -> None:
    """Say yes to the plan of approval ID, after showing it and asking."""
    if not yes and (out.as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here: add --yes, best together with --digest")
    asked = client.get(f"/api/v1/approvals/{approval}")
    if not out.as_json:
        _show(out, asked)
        out.line()
    if asked["status"] != ApprovalStatus.PENDING:
        raise Refused(f"approval {approval} is no longer open: it was {asked['status']}")
    if digest is not None and digest != asked["digest"]:
        raise Refused(f"approval {approval} is for another plan, with the digest {asked['digest']}")
    if not yes and not click.confirm("Carry out this plan?"):
        raise Refused("nothing was decided")
    answered = client.post(f"/api/v1/approvals/{approval}/approve", digest=asked["digest"], reason=reason)
    if out.as_json:
        out.json(answered)
    elif answered["status"] == ApprovalStatus.PENDING:
        given = sum(d["granted"] for d in asked["decisions"]) + 1
        out.line(f"Your approval is recorded: {given} of {answered['needed']}. It takes another person.")
    else:
        out.line(f"Approval {approval} is {answered['status']}. See: remediator runs {answered['run']}")


@click.command()
@click.argument("approval", type=APPROVAL_ID, metavar="ID")
@click.option("--reason", required=True, help="Goes on the record.")
@calls_daemon
def deny(client: Client, out: Output, approval: int, reason: str) -> None:
    """Say no to approval ID: its run ends, and nothing is done.

    A no also takes back a yes, your own or another's, as long as the act has not begun.
    """
    answered = client.post(f"/api/v1/approvals/{approval}/deny", reason=reason)
    if out.as_json:
        out.json(answered)
    else:
        out.line(f"Approval {approval} is denied; run {answered['run']} does nothing more.")


def _show(out: Output, approval: dict[str, Any]) -> None:
    incident, plan = approval["incident"], approval["plan"]
    out.line(f"Approval {approval['id']}: {plan['summary'] if plan else approval['rule']}", style="bold")
    out.fields(
        (
            ("Status", approval["status"]),
            ("Expires", _expiry(approval)),
            ("Asked", f"{moment(approval['requested_at'])} UTC, for the {_ordinal(approval['ask'])} time"),
            ("Because of", approval["reason"]),
            ("Needed", approval["needed"]),
            ("Decided", decided_by(approval)),
            ("Rule", approval["rule"]),
            ("Service", approval["service"]),
            ("Run", approval["run"]),
            ("Incident", f"{incident['id']} ({incident['severity']}): {incident['title']}"),
        )
    )
    if plan is None:
        out.line(f"Its plan, with the digest {approval['digest']}, was replaced by another.")
    show_plan(out, plan)
    show_evidence(out, approval["evidence"], texts=True)
    show_alerts(out, approval["alerts"], approval["alerts_total"])


def _expiry(approval: dict[str, Any]) -> str:
    at = f"{moment(approval['expires_at'])} UTC"
    left = int((datetime.fromisoformat(approval["expires_at"]) - SystemClock().now()).total_seconds())
    if approval["status"] != ApprovalStatus.PENDING or left <= 0:
        return at
    return f"{at}, in {left // 60} min {left % 60} s"


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
