"""`remediator runs`, and what can be done to a run by hand: `run`, `cancel`, `settle`, `undo`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from remediator.cli.client import calls_daemon
from remediator.cli.output import moment, more, plain
from remediator.model.words import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remediator.cli.client import Client
    from remediator.cli.output import Output

RUN_ID = click.IntRange(min=1)


@click.command()
@click.argument("run", type=RUN_ID, required=False, metavar="[ID]")
@click.option("--status", type=click.Choice([s.value for s in RunStatus]), help="Only those.")
@click.option("--service", help="Only those on this service.")
@click.option("--incident", type=click.IntRange(min=1), help="Only those of this incident.")
@click.option("--before", type=click.IntRange(min=1), help="Only those before this id.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many.")
@click.option("--evidence", is_flag=True, help="With an ID: also the whole text of what triage saw.")
@calls_daemon
def runs(
    client: Client,
    out: Output,
    run: int | None,
    evidence: bool,
    **query: Any,
) -> None:
    """List runs, the newest first; or show the one with this ID."""
    if run is not None:
        found = client.get(f"/api/v1/runs/{run}")
        out.json(found) if out.as_json else _show(out, found, evidence)
        return
    page = client.get("/api/v1/runs", **query)
    if out.as_json:
        out.json(page)
        return
    runs_table(out, page["runs"])
    more(out, page)


@click.command()
@click.argument("rule")
@click.option("--service", required=True, help="The service to run it on.")
@click.option("--reason", default="", help="Goes on the record.")
@calls_daemon
def run(client: Client, out: Output, rule: str, service: str, reason: str) -> None:
    """Start RULE on a service by hand, through the same guardrails as an alert."""
    started = client.post("/api/v1/runs", rule=rule, service=service, reason=reason)
    if out.as_json:
        out.json(started)
    else:
        number = started["id"]
        out.line(f"Run {number} of {rule} on {service} has begun. See: remediator runs {number}")


@click.command()
@click.argument("run", type=RUN_ID)
@click.option("--reason", default="", help="Goes on the record.")
@calls_daemon
def cancel(client: Client, out: Output, run: int, reason: str) -> None:
    """Stop RUN: at once if it waits or verifies, else when its act is over."""
    stopped = client.post(f"/api/v1/runs/{run}/cancel", reason=reason)
    if out.as_json:
        out.json(stopped)
    elif stopped["status"] == RunStatus.FINISHED:
        out.line(f"Run {run} has ended: {stopped['outcome']}.")
    else:
        out.line(f"Run {run} is {stopped['status']}; it will stop at its next safe point.")


@click.command()
@click.argument("run", type=RUN_ID)
@click.option("--applied/--not-applied", default=None, help="What you have found: it happened, or not.")
@click.option("--reason", default="", help="How you know. Goes on the record.")
@calls_daemon
def settle(client: Client, out: Output, run: int, applied: bool | None, reason: str) -> None:
    """Say what became of an act of RUN whose outcome nobody could tell. Look before you answer."""
    if applied is None:
        raise click.UsageError("say what you have found: --applied or --not-applied")
    settled = client.post(f"/api/v1/runs/{run}/settle", applied=applied, reason=reason)
    if out.as_json:
        out.json(settled)
    else:
        out.line(f"Run {run} is settled as {'applied' if applied else 'not applied'}; now {_state(settled)}.")


@click.command()
@click.argument("run", type=RUN_ID)
@click.option("--reason", default="", help="Goes on the record.")
@calls_daemon
def undo(client: Client, out: Output, run: int, reason: str) -> None:
    """Take back the last step of RUN that can be taken back, by a run of its own."""
    begun = client.post(f"/api/v1/runs/{run}/undo", reason=reason)
    if out.as_json:
        out.json(begun)
    else:
        number = begun["id"]
        out.line(f"Run {number} takes run {run} back. See: remediator runs {number}")


def runs_table(out: Output, runs: Iterable[dict[str, Any]]) -> None:
    """One line a run."""
    out.table(
        ("ID", "INCIDENT", "CREATED (UTC)", "STATE", "SERVICE", "RULE"),
        ((r["id"], r["incident"], moment(r["created_at"]), _state(r), r["service"], r["rule"]) for r in runs),
    )


def _state(run: dict[str, Any]) -> str:
    """How it ended, or where it stands."""
    if run["hold_reason"]:
        return f"{run['status']}: {run['hold_reason']}"
    return str(run["outcome"] or run["status"])


def _show(out: Output, run: dict[str, Any], evidence: bool) -> None:
    out.line(f"Run {run['id']} of {run['rule']} on {run['service']}", style="bold")
    plan = run["plan"]
    out.fields(
        (
            ("State", _state(run)),
            ("Held", run["hold_detail"]),
            ("Why", run["reason"]),
            ("Detail", run["detail"]),
            ("Incident", f"{run['incident']} ({run['severity']}): {run['title']}"),
            ("Started by", run["requested_by"]),
            ("Created", f"{moment(run['created_at'])} UTC"),
            ("Finished", f"{moment(run['finished_at'])} UTC" if run["finished_at"] else None),
            ("To be stopped by", run["cancel_requested"]),
            ("Step", None if run["undoes"] else run["step"] + 1),
            ("Takes back", run["undoes"] and f"run {run['undoes']}"),
            ("Plan", plan and plan["summary"]),
        )
    )
    show_plan(out, plan)
    show_evidence(out, run["evidence"], texts=evidence)
    if run["approvals"]:
        out.heading("Approvals")
        out.table(
            ("ID", "ASKED (UTC)", "STATUS", "NEEDED", "DECIDED BY"),
            (
                (a["id"], moment(a["requested_at"]), a["status"], a["needed"], decided_by(a))
                for a in run["approvals"]
            ),
        )
    if run["attempts"]:
        out.heading("Attempts")
        out.table(
            ("ID", "INTENT (UTC)", "STATUS", "WHAT", "OBJECT"),
            (
                (a["id"], moment(a["intent_at"]), a["status"], a["kind"], a["object_name"] or a["object_id"])
                for a in run["attempts"]
            ),
        )


def show_plan(out: Output, plan: dict[str, Any] | None) -> None:
    """The exact objects that a plan is about, and what it would change."""
    if plan is None:
        return
    out.heading(f"Plan {plan['id']}: {plan['action']}")
    for operation in plan["operations"]:
        out.line(f"  {operation['number'] + 1}. {operation['kind']} {operation['object_name']}")
        out.line(f"     {operation['object_id']}")
        out.fields((f"     {key}", plain(value)) for key, value in operation["change"].items())
    out.line(f"  digest {plan['digest']}")


def show_evidence(out: Output, evidence: Iterable[dict[str, Any]], *, texts: bool) -> None:
    """What triage saw: a line for each look, or all of it."""
    seen = list(evidence)
    if not seen:
        return
    out.heading("Seen before acting")
    for item in seen:
        out.line(f"  {item.get('title') or item.get('check', 'check')}: {item.get('summary', '')}")
        if texts and item.get("text"):
            out.block(item["text"], indent=6)
            if item.get("text_cut"):
                out.line(f"      (only its end; the whole is at {item['path']})")


def decided_by(approval: dict[str, Any]) -> str:
    """Who said what, with their reasons."""
    return "; ".join(
        f"{d['actor']}: {'yes' if d['granted'] else 'no'}" + (f" ({d['reason']})" if d["reason"] else "")
        for d in approval["decisions"]
    )
