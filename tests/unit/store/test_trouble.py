"""When the store cannot do its work it says why and what to do, loses nothing, and goes on when it can."""

# ruff: noqa: ASYNC230, ASYNC240 - the files of a test are small, and nothing else runs

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from remediator.store import Store, StoreError, StoreRefused
from remediator.store.audit import verify
from tests.unit.store.given import episode, event, put, run, saving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from remediator.model.event import Event
    from remediator.store import Transaction
    from tests.unit.still_clock import StillClock

BIG = b"x" * 50_000


@contextmanager
def files_may_not_grow(path: str) -> Iterator[None]:
    """The kernel refuses to write beyond what the write-ahead log has now, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size + 100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def fails(*coroutines: Any, match: str) -> None:
    for result in await asyncio.gather(*coroutines, return_exceptions=True):
        with pytest.raises(StoreError, match=match):
            raise result


async def everything(store: Store) -> tuple[list[bytes], list[int], list[int]]:
    """Bodies, runs and seqs that are in the store."""
    return await store.read(
        lambda reader: (
            [notification.body for notification in reader.pending_notifications(100)],
            [run.id for run in reader.unfinished_runs()],
            [told.seq for told in reader.list_events()],
        )
    )


async def test_a_write_that_the_disk_refuses_fails_all_of_its_commit(filed: Store, path: str) -> None:
    told: list[Sequence[Event]] = []
    await filed.add_notification(b"before", "am")
    await put(filed, run(1, 1))
    filed.on_commit(told.append)
    with files_may_not_grow(path):
        await fails(
            filed.add_notification(BIG, "am"),
            put(filed, run(2, 2)),
            put(filed, run(3, 3)),
            filed.check(),
            match="look at its disk, its free space",
        )
        assert await everything(filed) == ([b"before"], [1], [1])
    assert told == []
    assert await filed.add_notification(b"after", "am") == 2
    await filed.check()
    await put(filed, run(4, 4))
    assert await everything(filed) == ([b"before", b"after"], [1, 4], [1, 2])
    assert [event.puts[0].id for events in told for event in events] == [4]
    await filed.seal()
    assert verify(path).ok


@pytest.mark.parametrize("first", ["notification", "job"])
async def test_a_full_database_fails_and_goes_on_when_there_is_room(store: Store, first: str) -> None:
    def limit(pages: int) -> Any:
        return lambda transaction: transaction._connection.execute(f"PRAGMA max_page_count = {pages}")

    await store.add_notification(b"before", "am")
    await put(store, run(1, 1))
    await store.write(limit(1))  # no fewer than it has
    wide = event(run(2, 2), text="x" * 50_000)
    failing = store.add_notification(BIG, "am") if first == "notification" else store.write(saving(wide))
    await fails(failing, match="free space on its disk")
    assert await everything(store) == ([b"before"], [1], [1])
    await store.write(limit(1_000_000))
    assert await store.add_notification(BIG, "am") == 2
    await store.write(saving(wide))
    assert await everything(store) == ([b"before", BIG], [1, 2], [1, 2])


async def test_a_job_that_ends_the_transaction_fails_with_it(store: Store) -> None:
    def job(transaction: Transaction) -> None:
        transaction.save([event(run(1, 1))])
        transaction._connection.execute("ROLLBACK")

    await fails(store.write(job), match="no such savepoint")
    await put(store, run(2, 2))
    assert (await everything(store))[1:] == ([2], [1])


def twice(transaction: Transaction) -> None:
    """Two open episodes of one alert."""
    transaction.save([event(episode(1, "ab")), event(episode(2, "ab"))])


def misspelt(transaction: Transaction) -> None:
    transaction._connection.execute("SELECT nothing FROM nowhere")


def misused(transaction: Transaction) -> None:
    transaction._connection.execute("SELECT ?", ())


def heedless(transaction: Transaction) -> None:
    """Goes on after its events could not be saved."""
    with suppress(sqlite3.IntegrityError):
        twice(transaction)


@pytest.mark.parametrize(
    "job", [twice, misspelt, misused, heedless, lambda transaction: transaction.mark_processed(99)]
)
async def test_what_can_never_be_written_is_refused_and_costs_nobody_else(store: Store, job: Any) -> None:
    results = await asyncio.gather(put(store, run(1, 1)), store.write(job), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), StoreRefused]
    assert (await everything(store))[1:] == ([1], [1])


async def test_a_disk_that_is_full_refuses_nothing_for_good(filed: Store, path: str) -> None:
    await put(filed, run(1, 1))
    with files_may_not_grow(path):
        results = await asyncio.gather(put(filed, run(2, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreError]


async def test_a_store_that_is_closed_with_a_full_disk_is_closed(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock)
    await put(store, run(1, 1))
    with files_may_not_grow(path), pytest.raises(StoreError, match="free space"):
        await store.close()
    store = Store.open(path, clock)
    assert (await everything(store))[1:] == ([1], [1])
    await store.close()
    assert verify(path).ok


async def test_a_second_daemon_is_refused(filed: Store, path: str, clock: StillClock) -> None:
    with pytest.raises(StoreError, match=rf"the process {os.getpid()} uses it .*stop that daemon"):
        Store.open(path, clock)
    await put(filed, run(1, 1))
    await filed.close()
    await Store.open(path, clock).close()


async def test_a_daemon_that_could_not_open_its_store_does_not_keep_it(path: str, clock: StillClock) -> None:
    Path(path).write_bytes(b"no database at all" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"not a database.*move it away"):
            Store.open(path, clock)
    Path(path).unlink()
    await Store.open(path, clock).close()


async def test_somebody_else_s_database_is_refused_and_left_as_it_was(path: str, clock: StillClock) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.commit()
    before = Path(path).read_bytes()
    with pytest.raises(StoreError, match=r"not Remediator's \(recipes, .*give the store a path of its own"):
        Store.open(path, clock)
    assert Path(path).read_bytes() == before


async def test_a_newer_schema_is_refused(path: str, clock: StillClock) -> None:
    await Store.open(path, clock).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
        connection.commit()
    with pytest.raises(StoreError, match="revision 0999, which this version of Remediator does not know"):
        Store.open(path, clock)
    with pytest.raises(StoreError, match="revision 0999, and this version of Remediator audits"):
        verify(path)


async def test_a_damaged_database_is_told(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock)
    for number in range(50):
        await store.add_notification(BIG, "am")
        await put(store, run(number, number))
    await store.close()
    with Path(path).open("r+b") as file:
        for page in range(4, 60):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with pytest.raises(StoreError, match=r"malformed.*restore the newest backup"):
        store = Store.open(path, clock)
        try:
            await everything(store)
        finally:
            await store.close()
    # Whatever was in the way, it is not locked.
    Path(path).unlink()
    await Store.open(path, clock).close()


async def test_a_database_that_another_program_holds_is_told(filed: Store, path: str) -> None:
    await filed.write(lambda transaction: transaction._connection.execute("PRAGMA busy_timeout = 20"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await fails(
            filed.add_notification(b"{}", "am"),
            put(filed, run(1, 1)),
            filed.check(),
            filed.seal(),
            match="another program holds it locked",
        )
        assert await everything(filed) == ([], [], [])  # reading goes on
        other.execute("ROLLBACK")
    await put(filed, run(1, 1))
    assert await filed.add_notification(b"{}", "am") == 1


def test_a_directory_that_is_not_there_is_named(path: str, clock: StillClock) -> None:
    with pytest.raises(StoreError, match=r"no directory .*/missing; create it"):
        Store.open(str(Path(path).parent / "missing" / "remediator.db"), clock)


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A directory of nobody's, with nobody's rights: root itself may write anywhere."""
    directory = Path(tempfile.mkdtemp(prefix="remediator-test-"))
    directory.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.chown(directory, 65534, 65534)
        os.seteuid(65534)
    try:
        yield directory
    finally:
        if root:
            os.seteuid(0)
        directory.chmod(0o755)
        shutil.rmtree(directory)


