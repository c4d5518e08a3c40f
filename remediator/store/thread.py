"""Where the writer runs: on a thread of its own, or, for rehearsals in virtual time, on its caller's.

The thread takes all that waits, has it committed, and tells the event loop, once a batch. Between
batches it keeps the write-ahead log short: a checkpoint costs many commits, so it is made in quiet
moments, and under load only when the log has grown long.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

from remediator.store.database import WAL_LIMIT, checkpoint, wal_bytes
from remediator.store.errors import explain
from remediator.store.writer import Arrival, Batch, Job, Writer

_QUIET_SECONDS = 0.5

_WAL_STEP = 16 * 1024 * 1024
"""How much the log must grow before a checkpoint is tried again that a reader kept from its end."""


class Errand(NamedTuple):
    """Something to do with the writing connection outside of any transaction."""

    done: asyncio.Future[None]
    run: Callable[[sqlite3.Connection], None]


class Works(Protocol):
    """Takes work for the writer."""

    def put(self, item: Arrival | Job | Errand) -> None:
        """Have this done, and its future told."""

    def stop(self) -> None:
        """Finish what waits, then end."""


class _Log:
    """Keeps the write-ahead log from growing."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._next_bytes = WAL_LIMIT
        self.grew = True

    def committed(self) -> None:
        """Something was written."""
        self.grew = True
        size = wal_bytes(self._path)
        if size < WAL_LIMIT:
            self._next_bytes = WAL_LIMIT
        elif size >= self._next_bytes:
            self._next_bytes = size + _WAL_STEP
            self.shorten()

    def shorten(self) -> None:
        """Move it into the database. A failure is left for the next commit to tell: nothing is lost."""
        self.grew = False
        with suppress(sqlite3.Error):
            checkpoint(self._connection)


class WriterThread:
    """A thread that is given work from the event loop, and tells its results there."""

    def __init__(
        self, writer: Writer, path: str, deliver: Callable[[Batch], None], post: Callable[..., None]
    ) -> None:
        """`post` has something called on the event loop, as `call_soon_threadsafe` does."""
        self._writer = writer
        self._path = path
        self._deliver = deliver
        self._post = post
        self._log = _Log(writer.connection, path)
        self._queue: SimpleQueue[Arrival | Job | Errand | None] = SimpleQueue()
        self._arrivals: list[Arrival] = []
        self._jobs: deque[Job] = deque()
        self._errands: list[Errand] = []
        self._stopping = False
        self.put = self._queue.put
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping or self._jobs:
            self._take()
            if self._arrivals or self._jobs:
                arrivals, self._arrivals = self._arrivals, []
                self._post(self._deliver, self._writer.commit(arrivals, self._jobs))
                self._log.committed()
            if self._errands:
                errands, self._errands = self._errands, []
                for errand in errands:
                    self._post(*_run(errand, self._writer.connection, self._path))

    def _take(self) -> None:
        """Take everything that waits; wait for something if there is nothing to do."""
        queue = self._queue
        try:
            if self._jobs:
                item = queue.get_nowait()
            else:
                item = queue.get(timeout=_QUIET_SECONDS if self._log.grew else None)
            while True:
                if isinstance(item, Arrival):
                    self._arrivals.append(item)
                elif isinstance(item, Job):
                    self._jobs.append(item)
                elif item is None:
                    self._stopping = True
                else:
                    self._errands.append(item)
                item = queue.get_nowait()
        except Empty:
            if not (self._arrivals or self._jobs or self._errands or self._stopping):
                self._log.shorten()


class Inline:
    """Does everything at once, on the thread that asks."""

    def __init__(self, writer: Writer, path: str, deliver: Callable[[Batch], None]) -> None:
        self._writer = writer
        self._path = path
        self._deliver = deliver
        self._log = _Log(writer.connection, path)

    def put(self, item: Arrival | Job | Errand) -> None:
        """Do it."""
        if isinstance(item, Errand):
            tell, *arguments = _run(item, self._writer.connection, self._path)
            tell(*arguments)
        else:
            arrivals = [item] if isinstance(item, Arrival) else []
            jobs = deque([item] if isinstance(item, Job) else [])
            self._deliver(self._writer.commit(arrivals, jobs))
            self._log.committed()

    def stop(self) -> None:
        """Nothing waits here."""


def _run(errand: Errand, connection: sqlite3.Connection, path: str) -> tuple[Callable[..., None], Any, Any]:
    """Do an errand; returns what is to be called to tell of it."""
    try:
        errand.run(connection)
    except sqlite3.Error as error:
        return _tell, errand.done, explain(path, error)
    return _tell, errand.done, None


def _tell(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
