"""The server: how it begins, how it ends, and what becomes of clients that leave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from remediator.web.app import make_app, start_site, stop_site
from tests.unit.web.house import ALICE, INGEST, House
from tests.unit.web.house import house as open_house

if TYPE_CHECKING:
    from remediator.model.run import Control

BODY = b'{"version":"4","alerts":[]}'


async def test_a_port_in_use_is_an_error_at_once(house: House) -> None:
    with pytest.raises(OSError, match="in use"):
        await start_site(make_app(house.front), "127.0.0.1", house.port)


async def test_its_end_closes_idle_connections_without_waiting_for_them() -> None:
    async with open_house() as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    # The grace for requests under way is ten seconds; an idle connection gets none of it.
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()


class Gate:
    """Lets a desk's act begin, and go on only when the test says so."""

    def __init__(self, house: House) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended = asyncio.Event()
        self._receive, self._pause = house.desk.receive, house.desk.pause
        house.desk.receive = self.receive  # type: ignore[method-assign]
        house.desk.pause = self.pause  # type: ignore[method-assign]

    async def receive(self, body: bytes, source: str) -> int:
        self.begun.set()
        await self.go_on.wait()
        return await self._receive(body, source)

    async def pause(self, actor: str, reason: str) -> Control:
        self.begun.set()
        await self.go_on.wait()
        control = await self._pause(actor, reason)
        self.ended.set()
        return control


async def test_its_end_waits_for_a_request_under_way() -> None:
    async with aiohttp.ClientSession() as session:
        async with open_house() as house:
            gate = Gate(house)
            headers = {"Authorization": f"Bearer {INGEST}"}
            posting = asyncio.create_task(_post(session, f"{house.url}/api/v1/webhook", headers))
            await gate.begun.wait()
            asyncio.get_running_loop().call_soon(gate.go_on.set)
        assert await posting == 200


@pytest.mark.parametrize("grace", [0.0, 0.1])
async def test_its_end_cuts_off_what_outlasts_its_grace(house: House, grace: float) -> None:
    gate = Gate(house)
    runner, port = await start_site(make_app(house.front), "127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {INGEST}"}
        posting = asyncio.create_task(_post(session, f"http://127.0.0.1:{port}/api/v1/webhook", headers))
        await gate.begun.wait()
        async with asyncio.timeout(5):  # of which each try at it would take ten by itself
            await stop_site(runner, grace)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await posting


async def _post(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> int:
    async with session.post(url, data=BODY, headers=headers) as response:
        return response.status


async def test_a_client_that_leaves_does_not_cut_off_what_it_asked_for(house: House) -> None:
    gate = Gate(house)
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    body = b'{"reason":"stop everything"}'
    writer.write(
        b"POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
        % (ALICE.encode(), len(body), body)
    )
    await gate.begun.wait()
    writer.transport.abort()
    gate.go_on.set()
    async with asyncio.timeout(5):
        await gate.ended.wait()
    kinds = [e.kind for e in await house.desk.store.read(lambda reader: reader.list_events())]
    assert kinds == ["pause.on"]


async def test_a_thousand_notifications_over_many_connections_are_all_kept(house: House) -> None:
    headers = {"Authorization": f"Bearer {INGEST}"}
    connector = aiohttp.TCPConnector(limit=50)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = f"{house.url}/api/v1/webhook"
        statuses = await asyncio.gather(*(_post(session, url, headers) for _ in range(1000)))
    assert set(statuses) == {200}
    counts = await house.desk.store.read(lambda reader: reader.counts())
    assert counts.notifications_pending == 1000