async def test_a_directory_that_cannot_be_written_is_told(clock: StillClock) -> None:
    with as_nobody() as directory:
        directory.chmod(0o555)
        with pytest.raises(StoreError, match=rf"{directory} cannot be written by the daemon's user"):
            Store.open(str(directory / "remediator.db"), clock)


async def test_a_database_that_cannot_be_written_is_told(clock: StillClock) -> None:
    with as_nobody() as directory:
        path = directory / "remediator.db"
        await Store.open(str(path), clock).close()
        path.chmod(0o444)
        with pytest.raises(StoreError, match="make it and its directory writable for the daemon's user"):
            Store.open(str(path), clock)


async def test_a_lock_that_cannot_be_opened_is_told(clock: StillClock) -> None:
    with as_nobody() as directory:
        path = directory / "remediator.db"
        await Store.open(str(path), clock).close()
        Path(f"{path}.lock").chmod(0o000)
        with pytest.raises(StoreError, match=r"cannot open its lock file .*Permission denied"):
            Store.open(str(path), clock)


async def test_a_copy_that_nothing_can_be_written_beside_can_be_audited(clock: StillClock) -> None:
    with as_nobody() as directory:
        path = directory / "remediator.db"
        store = Store.open(str(path), clock)
        await put(store, run(1, 1))
        await store.close()
        path.chmod(0o444)
        directory.chmod(0o555)
        assert verify(str(path)).counts["events"] == 1


def test_what_is_not_there_cannot_be_audited(path: str) -> None:
    with pytest.raises(StoreError, match="there is no such file"):
        verify(path)
    assert not Path(path).exists()


def test_an_empty_file_cannot_be_audited(path: str) -> None:
    Path(path).touch()
    with pytest.raises(StoreError, match="the revision None"):
        verify(path)
