"""Brings the past from real time into virtual time, and holds as little of it as it can.

Prometheus is asked on a thread with an event loop of its own, for in virtual time no answer could be
waited for. While the rehearsal waits for the thread, its time stands still, and it can be interrupted.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from remediator.history.changes import Change

PIECE = 500
"""Changes that are handed over at once."""
AHEAD = 4
"""Pieces that are read ahead."""
PATIENCE = 0.2
"""Seconds between two looks of each side at whether the other has given up."""


class Feed:
    """The changes of a source, one after the other. A context: at its end the thread has ended."""

    def __init__(self, source: Callable[[], AsyncGenerator[Change, None]]) -> None:
        """What the source raises is raised to whoever iterates."""
        self._source = source
        self._pieces: queue.Queue[Sequence[Change] | BaseException | None] = queue.Queue(AHEAD)
        self._unwanted = threading.Event()
        self._reading: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._unwanted.set()
        if self._reading is not None:
            loop, task = self._reading
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        self._thread.join()

    async def __aiter__(self) -> AsyncIterator[Change]:
        while (piece := await self._next()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            for change in piece:
                yield change

    async def _next(self) -> Sequence[Change] | BaseException | None:
        while True:
            with suppress(queue.Empty):
                return self._pieces.get(timeout=PATIENCE)
            # Ctrl-C cancels the task, which only notices where it lets others go first.
            await asyncio.sleep(0)  # noqa: TID251 - no time passes

    def _run(self) -> None:
        try:
            asyncio.run(self._read())
            self._put(None)
        except BaseException as error:
            self._put(error)

    async def _read(self) -> None:
        if (task := asyncio.current_task()) is not None:
            self._reading = asyncio.get_running_loop(), task
        if self._unwanted.is_set():
            return
        piece: list[Change] = []
        async with aclosing(self._source()) as changes:
            async for change in changes:
                piece.append(change)
                if len(piece) == PIECE:
                    if not self._put(piece):
                        return
                    piece = []
        self._put(piece)

    def _put(self, piece: Sequence[Change] | BaseException | None) -> bool:
        while not self._unwanted.is_set():
            try:
                self._pieces.put(piece, timeout=PATIENCE)
            except queue.Full:
                continue
            return True
        return False
