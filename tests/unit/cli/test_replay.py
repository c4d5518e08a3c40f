"""`remediator replay` on a store that a simulated house has left behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from remediator.cli import main
from tests.simulation.given import rules
from tests.unit.history.recorded import Past

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.simulation.house import House

CONFIG = """
store: past.db
rules: [rules.yml]
services:
  web: {target: {compose_service: web}}
"""


async def one_crash(house: House) -> None:
    house.watch()
    house.docker.crash("app-web-1")
    await house.finished()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "remediator.yml").write_text(CONFIG)
    Past(tmp_path, rules(), one_crash)
    return tmp_path


def replay(folder: Path, *arguments: str) -> Result:
    command = ["replay", "--config", str(folder / "remediator.yml"), *arguments]
    return CliRunner().invoke(main, command, env={"COLUMNS": "80"})


def candidate(folder: Path) -> str:
    file = folder / "candidate.yml"
    file.write_text(rules().replace("severity: P1", "severity: P1\n        mode: shadow"))
    return str(file)


def test_the_rules_of_the_configuration(folder: Path) -> None:
    result = replay(folder, "--exit-code")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "No differences"
    told = replay(folder, "--all").output
    assert "web: same" in told
    assert told.count("web-down: restart; succeeded (verified)") == 2


def test_other_rules(folder: Path) -> None:
    result = replay(folder, "--rules", candidate(folder))
    assert result.exit_code == 0, result.output
    assert "web: held instead of acted" in result.output
    assert "web-down: restart; succeeded (verified)" in result.output
    assert "web-down: shadow (shadow)" in result.output
    assert result.output.splitlines()[-1] == "1 held instead of acted"
    assert max(map(len, result.output.splitlines())) <= 80


def test_for_programs(folder: Path) -> None:
    result = replay(folder, "--rules", candidate(folder), "-o", "json", "--exit-code")
    assert result.exit_code == 4
    told = json.loads(result.output)
    assert (told["runs"], told["different"]) == (1, 1)
    (act,) = told["lines"][0]["then"]["acts"]
    assert (act["step"], act["action"]) == (0, "restart")
    assert told["lines"][0]["now"]["acts"] == []


def test_runs_of_another_time_are_left_out(folder: Path) -> None:
    assert json.loads(replay(folder, "--from", "2027-01-01", "-o", "json").output)["runs"] == 0


def test_the_store_is_only_read(folder: Path) -> None:
    before = (folder / "past.db").read_bytes()
    replay(folder)
    assert (folder / "past.db").read_bytes() == before
    assert sorted(path.name for path in folder.glob("past.db*")) == ["past.db"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--store", "nowhere.db"), 3, "store nowhere.db: there is no such file"),
        (("--assume", "helth=ok"), 1, "did you mean `health`"),
        (("--rules", "nowhere.yml"), 1, "nowhere.yml: cannot be read"),
        (("--since", "1h", "--from", "2026-01-01"), 2, "not both"),
        (("--since", "99999999d"), 2, "it reaches back to before 1970"),
    ],
)
def test_what_is_wrong_is_told(folder: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = replay(folder, *arguments)
    assert (result.exit_code, message in result.output) == (code, True), result.output
