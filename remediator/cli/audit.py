"""`remediator audit verify`: whether the record is whole, and the tables agree with it.

Works on the store's file, without the daemon and beside it: whoever has to doubt the daemon's
record will not ask the daemon.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from remediator.cli.options import config_option, output_option
from remediator.cli.output import FAILED, Output
from remediator.model.text import harmless

if TYPE_CHECKING:
    from remediator.store.audit import Report


@click.group()
def audit() -> None:
    """Look after the record."""


@audit.command()
@click.argument("store", type=click.Path(path_type=Path), required=False, metavar="[STORE]")
@config_option("Without STORE: the configuration that names it.")
@output_option
def verify(store: Path | None, config: Path, output: str) -> None:
    """Check STORE: the chains of events, their seals, and the tables against the events.

    Reads only, also beside a running daemon. Exit code 1 names the first thing that is wrong.
    """
    from remediator.store import StoreError
    from remediator.store.audit import verify as look

    path = store or _store_of(config)
    try:
        report = look(str(path))
    except StoreError as error:
        raise click.ClickException(harmless(str(error))) from None
    out = Output(as_json=output == "json")
    if out.as_json:
        out.json(asdict(report))
    else:
        out.line(
            f"{path}: {'whole' if report.ok else 'NOT WHOLE'}", style="green" if report.ok else "bold red"
        )
        if report.problem:
            out.line(report.problem)
        out.fields([*report.counts.items(), ("last_seal", _seal(report))])
    if not report.ok:
        raise click.exceptions.Exit(FAILED)


def _seal(report: Report) -> str | None:
    """To be compared with the one in a copy of the seals that is kept elsewhere."""
    last = report.last_seal
    return last and f"number {last['number']} of {last['at']}, hash {last['hash']}"


def _store_of(config: Path) -> Path:
    from remediator.config import load_config
    from remediator.reading.problems import InputError

    try:
        return load_config(config).store
    except InputError as error:
        raise click.ClickException(str(error)) from None
