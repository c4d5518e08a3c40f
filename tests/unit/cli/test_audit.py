"""`audit verify` as people and programs read it; what it finds is tested with the store."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from click.testing import CliRunner

from remediator.cli import main
from remediator.store import Store
from tests.unit.still_clock import StillClock
from tests.unit.store.day import fill

if TYPE_CHECKING:
    from pathlib import Path


async def store(folder: Path) -> Path:
    """One that has seen a day, with a path that no terminal has room for."""
    path = folder / ("long" * 30) / "remediator.db"
    path.parent.mkdir()
    opened = Store.open(str(path), StillClock())
    await fill(opened)
    await opened.close()
    return path


def verify(*args: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["audit", "verify", *args], env={"COLUMNS": None})
    assert result.exit_code == code, result.output
    return result.stdout


async def test_people_read_the_path_on_one_line_and_the_last_seal(tmp_path: Path) -> None:
    path = await store(tmp_path)
    first, *fields = verify(str(path)).splitlines()
    assert first == f"{path}: whole"
    told = dict(line.split(maxsplit=1) for line in fields)
    seal = json.loads(verify(str(path), "-o", "json"))["last_seal"]
    assert told["last_seal"] == f"number 3 of {seal['at']}, hash {seal['hash']}"
    assert told["events"] == "9"


async def test_a_store_without_a_seal_has_none_to_show(tmp_path: Path) -> None:
    path = tmp_path / "remediator.db"
    opened = Store.open(str(path), StillClock())
    await opened.close()
    assert "last_seal" not in verify(str(path))


async def test_what_is_wrong_is_said_after_the_verdict(tmp_path: Path) -> None:
    path = await store(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET service = 'other'")
    verdict, problem, *_ = verify(str(path), code=1).splitlines()
    assert verdict == f"{path}: NOT WHOLE"
    assert problem.startswith("runs")
