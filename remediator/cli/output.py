"""What commands print: tables and texts for people, JSON for programs.

Much of it comes from alerts and containers, so everything passes `harmless` before it meets a
terminal. Nothing is cut off: what does not fit a line of the terminal is folded. To a pipe or a file a
line is a line, however long (unless COLUMNS says otherwise), and there is no colour.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from remediator.model.text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType
    from rich.text import Text

FAILED = 1
"""Exit code: it was refused, or did not succeed."""
UNREACHABLE = 3
"""Exit code: no daemon answered. (2 is click's, for wrong usage.)"""

MAX_NAME = 30
"""Columns of a terminal that the name of a field takes at most; labels may have long ones."""
UNFOLDED = 10**9
"""Columns that whatever is no terminal has."""

_STYLES = {
    "P0": "bold red",
    "P1": "red",
    "P2": "yellow",
    "succeeded": "green",
    "granted": "green",
    "failed": "red",
    "denied": "red",
    "inconclusive": "yellow",
    "unknown": "bold red",
    "held": "yellow",
    "pending": "bold yellow",
    "awaiting_approval": "bold yellow",
    "firing": "red",
    "resolved": "green",
    "open": "red",
}
"""Words that are worth a colour, wherever they stand alone in a cell."""


def moment(text: str | None) -> str:
    """A time of the API for people, to the second and in UTC; a dash for none."""
    return text[:19].replace("T", " ") if text else "-"


def plain(value: Any) -> str:
    """A value of the API on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Output:
    """Where a command prints to, and in which form."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console  # only here: JSON is printed without it, and sooner

        width = None if self._folds else UNFOLDED
        return Console(highlight=False, markup=False, emoji=False, width=width)

    @cached_property
    def _folds(self) -> bool:
        return sys.stdout.isatty() or "COLUMNS" in os.environ

    def json(self, value: Any, *, indent: int | None = 2) -> None:
        """A value as JSON."""
        click.echo(json.dumps(value, indent=indent))

    def line(self, text: str = "", *, style: str = "") -> None:
        """A line of text."""
        self._print(_text(text, style))

    def block(self, text: str, *, indent: int = 2) -> None:
        """Text of several lines, set in."""
        from rich.padding import Padding

        self._print(Padding(_text(text.rstrip("\n"), lines=True), (0, 0, 0, indent), expand=False))

    def heading(self, text: str) -> None:
        """What the following is about, after an empty line."""
        self.line()
        self.line(text, style="bold")

    def fields(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names and values, one pair a line; pairs without a value are left out."""
        from rich.table import Table

        grid = Table.grid(padding=(0, 2))
        grid.add_column(overflow="fold", max_width=MAX_NAME if self._folds else None)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            if value is not None and value != "":
                grid.add_row(_text(name, "dim"), _text(str(value), lines=True))
        self._print(grid)

    def table(self, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table whose last column takes the room that is left."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name in names[:-1]:
            table.add_column(name, overflow="fold")
        table.add_column(names[-1], overflow="fold", ratio=1)
        for row in rows:
            table.add_row(*(_text("-" if value in (None, "") else str(value)) for value in row))
        self._print(table)

    def note(self, text: str) -> None:
        """A remark beside the result, on the error stream."""
        click.echo(harmless(text), err=True)

    def _print(self, what: RenderableType) -> None:
        """Print without the spaces that tables are filled up with, which only disturb whoever copies."""
        with self._console.capture() as capture:
            self._console.print(what)
        for line in capture.get().splitlines():
            click.echo(line.rstrip(" "))


def more(out: Output, answer: dict[str, Any], option: str = "--before") -> None:
    """Tell how to see what did not fit on this page."""
    if answer.get("next") is not None:
        out.note(f"There may be more: add {option} {answer['next']}")


def _text(value: str, style: str = "", *, lines: bool = False) -> Text:
    from rich.text import Text

    return Text(harmless(value, lines=lines), style=style or _STYLES.get(value, ""))
