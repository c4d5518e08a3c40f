"""Group commit: what waits goes to disk together, in one transaction.

Notifications go first and in one statement, because Alertmanager waits for them; decisions follow
for a few milliseconds. Each decision stands in a savepoint of its own, so that one that fails takes
nothing else with it. The commit is what everybody waits for, and there is one for all.
"""

import asyncio
import hashlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from remediator.clock import Clock
from remediator.model.event import Event
from remediator.store.codec import time_text
from remediator.store.errors import StoreError, StoreRefused, explain, explain_job
from remediator.store.memory import Memory
from remediator.store.tables import notifications
from remediator.store.transaction import Transaction

JOBS_SECONDS = 0.005
"""How long jobs may go on in one transaction while notifications may come to wait for the next."""

_ROWS = 64
"""Most rows of one statement; there is one statement for each power of two up to this."""


class Arrival(NamedTuple):
    """A notification that waits to be written."""

    done: asyncio.Future[int]
    body: bytes
    source: str


class Job(NamedTuple):
    """A decision, or whatever else writes, that waits for its turn."""

    done: asyncio.Future[Any]
    run: Callable[[Transaction], Any]


class Ended(NamedTuple):
    """A job with what it returned or raised."""

    done: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class Batch:
    """What one transaction did, to be told to those who wait."""

    arrivals: Sequence[Arrival]
    first_id: int = 0
    """Of the arrivals; the others follow by one."""
    jobs: list[Ended] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    error: StoreError | None = None
    """Why nothing of all this is on disk."""

    def fail(self, error: StoreError) -> None:
        """Nothing of all this is on disk."""
        self.error = error
        self.events.clear()

    def tell(self) -> None:
        """Let those who wait go on. On their event loop."""
        if self.error is not None:
            for done in [*(arrival.done for arrival in self.arrivals), *(job.done for job in self.jobs)]:
                if not done.done():
                    done.set_exception(StoreError(str(self.error)))
            return
        for number, arrival in enumerate(self.arrivals, self.first_id):
            if not arrival.done.done():
                arrival.done.set_result(number)
        for done, result, error in self.jobs:
            if done.done():
                continue
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)


class Writer:
    """The only one that changes the database. Belongs to one thread."""

    def __init__(self, connection: sqlite3.Connection, path: str, clock: Clock) -> None:
        self.connection = connection
        self._path = path
        self._clock = clock
        self._memory = Memory(connection)

    def commit(self, arrivals: Sequence[Arrival], jobs: deque[Job]) -> Batch:
        """Write all arrivals, and jobs from the left for as long as there is time for them."""
        batch = Batch(arrivals)
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            if arrivals:
                self._insert(batch)
            if jobs:
                self._run_jobs(batch, jobs)
            self.connection.execute("COMMIT")
        except Exception as error:
            self._undo()
            batch.fail(self._explained(error))
            if not batch.jobs:
                batch.jobs += [Ended(job.done) for job in jobs]
                jobs.clear()
        else:
            self._memory.settle()
        return batch

    def _explained(self, error: Exception) -> StoreError:
        told = explain(self._path, error) if isinstance(error, sqlite3.Error) else StoreError(repr(error))
        told.__cause__ = error
        return told

    def _undo(self) -> None:
        self._memory.back_to(0)
        if self.connection.in_transaction:
            with suppress(sqlite3.Error):  # what made this necessary is told already
                self.connection.execute("ROLLBACK")

    def _insert(self, batch: Batch) -> None:
        arrivals = batch.arrivals
        batch.first_id = number = self._memory.take(notifications, len(arrivals))
        at = time_text(self._clock.now())
        start = 0
        while (left := len(arrivals) - start) > 0:
            # Few rows or many, it is one call into the database, which has to let go of the interpreter.
            count = min(_ROWS, 1 << (left.bit_length() - 1))
            values: list[Any] = []
            for _, body, source in arrivals[start : start + count]:
                values += (number, at, source, body, hashlib.sha256(body).hexdigest(), 0)
                number += 1
            self.connection.execute(_insert_text(count), values)
            start += count

    def _run_jobs(self, batch: Batch, jobs: deque[Job]) -> None:
        monotonic = self._clock.monotonic
        end = monotonic() + JOBS_SECONDS
        while jobs:
            self._run_job(batch, jobs.popleft())
            if monotonic() >= end:
                break

    def _run_job(self, batch: Batch, job: Job) -> None:
        """Run a job in its savepoint. Raises only when the whole transaction is lost."""
        connection, memory = self.connection, self._memory
        mark = memory.mark()
        transaction = Transaction(connection, memory, self._clock.now())
        connection.execute("SAVEPOINT job")
        try:
            result = job.run(transaction)
            if transaction.broken:
                raise StoreRefused("the job went on after its events could not be saved")
        except Exception as error:
            failure = error
            if isinstance(error, sqlite3.Error):
                failure = explain_job(self._path, error)
                failure.__cause__ = error
            batch.jobs.append(Ended(job.done, error=failure))
            if not connection.in_transaction:  # some failures of a disk end it at once
                raise
            connection.execute("ROLLBACK TO job")
            memory.back_to(mark)
        else:
            batch.jobs.append(Ended(job.done, result))
            batch.events += transaction.saved
        connection.execute("RELEASE job")


@cache
def _insert_text(rows: int) -> str:
    places = f"({', '.join('?' for _ in notifications.c)})"
    return f"INSERT INTO {notifications.name} VALUES {', '.join([places] * rows)}"  # noqa: S608 - names of ours
