"""`remediator incidents`: what is wrong, and what was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from remediator.cli.client import calls_daemon
from remediator.cli.output import moment, more
from remediator.cli.runs import runs_table
from remediator.model.words import IncidentStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remediator.cli.client import Client
    from remediator.cli.output import Output


@click.command()
@click.argument("incident", type=click.IntRange(min=1), required=False, metavar="[ID]")
@click.option("--status", type=click.Choice([s.value for s in IncidentStatus]), help="Only those.")
@click.option("--service", help="Only those of this service.")
@click.option("--before", type=click.IntRange(min=1), help="Only those before this id.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many.")
@calls_daemon
def incidents(
    client: Client,
    out: Output,
    incident: int | None,
    status: str | None,
    service: str | None,
    before: int | None,
    limit: int,
) -> None:
    """List incidents, the newest first; or show the one with this ID."""
    if incident is not None:
        found = client.get(f"/api/v1/incidents/{incident}")
        out.json(found) if out.as_json else _show(out, found)
        return
    page = client.get("/api/v1/incidents", status=status, service=service, before=before, limit=limit)
    if out.as_json:
        out.json(page)
        return
    out.table(
        ("ID", "SEV", "STATUS", "SERVICE", "OPENED (UTC)", "TITLE"),
        (
            (i["id"], i["severity"], i["status"], i["service"], moment(i["opened_at"]), i["title"])
            for i in page["incidents"]
        ),
    )
    more(out, page)


def _show(out: Output, incident: dict[str, Any]) -> None:
    out.line(f"Incident {incident['id']}: {incident['title']}", style="bold")
    out.fields(
        (
            ("Severity", incident["severity"]),
            ("Type", incident["type"]),
            ("Status", incident["status"]),
            ("Service", incident["service"]),
            ("Opened", f"{moment(incident['opened_at'])} UTC"),
            ("Resolved", f"{moment(incident['resolved_at'])} UTC" if incident["resolved_at"] else None),
        )
    )
    show_alerts(out, incident["alerts"], incident["alerts_total"])
    out.heading(f"Runs ({len(incident['runs'])})")
    if incident["runs"]:
        runs_table(out, incident["runs"])


def show_alerts(out: Output, alerts: Iterable[dict[str, Any]], total: int) -> None:
    """Each alert with all that Alertmanager told of it."""
    shown = 0
    for alert in alerts:
        shown += 1
        out.heading(f"Alert {alert['name']}, {alert['status']} since {moment(alert['starts_at'])} UTC")
        pairs = [*sorted(alert["labels"].items()), *sorted(alert["annotations"].items())]
        out.fields((f"  {name}", value) for name, value in pairs)
    if shown < total:
        out.line(f"and {total - shown} more alerts")
