"""The bare limit: parse the JSON, commit the raw body to SQLite, answer 200, and nothing else.

No daemon on aiohttp and SQLite that keeps the promise "200 only after it is on disk" can be faster
than this, so it is what the daemon's acknowledgements are held against. Whatever makes it faster
belongs here, as long as the promise and the two libraries stay.
"""

import asyncio
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue

from aiohttp import web
from pydantic_core import from_json

CHECKPOINT_BYTES = 64 * 1024 * 1024
QUIET_SECONDS = 0.5

Item = tuple[bytes, asyncio.Future[None]]


class Writer:
    """One thread with the only connection; whatever waits when a commit ends goes into the next."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._loop = loop
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer")
        self._thread.start()

    def add(self, body: bytes) -> asyncio.Future[None]:
        """A future that is done when the body is on disk."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((body, done))
        return done

    def close(self) -> None:
        """Commit what waits, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        # A log that is written anew from its start is cut to this; so a longer file is a full log.
        connection.execute(f"PRAGMA journal_size_limit={CHECKPOINT_BYTES}")
        connection.execute("CREATE TABLE notifications (id INTEGER PRIMARY KEY, at REAL, body BLOB)")
        return connection

    def _batch(self) -> list[Item] | None:
        """Everything that waits; empty after a quiet moment; None at the end."""
        try:
            item = self._queue.get(timeout=QUIET_SECONDS)
        except Empty:
            return []
        batch: list[Item] = []
        while item is not None:
            batch.append(item)
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch
        if batch:
            self._queue.put(None)
            return batch
        return None

    def _run(self) -> None:
        connection = self._open()
        while (batch := self._batch()) is not None:
            if not batch:
                self._checkpoint(connection)
                continue
            at = time.time()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO notifications (at, body) VALUES (?, ?)", [(at, body) for body, _ in batch]
            )
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_finish, batch)
            if self._wal.stat().st_size > CHECKPOINT_BYTES:
                self._checkpoint(connection)
        connection.close()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Move the log into the database; the log is then written from its start again."""
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _finish(batch: list[Item]) -> None:
    for _, done in batch:
        if not done.done():
            done.set_result(None)


async def serve(port: int, database: Path) -> None:
    """Answer on 127.0.0.1 until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    writer = Writer(database, loop)

    async def handle(request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            body = await request.read()
            from_json(body)
            await writer.add(body)
        return web.Response()

    # The low-level server: a router and an application around one handler cost a tenth of the rate.
    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await stop.wait()
    await runner.cleanup()
    writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
