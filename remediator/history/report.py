"""What a backtest found, as one value that prints as JSON, and from which texts and pages are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from remediator.history.backtest import Backtest
    from remediator.model.words import Json


def report(backtest: Backtest, assumed: Sequence[str]) -> dict[str, Json]:
    """Everything that was found. `assumed` is as it was written."""
    return {
        "begin": backtest.begin.isoformat(),
        "end": backtest.reached.isoformat(),
        "complete": backtest.complete,
        "rules_version": backtest.setup.rules.version,
        "assumed": dict(text.split("=", 1) for text in assumed),
        **backtest.tally.told(),
    }


def tables(told: Mapping[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """What the rules tell beside acts and outcomes: for each table its rows, the most frequent first."""
    found: dict[str, list[tuple[Any, ...]]] = {
        "holds": [(r, h["guardrail"], h["reason"], h["count"]) for r, h in _each(told, "holds")],
        "denials": [(r, *item) for r, item in _items(told, "denials")],
        "approvals": [(r, *item) for r, item in _items(told, "approvals")],
        "depends_on": [(r, d["what"], d["fact"], d["count"]) for r, d in _each(told, "depends_on")],
    }
    return {name: sorted(rows, key=lambda row: (-row[-1], row)) for name, rows in found.items()}


def _each(told: Mapping[str, Any], what: str) -> Iterator[tuple[str, Any]]:
    for name, rule in told["rules"].items():
        for entry in rule[what]:
            yield name, entry


def _items(told: Mapping[str, Any], what: str) -> Iterator[tuple[str, tuple[str, int]]]:
    for name, rule in told["rules"].items():
        for item in rule[what].items():
            yield name, item
