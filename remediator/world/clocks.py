"""How far an engine's clock and ours are apart: what an engine tells is by its own.

Without this, a remote engine whose clock is off by minutes would make our own acts look like
somebody else's, and old changes like new ones.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remediator.clock import Clock
    from remediator.world.base import Engine

ALIKE = timedelta(seconds=1)
"""A difference that is not corrected, because asking takes time, too."""


async def ahead(engine: Engine, clock: Clock) -> timedelta:
    """How far the engine's clock is ahead of ours, or behind; zero where they agree. WorldError."""
    asked = clock.now()
    told = (await engine.ping()).system_time
    answered = clock.now()
    if asked - ALIKE <= told <= answered + ALIKE:
        return timedelta(0)
    return told - (asked + (answered - asked) / 2)
