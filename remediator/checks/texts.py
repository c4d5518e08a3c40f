"""How findings are written for people: tables, sizes and shares, alike in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under a head, in columns that line up."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def size(count: float) -> str:
    """A number of bytes: `512 B`, `1.5 GiB`."""
    if count < 1024:
        return f"{count:.0f} B"
    *smaller, largest = _UNITS
    for unit in smaller:
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} {largest}"


def share(part: float, whole: float | None) -> float | None:
    """How many percent of the whole a part is, to a tenth; None of nothing."""
    return round(100 * part / whole, 1) if whole else None
