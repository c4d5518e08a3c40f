"""No cell of the record or of the state can be changed unseen, whichever it is."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from remediator.model.run import ApprovalDecision, Claim, Control, Effect, Lock, Timer
from remediator.model.snapshot import KEYS
from remediator.store import Store
from remediator.store.audit import verify
from remediator.store.tables import TABLES, chains, events, seals
from tests.unit.still_clock import NOON, StillClock
from tests.unit.store.given import (
    approval,
    attempt,
    episode,
    event,
    incident,
    message,
    operation,
    plan,
    run,
    saving,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Table

ONE_OF_EACH = (
    incident(),
    episode(),
    run(),
    plan(),
    operation(),
    attempt(),
    approval(),
    message(),
    ApprovalDecision(approval_id=1, actor="alice", granted=True, reason="", at=NOON),
    Effect(
        id=1, service="web", kind="maintenance", base=0, applied=1, until=None, status="on", created_at=NOON
    ),
    Claim(effect_id=1, incident_id=1, wanted=None, since=NOON),
    Lock(service="web", run_id=1, since=NOON),
    Timer(key="run:1", due_at=NOON),
    Control(key="pause", by="bob", reason="", at=NOON),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "remediator.db"

    async def make() -> None:
        store = Store.open(str(path), StillClock())
        await store.write(saving(event(*ONE_OF_EACH, incident_id=1)))
        await store.close()

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as connection:
        for name in ("events", "seals"):
            connection.execute(f"DROP TRIGGER {name}_refuse_update")
    return path


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, (int, float)):
        return value + 1
    return "other" if value is None else f"{value}."


def test_there_is_one_of_each() -> None:
    assert {type(entity) for entity in ONE_OF_EACH} == set(KEYS)


@pytest.mark.parametrize("table", [events, chains, seals, *TABLES.values()], ids=lambda table: table.name)
def test_every_column_counts(table: Table, whole: Path, path: str) -> None:
    shutil.copy(f"{whole}.seals", f"{path}.seals")
    for column in table.c:
        shutil.copy(whole, path)
        with closing(sqlite3.connect(path)) as connection:
            (value,) = connection.execute(f"SELECT {column.name} FROM {table.name}").fetchone()
            connection.execute(f"UPDATE {table.name} SET {column.name} = ?", (other(value),))
            connection.commit()
        problem = verify(path).problem or "nothing"
        assert problem.startswith(table.name), f"{column.name} changed: {problem}"
