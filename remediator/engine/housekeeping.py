"""What keeps the store in order in quiet moments: seals over the record, and a short write-ahead log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remediator.engine.core import Core

SEAL_SECONDS = 60.0
"""So much of the record's tail could at most be cut off unseen."""


async def keep_house(core: Core) -> None:
    """Seal and checkpoint for ever."""
    while True:
        await core.clock.sleep(SEAL_SECONDS)
        await core.store.seal()
        await core.store.checkpoint()
