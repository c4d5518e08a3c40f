"""The store as the rest of the daemon sees it: asynchronous outside, one writing thread inside."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, TypeVar

from remediator.clock import Clock
from remediator.model.event import Event
from remediator.store.database import (
    MEMORY,
    check_place,
    checkpoint,
    identity_of,
    open_reader,
    open_writer,
)
from remediator.store.errors import StoreBusy, StoreError, explain
from remediator.store.lock import LockFile
from remediator.store.queries import Reader
from remediator.store.seal import Seal, SealFile
from remediator.store.thread import Errand, Inline, Works, WriterThread
from remediator.store.transaction import Transaction
from remediator.store.writer import Arrival, Batch, Job, Writer

T = TypeVar("T")
Listener = Callable[[Sequence[Event]], None]


class Store:
    """A database that is open, and locked against a second daemon. Made by `open`.

    Its methods are called on one event loop.
    """

    def __init__(
        self,
        path: str,
        clock: Clock,
        writing: sqlite3.Connection,
        reading: sqlite3.Connection | None,
        max_waiting: int,
        max_waiting_bytes: int,
    ) -> None:
        """`reading` None: everything runs inline, on the one connection."""
        self.identity = identity_of(writing)
        """Random, made with the database."""
        self._path = path
        self._clock = clock
        self._resources = ExitStack()
        self._max_waiting, self._max_waiting_bytes = max_waiting, max_waiting_bytes
        self._waiting = self._waiting_bytes = 0
        self._closed = False
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seals = None if path == MEMORY else SealFile(path)
        self._seals_behind = not self._mend_seals(writing)
        self._reading = reading or writing
        self._readers = ThreadPoolExecutor(1, "store-reader") if reading else None
        writer = Writer(writing, path, clock)
        self._works: Works
        if reading:
            self._works = WriterThread(writer, path, self._deliver, self._post)
        else:
            self._works = Inline(writer, path, self._deliver)

    @classmethod
    def open(
        cls,
        path: str,
        clock: Clock,
        *,
        threads: bool = True,
        max_waiting: int = 10_000,
        max_waiting_bytes: int = 100_000_000,
    ) -> "Store":
        """Lock, open and if need be create or migrate the database at `path`.

        Without `threads` everything runs on the thread that calls, in the order of the calls; then
        `path` may also be `:memory:`. `max_waiting` is how many notifications may wait for their
        commit, and `max_waiting_bytes` how long their bodies may be together; one may always wait
        alone. Raises StoreError, which says what is in the way.
        """
        if threads and path == MEMORY:
            raise StoreError("a store in memory belongs to one thread: open it without threads")
        with ExitStack() as resources:
            if path != MEMORY:
                check_place(path)
                resources.callback(LockFile(path).release)
            writing = open_writer(path)
            resources.callback(writing.close)
            reading = open_reader(path) if threads else None
            if reading:
                resources.callback(reading.close)
            try:
                store = cls(path, clock, writing, reading, max_waiting, max_waiting_bytes)
            except sqlite3.Error as error:
                raise explain(path, error) from error
            store._resources = resources.pop_all()
            return store

    async def add_notification(self, body: bytes, source: str) -> int:
        """Commit a webhook's body to disk, ahead of all other work; returns its id.

        Raises StoreBusy when too many wait already, and StoreError if it cannot be committed.
        """
        waiting, size = self._waiting, self._waiting_bytes + len(body)
        if waiting >= self._max_waiting or (waiting and size > self._max_waiting_bytes):
            megabytes = self._waiting_bytes / 1e6
            raise StoreBusy(
                f"store {self._path}: {waiting} notifications wait to be written, {megabytes:.1f} MB in all"
            )
        done: asyncio.Future[int] = self._future()
        self._waiting, self._waiting_bytes = waiting + 1, size
        self._works.put(Arrival(done, body, source))
        return await done

    async def write(self, job: Callable[[Transaction], T]) -> T:
        """Run a short job on the writer's thread, and return what it returned once that is on disk.

        What the job raises undoes the job and nothing else, and is raised here. StoreError if it
        cannot be committed: then nothing of it is on disk. Whoever stops waiting does not stop the job.
        """
        done: asyncio.Future[T] = self._future()
        self._works.put(Job(done, job))
        return await done

    async def read(self, job: Callable[[Reader], T]) -> T:
        """Run a short job that reads one consistent moment, beside the writer. Raises what it raises."""
        if self._closed:
            raise self._closed_error()
        return await self._on_reader(partial(self._read, job))

    def on_commit(self, listener: Listener) -> None:
        """Have every event handed over after its commit, before those hear of it who wrote it.

        In the order of the record, on the event loop, a list for each commit that holds some. What a
        listener raises goes to the loop's exception handler.
        """
        self._listeners.append(listener)

    async def seal(self) -> None:
        """Seal the events since the last seal, in the database and in the file beside it.

        Raises StoreError; what could not be done is done by the next seal.
        """
        await self._seal(self.write(Transaction.seal))

    async def checkpoint(self) -> None:
        """Move the write-ahead log into the database, as far as no reader is in the way."""
        await self._errand(checkpoint)

    async def check(self) -> None:
        """Write something to disk that means nothing. StoreError says why that cannot be done."""
        await self.write(Transaction.touch)

    async def close(self) -> None:
        """Finish what waits, seal, empty the write-ahead log, and unlock. Further calls are refused.

        StoreError if the last seal could not be written; everything is closed nevertheless.
        """
        if self._closed:
            return
        sealed = self._future()
        emptied = self._future()
        self._closed = True
        self._works.put(Job(sealed, Transaction.seal))
        try:
            await self._seal(sealed)
        finally:
            if self._readers:
                self._readers.shutdown()
                self._reading.close()
            self._works.put(Errand(emptied, partial(checkpoint, truncate=True)))
            await asyncio.wait([emptied])
            self._works.stop()
            self._resources.close()

    def _mend_seals(self, connection: sqlite3.Connection) -> bool:
        """Append to the file what a crash kept from it; if that cannot be done, the next seal tries again."""
        try:
            if self._seals is not None:
                self._seals.catch_up(connection)
        except StoreError:
            return False
        return True

    def _future(self) -> asyncio.Future[Any]:
        if self._closed:
            raise self._closed_error()
        self._loop = asyncio.get_running_loop()
        return self._loop.create_future()

    def _closed_error(self) -> StoreError:
        return StoreError(f"store {self._path}: it is closed")

    async def _errand(self, run: Callable[[sqlite3.Connection], None]) -> None:
        done: asyncio.Future[None] = self._future()
        self._works.put(Errand(done, run))
        await done

    async def _seal(self, writing: Awaitable[Seal | None]) -> None:
        if await writing is not None:
            self._seals_behind = True
        if self._seals is not None and self._seals_behind:
            # On the reader's thread: it waits for the disk, and nobody's commit should.
            await self._on_reader(partial(self._seals.catch_up, self._reading))
            self._seals_behind = False

    async def _on_reader(self, run: Callable[[], T]) -> T:
        try:
            if self._readers is None:
                return run()
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except sqlite3.Error as error:
            raise explain(self._path, error) from error

    def _read(self, job: Callable[[Reader], T]) -> T:
        connection = self._reading
        connection.execute("BEGIN")
        try:
            return job(Reader(connection))
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _deliver(self, batch: Batch) -> None:
        """Tell what a transaction did: first the listeners, then those who wrote it."""
        self._waiting -= len(batch.arrivals)
        self._waiting_bytes -= sum(len(arrival.body) for arrival in batch.arrivals)
        if batch.events:
            for listener in self._listeners:
                try:
                    listener(batch.events)
                except Exception as error:
                    context = {"message": "a listener to the store's commits failed", "exception": error}
                    asyncio.get_running_loop().call_exception_handler(context)
        batch.tell()

    def _post(self, call: Callable[..., None], *arguments: Any) -> None:
        """Have something called on the event loop; if that is gone, nobody waits any more."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call, *arguments)
