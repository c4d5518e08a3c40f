"""The write-ahead log stays short without a commit that waits for it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from remediator.store import Store, database, thread
from remediator.store.database import checkpoint, open_reader, wal_bytes
from tests.lab.wait import until
from tests.unit.store.given import put, run

if TYPE_CHECKING:
    import sqlite3

    import pytest

    from tests.unit.still_clock import StillClock

PAGE = 4096


def database_bytes(path: str) -> int:
    return Path(path).stat().st_size


async def test_a_checkpoint_moves_the_log_into_the_database(filed: Store, path: str) -> None:
    await filed.add_notification(b"x" * 100_000, "am")
    before = database_bytes(path)
    await filed.checkpoint()
    assert database_bytes(path) >= before + 100_000


async def test_a_quiet_moment_is_used_for_it(
    path: str, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "_QUIET_SECONDS", 0.01)
    store = Store.open(path, clock)
    await store.add_notification(b"x" * 100_000, "am")
    await until(lambda: database_bytes(path) >= 100_000, message="the checkpoint")
    await store.close()


async def test_under_load_the_log_grows_to_its_limit_and_no_further(
    path: str, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 100 * PAGE
    monkeypatch.setattr(thread, "WAL_LIMIT", limit)
    monkeypatch.setattr(database, "_WAL_KEPT", limit // 2)
    monkeypatch.setattr(thread, "_QUIET_SECONDS", 1000)
    store = Store.open(path, clock)
    for _ in range(100):
        await store.add_notification(b"x" * 10 * PAGE, "am")
    assert wal_bytes(path) < limit + 20 * PAGE
    assert database_bytes(path) > 800 * PAGE
    await store.close()


async def test_a_reader_in_the_way_does_not_make_every_commit_try_again(
    path: str, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def counted(connection: sqlite3.Connection) -> None:
        checkpoint(connection)
        tries.append(wal_bytes(path))

    monkeypatch.setattr(thread, "WAL_LIMIT", 100 * PAGE)
    monkeypatch.setattr(thread, "_WAL_STEP", 100 * PAGE)
    monkeypatch.setattr(thread, "_QUIET_SECONDS", 1000)
    monkeypatch.setattr(thread, "checkpoint", counted)
    store = Store.open(path, clock)
    with closing(open_reader(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM notifications").fetchall()
        for _ in range(100):
            await store.add_notification(b"x" * 10 * PAGE, "am")
    assert 2 <= len(tries) <= 20
    assert tries[-1] >= 800 * PAGE
    await store.close()


async def test_below_the_limit_a_commit_makes_no_checkpoint(
    path: str, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "_QUIET_SECONDS", 1000)
    store = Store.open(path, clock)
    before = database_bytes(path)
    for _ in range(100):
        await store.add_notification(b"x" * 20 * PAGE, "am")
    assert database_bytes(path) == before
    assert wal_bytes(path) > 2000 * PAGE
    await store.close()


async def test_a_store_that_closes_leaves_nothing_but_the_database(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock)
    await put(store, run(1, 1))
    await store.close()
    assert sorted(file.name for file in Path(path).parent.iterdir()) == [
        "remediator.db",
        "remediator.db.lock",
        "remediator.db.seals",
    ]


async def test_a_processed_notification_s_body_is_not_written_again(
    path: str, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "_QUIET_SECONDS", 1000)
    store = Store.open(path, clock)
    number = await store.add_notification(b"x" * 100 * PAGE, "am")
    before = wal_bytes(path)
    await store.write(lambda transaction: transaction.mark_processed(number))
    assert wal_bytes(path) - before < 10 * PAGE
    await store.close()
