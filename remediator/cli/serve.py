"""`remediator serve`: the daemon itself."""

from __future__ import annotations

import asyncio
import gc
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

    # A collection stops everything, and little of what a decision makes refers to itself.
    gc.set_threshold(20_000, 50, 100)
    try:
        asyncio.run(run(config))
    except StartError as error:
        click.echo(str(error), err=True)
        sys.exit(FAILED)
