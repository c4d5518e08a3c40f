"""Options that several commands have, and that mean the same in each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or JSON for programs.",
)


def config_option(help: str = "The configuration file.") -> Callable[[Any], Any]:  # noqa: A002 (as click has it)
    """`--config`, handed over as `config`."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("remediator.yml"),
        envvar="REMEDIATOR_CONFIG",
        show_default=True,
        show_envvar=True,
        help=help,
    )
