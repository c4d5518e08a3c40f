"""The journal: everything that arrived and was decided, read beside whoever writes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from remediator.store import Store, StoreError
from remediator.store.journal import Journal
from tests.simulation.given import rules
from tests.unit.history.recorded import Past
from tests.unit.still_clock import StillClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulation.house import House


async def one_act(house: House) -> None:
    await house.fire()
    await house.acts()


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path, rules(), one_act)


def test_what_arrived_and_what_was_decided_in_order(past: Past) -> None:
    with Journal(str(past.path)) as journal:
        (notification,) = journal.notifications()
        read = list(journal.events())
    assert b'"status": "firing"' in notification.body
    seen = past.house.witness.events
    assert [(event.kind, event.at, event.puts) for event in read] == [
        (event.kind, event.at, event.puts) for event in seen[: len(read)]
    ]
    assert "run.decided" in {event.kind for event in read}


async def test_a_store_that_is_open_is_read_beside(tmp_path: Path) -> None:
    path = str(tmp_path / "open.db")
    store = Store.open(path, StillClock())
    await store.add_notification(b"{}", "test")
    with Journal(path) as journal:
        assert [n.body for n in journal.notifications()] == [b"{}"]
    await store.close()


def test_an_event_that_cannot_be_read_is_told_with_a_remedy(past: Past) -> None:
    with closing(sqlite3.connect(past.path)) as connection, connection:
        connection.execute("DROP TRIGGER events_refuse_update")
        connection.execute("UPDATE events SET body = 'x' WHERE seq = 2")
    with Journal(str(past.path)) as journal, pytest.raises(StoreError, match="audit verify"):
        list(journal.events())
