"""The page: everything in it is text, and nothing is fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from remediator.history.page import as_page
from tests.unit.history.given import backtest, setup

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "<script>alert('&')</script>"


def told(folder: Path) -> dict[str, Any]:
    tally = backtest(setup(folder), ("Down", "web", 10, 13), ("Down", "web", 100, 150))
    return {
        "begin": "2026-03-01T00:00:00+00:00",
        "end": "2026-03-02T00:00:00+00:00",
        "complete": True,
        "rules_version": "0" * 64,
        "assumed": {},
        **tally.told(),
    }


def test_a_bar_for_each_day_with_acts(tmp_path: Path) -> None:
    page = as_page(told(tmp_path))
    assert "<title>2026-03-01: 2 by web-down</title>" in page
    assert "<title>00:00: 1</title>" in page


def test_names_are_text(tmp_path: Path) -> None:
    value = told(tmp_path)
    value["rules"][EVIL] = value["rules"].pop("web-down")
    value["flapping"]["services"] = {EVIL: 9}
    value["assumed"] = {EVIL: EVIL}
    page = as_page(value)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 5


def test_nothing_is_fetched(tmp_path: Path) -> None:
    page = as_page(told(tmp_path))
    assert not re.search(r"https?:|src=|href=|url\(|@import", page)
    assert "default-src 'none'" in page


def test_a_past_without_acts_has_a_page(tmp_path: Path) -> None:
    tally = backtest(setup(tmp_path))
    value = {**told(tmp_path), **tally.told()}
    assert "<svg" not in as_page(value)


def test_many_rules_share_the_last_colour(tmp_path: Path) -> None:
    value = told(tmp_path)
    one = value["rules"]["web-down"]
    value["rules"] = {f"rule-{n}": {**one, "acts": 20 - n} for n in range(9)}
    page = as_page(value)
    assert "other rules" in page
    assert "2026-03-01: 8 by other rules" in page
