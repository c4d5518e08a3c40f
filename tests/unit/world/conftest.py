"""Named commands of one daemon, and an end to what tests leave of them."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.world.commands import NamedCommands

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def named() -> NamedCommands:
    return NamedCommands({}, SystemClock(), instance=f"test-{os.getpid()}")


@pytest.fixture
def leftovers(named: NamedCommands) -> Iterator[None]:
    """Ends what a test leaves of the attempts 1 to 9."""
    yield
    for attempt in range(1, 10):
        for survivor in named._scan(attempt):
            with contextlib.suppress(ProcessLookupError):
                os.kill(survivor.pid, signal.SIGKILL)
