"""Killed at any moment, the store has all that it said it had, and is whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from remediator.model.run import Incident
from remediator.store import Store
from remediator.store.audit import verify
from tests.unit.store import crashing

if TYPE_CHECKING:
    from tests.unit.still_clock import StillClock

ROOT = Path(__file__).parents[3]


def told_before_it_was_killed(path: str, lines: int) -> dict[str, list[int]]:
    """Run the program until it has told this much, kill it, and return all that it had told."""
    program = [sys.executable, "-m", crashing.__name__, path]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    kept: dict[str, list[int]] = {"notification": [], "incident": []}
    for line in told:
        assert line.endswith("\n")
        what, number = line.split()
        kept[what].append(int(number))
    return kept


async def test_what_was_acknowledged_survives_a_kill(path: str, clock: StillClock) -> None:
    moments = random.Random(7)
    notifications: set[int] = set()
    incidents: set[int] = set()
    for _ in range(6):
        told = told_before_it_was_killed(path, moments.randint(1, 400))
        assert notifications.isdisjoint(told["notification"])
        notifications.update(told["notification"])
        incidents.update(told["incident"])

        store = Store.open(path, clock)
        there = await store.read(lambda reader: reader.pending_notifications(1_000_000))
        assert notifications <= {notification.id for notification in there}
        for number in incidents:
            assert await store.read(lambda reader, n=number: reader.get(Incident, n)) is not None  # type: ignore[misc]
        await store.close()
        report = verify(path)
        assert report.problem is None
        assert report.counts["unsealed"] == 0
    assert notifications
    assert incidents
