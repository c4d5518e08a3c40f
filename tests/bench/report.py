"""The figures on a terminal of 80 columns."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.bench.figures import Figure

WIDTH = 80
OURS = Path(__file__).resolve().parents[2] / "remediator"


def number(value: float) -> str:
    """In few characters, so that all of a line fits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(title: str, figures: Iterable[Figure]) -> Iterator[str]:
    """Medians of both sides, and the ratio or value that is judged with its least and most."""
    yield ""
    yield title
    yield f"{'':27}{'unit':>5}{'bare':>8}{'daemon':>8} {'median (min-max)':<18}{'target':<11}"
    yield "-" * WIDTH
    for figure in figures:
        judged = figure.judged
        mark = "x" if judged is not figure.daemon else ""
        middle = f"{number(statistics.median(judged))}{mark} ({number(min(judged))}-{number(max(judged))})"
        target = f"{figure.target or ''} {figure.verdict}" if figure.target else ""
        yield (
            f"{figure.name:<27}{figure.unit:>5}{number(statistics.median(figure.bare)):>8}"
            f"{number(statistics.median(figure.daemon)):>8} {middle:<18}{target}"
        ).rstrip()


def missed(groups: Iterable[tuple[str, list[Figure]]]) -> Iterator[str]:
    """The targets that the medians miss, and by how much."""
    lines = []
    for title, figures in groups:
        for figure in figures:
            if figure.target is not None and figure.verdict == "MISSED":
                median, limit = statistics.median(figure.judged), figure.target.limit
                lines.append(
                    f"  {title}\n    {figure.name}: {number(median)} instead of {figure.target}, "
                    f"{abs(median - limit) / limit:.0%} off"
                )
    yield ""
    yield "Targets missed:" if lines else "All targets are met."
    yield from lines


def histograms(rows: Iterable[tuple[str, float, float]]) -> Iterator[str]:
    """The daemon's own histograms: how often, and how long on average."""
    yield ""
    yield "The daemon's own histograms over the last round"
    yield f"{'':52}{'count':>12}{'mean ms':>14}"
    yield "-" * WIDTH
    for name, count, mean in rows:
        yield f"{name[:52]:<52}{number(count):>12}{number(mean * 1000):>14}"


def profile(title: str, rows: list[dict[str, Any]], alerts: int) -> Iterator[str]:
    """Where the processor time went: by package, and by the functions of ours that cost most in all."""
    whole = sum(row["self"] for row in rows) or 1.0
    yield ""
    yield f"{title}: processor time under the profiler, {whole / alerts * 1e6:,.0f} us an alert"
    by_package: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["thread"], package(row))
        by_package[key] = by_package.get(key, 0.0) + row["self"]
    yield f"{'thread':<22}{'package':<44}{'self':>14}"
    yield "-" * WIDTH
    for (thread, name), seconds in sorted(by_package.items(), key=lambda item: -item[1])[:14]:
        yield f"{thread[:21]:<22}{name[:43]:<44}{seconds / whole:>13.1%}"
    yield ""
    yield f"{'function of ours':<52}{'calls/alert':>12}{'self':>7}{'total':>8}"
    yield "-" * WIDTH
    ours = [row for row in rows if package(row).startswith("remediator")]
    for row in sorted(ours, key=lambda row: -row["total"])[:24]:
        name = f"{package(row).removeprefix('remediator.')}.{row['function'].replace('.<locals>', '')}"
        yield (
            f"{name[-51:]:<52}{row['calls'] / alerts:>12.2f}"
            f"{row['self'] / whole:>7.1%}{row['total'] / whole:>8.1%}"
        )


def package(row: dict[str, Any]) -> str:
    """Which code a profiled function belongs to: our module, a library, or a builtin by its name."""
    file = row["file"]
    if not file:
        return str(row["function"]).strip("<>")
    path = Path(file)
    if path.is_relative_to(OURS):
        return ".".join(path.relative_to(OURS.parent).with_suffix("").parts)
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1].removesuffix(".py")
    return "/".join(path.parts[-2:])
