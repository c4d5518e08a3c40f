"""`remediator serve`: the daemon itself."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from remediator.cli.options import config_option
from remediator.cli.output import FAILED

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@config_option()
def serve(config: Path) -> None:
    """Run the daemon until it is told to stop (SIGTERM). SIGHUP reloads rules and configuration."""
    from remediator.app import StartError, run

    try:
        asyncio.run(run(config))
    except StartError as error:
        click.echo(str(error), err=True)
        sys.exit(FAILED)
