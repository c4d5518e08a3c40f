"""A house for each test, and clients that speak for somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.unit.web.house import ALICE, BOB, INGEST, House
from tests.unit.web.house import house as open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


def _session(house: House, token: str | None) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return aiohttp.ClientSession(house.url, headers=headers)


@pytest.fixture
async def alice(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    async with _session(house, ALICE) as session:
        yield session


@pytest.fixture
async def bob(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    async with _session(house, BOB) as session:
        yield session


@pytest.fixture
async def alertmanager(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    async with _session(house, INGEST) as session:
        yield session


@pytest.fixture
async def nobody(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    async with _session(house, None) as session:
        yield session
