"""Commands about the daemon as a whole: `status`, the kill switch, and `reload`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from remediator.cli.client import calls_daemon
from remediator.cli.output import FAILED, moment

if TYPE_CHECKING:
    from remediator.cli.client import Client
    from remediator.cli.output import Output


@click.command()
@calls_daemon
def status(client: Client, out: Output) -> None:
    """Show how the daemon is. Exit code 1 when it is not ready."""
    found = client.get("/api/v1/status")
    if out.as_json:
        out.json(found)
    else:
        _show(out, found)
    if not found["ready"]:
        raise click.exceptions.Exit(FAILED)


@click.command()
@click.option("--reason", required=True, help="Goes on the record, and is shown to everybody.")
@calls_daemon
def pause(client: Client, out: Output, reason: str) -> None:
    """Throw the kill switch: nothing new is done until `resume`. What acts now is finished."""
    answer = client.post("/api/v1/pause", reason=reason)
    out.json(answer) if out.as_json else out.line("Paused. Nothing new is done until: remediator resume")


@click.command()
@click.option("--reason", default="", help="Goes on the record.")
@calls_daemon
def resume(client: Client, out: Output, reason: str) -> None:
    """Release the kill switch."""
    answer = client.post("/api/v1/resume", reason=reason)
    out.json(answer) if out.as_json else out.line("Resumed.")


@click.command()
@calls_daemon
def reload(client: Client, out: Output) -> None:
    """Have the daemon read configuration and rules anew. A mistake leaves the old ones in force."""
    answer = client.post("/-/reload")
    out.json(answer) if out.as_json else out.line(f"Rules loaded, version {answer['rules_version']}.")


def _show(out: Output, found: dict[str, Any]) -> None:
    pause = found["pause"]
    by_whom = (
        f"yes, by {pause['by']} since {moment(pause['at'])} UTC: {pause['reason']}"
        if pause
        else "yes, by the pause file"
    )
    opened = ", ".join(f"{count} {severity}" for severity, count in found["incidents_open"].items() if count)
    out.fields(
        (
            ("Version", found["version"]),
            ("Rules", f"version {found['rules_version'][:12]}"),
            ("Ready", "yes" if found["ready"] else "no"),
            ("Paused", by_whom if found["paused"] else "no"),
            ("Incidents open", opened or "none"),
            ("Approvals pending", found["approvals_pending"]),
            ("Notifications pending", found["notifications_pending"]),
            ("Oldest message waits", f"{found['outbox_oldest_seconds']:.0f} s"),
        )
    )
    out.heading("Checks")
    checks = found["checks"].items()
    out.table(("CHECK", "OK", "DETAIL"), ((n, "yes" if c["ok"] else "no", c["detail"]) for n, c in checks))
