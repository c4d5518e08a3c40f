"""The network as this process reaches it: ports that are open or closed, and pages of any kind."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest

from remediator.clock import SystemClock
from remediator.model.world import WorldError
from remediator.world.near import NoAnswer, Unseen
from remediator.world.network import LocalNetwork
from tests.unit.world.stub import break_off, chunked, hang, raw, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.unit.world.stub import Stub

LIMIT = 1000
UNKNOWN = "is not a name that this daemon can resolve where it runs"


@pytest.fixture
async def network() -> AsyncIterator[LocalNetwork]:
    network = LocalNetwork(SystemClock())
    yield network
    await network.close()


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with serving() as stub:
        yield stub


async def test_an_open_port(network: LocalNetwork) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        made = await network.connect("127.0.0.1", port, 5)
        assert made.address == f"127.0.0.1:{port}"
        assert made.seconds >= 0


async def test_a_closed_port_is_told_with_the_address(network: LocalNetwork) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NoAnswer, match=f"^127.0.0.1:{port}: connection refused$"):
            await network.connect("127.0.0.1", port, 5)


async def test_a_port_that_does_not_answer(network: LocalNetwork) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):  # nobody takes them, so that there is no room for more
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s"):
            await network.connect("127.0.0.1", server.getsockname()[1], 0.05)


async def test_the_next_address_of_a_name_is_tried(
    network: LocalNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each.getsockname()) for each in (taken, server)]

        async def resolve(*_: Any, **__: Any) -> Any:
            return found

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        assert (await network.connect("app", server.getsockname()[1], 5)).address.startswith("127.0.0.1:")
        found.pop()
        with pytest.raises(NoAnswer):
            await network.connect("app", 1, 5)


async def test_a_name_that_is_not_known(network: LocalNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorldError, match=UNKNOWN):
        await network.connect("a" * 64, 80, 5)

    async def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    with pytest.raises(WorldError, match=f"app {UNKNOWN}"):
        await network.connect("app", 80, 5)
    with pytest.raises(WorldError, match=f"app {UNKNOWN}"):
        await network.get("http://app/", 5, LIMIT)


@pytest.mark.parametrize("status", [200, 302, 404, 503])
async def test_a_page_whatever_it_says(network: LocalNetwork, stub: Stub, status: int) -> None:
    stub.on("GET /healthz", raw(b"well", status, Location="/elsewhere"))
    page = await network.get(f"{stub.url}/healthz", 5, LIMIT)
    assert (page.status, page.body, page.cut) == (status, b"well", False)
    assert [request.path for request in stub.requests] == ["/healthz"], "a redirect is not followed"


async def test_a_page_without_end_is_cut(network: LocalNetwork, stub: Stub) -> None:
    stub.on("GET /", chunked(b"x" * 600, b"y" * 600))
    page = await network.get(f"{stub.url}/", 5, LIMIT)
    assert (len(page.body), page.cut) == (LIMIT, True)


async def test_a_page_that_does_not_come(network: LocalNetwork, stub: Stub) -> None:
    stub.on("GET /slow", hang)
    with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s"):
        await network.get(f"{stub.url}/slow", 0.05, LIMIT)
    stub.on("GET /broken", break_off)
    with pytest.raises(NoAnswer, match="ServerDisconnectedError"):
        await network.get(f"{stub.url}/broken", 5, LIMIT)


async def test_nothing_listens(network: LocalNetwork) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswer, match=r"^connection refused$"):
            await network.get(f"http://127.0.0.1:{taken.getsockname()[1]}/", 5, LIMIT)


async def test_a_certificate_that_nobody_trusts(network: LocalNetwork) -> None:
    async with serving(tls=True) as stub:
        with pytest.raises(NoAnswer, match="its certificate is not trusted"):
            await network.get(f"{stub.url}/", 5, LIMIT)


async def test_a_rehearsal_reaches_nothing() -> None:
    unseen = Unseen()
    for asked in (
        unseen.connect("localhost", 1, 1),
        unseen.get("http://localhost/", 1, 1),
        unseen.machine(["/"]),
        unseen.folder("/"),
    ):
        with pytest.raises(WorldError, match="a rehearsal does not look at real machines"):
            await asked
    await unseen.close()
