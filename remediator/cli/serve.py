"""`remediator serve`: the daemon itself."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from remediator.cli.output import FAILED


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("remediator.yml"),
    show_default=True,
    envvar="REMEDIATOR_CONFIG",
    help="The configuration file.",
)
def serve(path: Path) -> None:
    """Run the daemon until it is told to stop (SIGTERM). SIGHUP reloads rules and configuration."""
    from remediator.app import StartError, run

    try:
        asyncio.run(run(path))
    except StartError as error:
        click.echo(str(error), err=True)
        sys.exit(FAILED)
