"""Where the configuration is, for the commands that read it themselves."""

from __future__ import annotations

from pathlib import Path

import click

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    default=Path("remediator.yml"),
    envvar="REMEDIATOR_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The configuration.",
)
"""`--config FILE`, the same everywhere."""
