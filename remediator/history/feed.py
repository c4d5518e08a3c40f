"""Brings the past from real time into virtual time, and holds as little of it as it can.

Prometheus is asked on a thread with an event loop of its own, for in virtual time no answer could be
waited for. While the rehearsal waits for the thread, its time stands still.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from remediator.history.changes import Change

PIECE = 500
"""Changes that are handed over at once."""
AHEAD = 4
"""Pieces that are read ahead."""
PATIENCE = 0.2
"""Seconds between two looks of the thread at whether anybody still wants something."""


class Feed:
    """The changes of a source, one after the other. A context: at its end the thread has ended."""

    def __init__(self, source: Callable[[], AsyncGenerator[Change, None]]) -> None:
        """What the source raises is raised to whoever iterates."""
        self._source = source
        self._pieces: queue.Queue[Sequence[Change] | BaseException | None] = queue.Queue(AHEAD)
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._unwanted.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Change]:
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield from piece

    def _run(self) -> None:
        try:
            asyncio.run(self._read())
            self._put(None)
        except BaseException as error:
            self._put(error)

    async def _read(self) -> None:
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
