"""The act of the bench: the cheapest process that leaves a trace, and the bare cost of starting it.

The named command writes one line to a FIFO that the bench holds open: the line arrives the moment the
act takes effect. It tells which attempt that was, so that one done twice would show.
"""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.bench.processes import BenchError

if TYPE_CHECKING:
    from pathlib import Path


class Effects:
    """The reading end of the FIFO: who acted, and when."""

    def __init__(self, folder: Path) -> None:
        self.fifo = folder / "effects"
        self.program = folder / "act"
        os.mkfifo(self.fifo)
        self.program.write_text(f'#!/bin/sh\necho "${{1-$REMEDIATOR_ATTEMPT}}" >"{self.fifo}"\n')
        self.program.chmod(0o755)
        # Open for both, so that the end of one writer is not the end of the FIFO.
        self._number = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)

    def close(self) -> None:
        """Let go of the FIFO."""
        os.close(self._number)

    def argv(self, name: str) -> list[str]:
        """The command that leaves `name` as its trace."""
        return [str(self.program), name]

    def next(self, seconds: float) -> list[str]:
        """The traces that are there, or come within this time; a line is written in one piece."""
        ready, _, _ = select.select([self._number], [], [], seconds)
        if not ready:
            return []
        return os.read(self._number, 65_536).decode().split()

    def one(self, seconds: float = 30) -> float:
        """Wait for exactly one trace; returns the moment it came."""
        names = self.next(seconds)
        at = time.perf_counter()
        if len(names) != 1:
            raise BenchError(f"expected one act within {seconds:.0f} s, and saw {names or 'none'}")
        return at

    def collect(self, count: int, seconds: float) -> tuple[Counter[str], float]:
        """Traces until `count` different names came, or none for this long; and when the last came."""
        seen: Counter[str] = Counter()
        last = time.perf_counter()
        while len(seen) < count and (names := self.next(seconds)):
            seen.update(names)
            last = time.perf_counter()
        return seen, last

    def drain(self, seconds: float) -> list[str]:
        """Everything that still comes, until it is quiet for this long."""
        names: list[str] = []
        while more := self.next(seconds):
            names += more
        return names


def start_one(effects: Effects) -> float:
    """Seconds from starting one bare process to its effect."""
    begin = time.perf_counter()
    with _start(effects.argv("bare")):
        return effects.one() - begin


def start_many(effects: Effects, names: list[str]) -> float:
    """Seconds to start all these processes, see their effects, and reap them.

    A few at a time, twice as many as there are processors: more only makes them wait for each other.
    """
    seen: Counter[str] = Counter()
    reader = threading.Thread(target=lambda: seen.update(effects.collect(len(names), 10)[0]))
    reader.start()
    begin = time.perf_counter()
    running: list[subprocess.Popen[bytes]] = []
    for name in names:
        if len(running) >= 2 * (os.cpu_count() or 1):
            running.pop(0).wait()
        running.append(_start(effects.argv(name)))
    for process in running:
        process.wait()
    seconds = time.perf_counter() - begin
    reader.join()
    if seen != Counter(names):
        raise BenchError(f"the bare processes left {seen.total()} traces instead of {len(names)}")
    return seconds


def _start(argv: list[str]) -> subprocess.Popen[bytes]:
    null = subprocess.DEVNULL
    return subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, start_new_session=True)
