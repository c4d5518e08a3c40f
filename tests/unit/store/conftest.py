"""Stores for tests: with threads on a file, or inline in memory."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from remediator.store import Store
from tests.unit.still_clock import StillClock
from tests.unit.store.day import fill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a store may be made."""
    return str(tmp_path / "remediator.db")


@pytest.fixture(params=["threads", "inline"])
async def store(request: pytest.FixtureRequest, path: str, clock: StillClock) -> AsyncIterator[Store]:
    """A store that is open, in both ways that it can run."""
    threads = request.param == "threads"
    opened = Store.open(path if threads else ":memory:", clock, threads=threads)
    yield opened
    await opened.close()


@pytest.fixture
async def filed(path: str, clock: StillClock) -> AsyncIterator[Store]:
    """A store that is open, as the daemon runs it: on a file, with threads."""
    opened = Store.open(path, clock)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was filled and closed; to be copied, not changed."""
    path = tmp_path_factory.mktemp("whole") / "remediator.db"

    async def make() -> None:
        store = Store.open(str(path), StillClock())
        await fill(store)
        await store.close()

    asyncio.run(make())
    return path


@pytest.fixture
def filled(whole: Path, path: str) -> str:
    """The path of a store that was filled and closed."""
    shutil.copy(whole, path)
    shutil.copy(f"{whole}.seals", f"{path}.seals")
    return path
