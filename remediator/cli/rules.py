"""`remediator rules`: which rules the daemon goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from remediator.cli.client import calls_daemon
from remediator.cli.output import FAILED, moment
from remediator.model.text import counted
from remediator.reading.problems import Problem

if TYPE_CHECKING:
    from remediator.cli.client import Client
    from remediator.cli.output import Output


@click.group()
def rules() -> None:
    """Look at the rules in force."""


@rules.command()
@calls_daemon
def status(client: Client, out: Output) -> None:
    """Show which rules are in force, where they came from, and why newer ones were refused.

    Exit code 1 when the last reload was refused, so that the files on disk are not what is in force.
    """
    found = client.get("/api/v1/rules")
    out.json(found) if out.as_json else _show(out, found)
    if found["refused"]:
        raise click.exceptions.Exit(FAILED)


def _show(out: Output, found: dict[str, Any]) -> None:
    refused = found["refused"]
    out.fields(
        (
            ("Version", found["version"]),
            ("Rules", found["rules"]),
            ("Loaded", f"{moment(found['loaded_at'])} UTC, by {found['loaded_by']}"),
            ("Refused since", f"{moment(refused['at'])} UTC, by {refused['by']}" if refused else "nothing"),
        )
    )
    out.heading(f"Files ({len(found['files'])})")
    out.table(
        ("SHA256", "RULES", "FILE"), ((f["sha256"][:12], f["rules"], f["file"]) for f in found["files"])
    )
    if refused:
        out.heading(f"Why the last reload was refused ({counted(refused['problems_total'], 'mistake')})")
        for problem in refused["problems"]:
            out.line(str(Problem(**problem)))
        more = refused["problems_total"] - len(refused["problems"])
        if more:
            out.line(f"and {counted(more, 'more mistake')}; `remediator check` tells all")
