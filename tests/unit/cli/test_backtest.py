"""`remediator backtest` on files: what it prints, and how it ends."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from remediator.cli import main
from remediator.cli.backtest import interruptible
from tests.simulation.given import rules

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

CONFIG = """
store: store.db
rules: [rules.yml]
services:
  web: {target: {compose_service: web}}
"""
EPISODES = (
    ("Down", "2026-03-01T10:00:00Z", "2026-03-01T10:03:00Z"),
    ("Odd", "2026-03-01T11:00:00Z", "2026-03-01T11:03:00Z"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "remediator.yml").write_text(CONFIG)
    (tmp_path / "rules.yml").write_text(rules())
    lines = [
        {"labels": {"alertname": name, "service": "web"}, "starts_at": begins, "ends_at": ends}
        for name, begins, ends in EPISODES
    ]
    (tmp_path / "past.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def backtest(folder: Path, *arguments: str) -> Result:
    command = ["backtest", "--config", str(folder / "remediator.yml"), *arguments]
    return CliRunner().invoke(main, command, env={"COLUMNS": "80"})


def test_for_people(folder: Path) -> None:
    result = backtest(folder, "--from", str(folder / "past.jsonl"), "--assume", "changes=none")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "2026-03-01 10:00 to 2026-03-01 12:03 UTC" in lines
    assert "worst hour 1 acts from 2026-03-01 10:00" in lines
    assert "web-down 1 1 1 1 1 succeeded" in lines
    assert "assumed changes=none" in lines
    assert max(map(len, result.output.splitlines())) <= 80


def test_for_programs_and_as_a_page(folder: Path) -> None:
    page = folder / "page.html"
    result = backtest(folder, "--from", str(folder / "past.jsonl"), "-o", "json", "--html", str(page))
    told = json.loads(result.output)
    assert (told["episodes"], told["acts"], told["unmatched"], told["complete"]) == (2, 1, 1, True)
    assert told["rules"]["web-down"]["acts_per_day"] == {"2026-03-01": 1}
    assert page.read_text().startswith("<!doctype html>")


def test_only_the_last_of_a_file(folder: Path) -> None:
    span = ("--until", "2026-03-01T12:00:00Z", "--since", "90m")
    result = backtest(folder, "--from", str(folder / "past.jsonl"), *span, "-o", "json")
    told = json.loads(result.output)
    assert (told["episodes"], told["unmatched"], told["begin"][:16]) == (1, 1, "2026-03-01T10:30")


def test_sigterm_ends_it_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_rules_than_those_of_the_configuration(folder: Path) -> None:
    other = folder / "other.yml"
    other.write_text(rules().replace("web-down", "candidate"))
    result = backtest(folder, str(other), "--from", str(folder / "past.jsonl"), "-o", "json")
    assert list(json.loads(result.output)["rules"]) == ["candidate"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--assume", "helth=ok"), 1, "did you mean `health`"),
        (("--flapping", "often"), 1, "a budget is written COUNT/WINDOW"),
        (("--from", "nowhere.jsonl"), 1, "nowhere.jsonl: cannot be read"),
        (("nowhere.yml",), 1, "nowhere.yml: cannot be read"),
        (("--since", "5"), 2, "not a duration"),
        (("--since", "99999999d"), 2, "it reaches back to before 1970"),
        (("--until", "9999-12-31"), 2, "the past ends now"),
        (("--until", "0001-01-01T00:00:00+14:00"), 2, "is no time"),
        (("--step", "0s"), 2, "expected more than 0"),
        (("--until", "noon"), 2, "`noon` is no time"),
        (("--from", "x", "--prometheus", "http://127.0.0.1:9"), 2, "not both"),
        ((), 3, "no Prometheus is configured: give its address with --prometheus"),
        (("--prometheus", "nonsense"), 3, "the address of Prometheus is of no use"),
        (("--prometheus", "http://127.0.0.1:9"), 3, "http://127.0.0.1:9: ClientConnectorError"),
    ],
)
def test_what_is_wrong_is_told(folder: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = backtest(folder, *arguments)
    assert (result.exit_code, message in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


def test_a_page_that_cannot_be_written(folder: Path) -> None:
    result = backtest(folder, "--from", str(folder / "past.jsonl"), "--html", str(folder / "no" / "page"))
    assert result.exit_code == 1
    assert "cannot be written: no such file or directory" in result.output
