"""The Docker client against engines that are down, slow, broken, lying, or no engines at all."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from certifi import where as where_public_ones_are

from remediator.clock import SystemClock
from remediator.model.service import Target, TargetKind
from remediator.model.world import WorldError
from remediator.world.base import EngineRefused, EngineTimeout
from remediator.world.docker import DockerEngine
from remediator.world.docker import engine as engine_module
from tests.lab.wait import until
from tests.unit.world.engine_answers import ID, INFO
from tests.unit.world.stub import (
    CERTIFICATE,
    Answer,
    Stub,
    break_off,
    cut_short,
    empty,
    hang,
    raw,
    serving,
    told,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41"}


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[Stub]:
    async with serving(tmp_path) as stub:
        stub.on("GET /version", told(VERSION))
        stub.on("GET /info", told(INFO))
        yield stub


@pytest.fixture
async def engine(stub: Stub) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(stub.url, SystemClock(), timeout=5)
    yield engine
    await engine.close()


async def refused_quickly(engine: DockerEngine) -> str:
    with pytest.raises(EngineRefused) as caught:
        await engine.restart_container(ID, 1)
    return str(caught.value)


async def test_ping(engine: DockerEngine) -> None:
    info = await engine.ping()
    assert (info.version, info.api) == ("20.10.24", "1.41")
    assert info.system_time == datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)


NONSENSE: list[tuple[str, Answer]] = [
    ("html", raw(b"<html>hello</html>")),
    ("not-json", raw(b"{")),
    ("deep", raw(b"[" * 100_000)),
    ("wrong-shape", told(["a", 1])),
    ("nothing-in-it", told({})),
    ("null", told(None)),
    ("500", told({"message": "something broke"}, 500)),
    ("500-html", raw(b"<html>bad gateway</html>", 502)),
    ("redirect", raw(b"", 302, Location="http://127.0.0.1:1/")),
    ("401", told({"message": "authorization denied by plugin"}, 401)),
    ("404-html", raw(b"<html>not here</html>", 404)),
    ("breaks-off", break_off),
    ("cut-short", cut_short),
]
ASKED = [
    ("ping", "GET /info"),
    ("containers", "GET /containers/json"),
    ("container", f"GET /containers/{ID}/json"),
    ("logs", f"GET /containers/{ID}/json"),
    ("swarm_service", "GET /info"),
    ("history", "GET /info"),
    ("history", "GET /events"),
    ("everything", "GET /version"),
]


async def ask(engine: DockerEngine, question: str) -> object:
    match question:
        case "containers":
            return await engine.containers(Target(kind=TargetKind.LABEL, name="a=b"))
        case "container":
            return await engine.container(ID)
        case "logs":
            return await engine.logs(ID, 10)
        case "swarm_service":
            return await engine.swarm_service("shop_web")
        case "history":
            return await engine.history(datetime(2026, 3, 1, tzinfo=UTC))
        case _:
            return await engine.ping()


@pytest.mark.parametrize(("question", "request_line"), ASKED, ids=lambda value: value.replace(" ", ""))
@pytest.mark.parametrize("answer", [answer for _, answer in NONSENSE], ids=[name for name, _ in NONSENSE])
async def test_nonsense_is_no_answer(
    stub: Stub, engine: DockerEngine, question: str, request_line: str, answer: Answer
) -> None:
    stub.on("GET /events", raw(b""))
    stub.on(request_line, answer)
    with pytest.raises(WorldError, match="Docker engine local: "):
        await ask(engine, question)


async def test_the_engines_own_words_are_told(stub: Stub, engine: DockerEngine) -> None:
    stub.on("GET /info", told({"message": "the disk is full"}, 500))
    with pytest.raises(WorldError, match="/info answered HTTP 500: the disk is full"):
        await engine.ping()


async def test_too_old_an_engine(stub: Stub, engine: DockerEngine) -> None:
    stub.on("GET /version", told({"ApiVersion": "1.24"}))
    with pytest.raises(WorldError, match=r"speaks API 1\.24; at least 1\.30"):
        await engine.ping()


async def test_socket_that_is_not_there(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/none.sock", SystemClock(), name="far")
    with pytest.raises(WorldError, match=r"Docker engine far: cannot be reached: .*No such file"):
        await engine.ping()
    assert "cannot be reached" in await refused_quickly(engine)


async def test_socket_that_nobody_listens_on(tmp_path: Path, stub: Stub, engine: DockerEngine) -> None:
    (tmp_path / "file").touch()
    engine = DockerEngine(f"unix://{tmp_path}/file", SystemClock())
    assert "Connection refused" in await refused_quickly(engine)


async def test_port_that_nobody_listens_on() -> None:
    engine = DockerEngine("tcp://127.0.0.1:1", SystemClock())
    assert "Connection refused" in await refused_quickly(engine)


@pytest.mark.parametrize("host", ["ftp://x", "unix//x", ""])
def test_host_of_no_use(host: str) -> None:
    with pytest.raises(ValueError, match="Docker engine at"):
        DockerEngine(host, SystemClock())


def test_tls_files_of_no_use(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Docker engine at tcp://x:2376"):
        DockerEngine("tcp://x:2376", SystemClock(), cert=f"{tmp_path}/none", key=f"{tmp_path}/none")


async def test_an_engine_behind_tls() -> None:
    async with serving(tls=True) as stub:
        stub.on("GET /version", told(VERSION))
        stub.on("GET /info", told(INFO))
        host = stub.url.replace("https://", "tcp://")
        trusting = DockerEngine(host, SystemClock(), ca=str(CERTIFICATE))
        assert (await trusting.ping()).version == "20.10.24"
        await trusting.close()
        doubting = DockerEngine(host, SystemClock(), ca=where_public_ones_are())
        assert "not sent: cannot be reached: " in await refused_quickly(doubting)
        await doubting.close()


async def test_restart(stub: Stub, engine: DockerEngine) -> None:
    stub.on(f"POST /containers/{ID}/restart", empty())
    await engine.restart_container(ID, 7)
    (request,) = stub.asked(f"/containers/{ID}/restart")
    assert request.query == {"t": "7"}


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (404, told({"message": "No such container: x"}, 404)),
        (409, told({"message": "container is marked for removal"}, 409)),
        (500, told({"message": "Cannot restart container x: port is already allocated"}, 500)),
        (503, told({"message": "this node is not a swarm manager"}, 503)),
        (403, raw(b"<html>Forbidden by the proxy</html>", 403)),
    ],
)
async def test_an_act_that_was_refused(stub: Stub, engine: DockerEngine, status: int, answer: Answer) -> None:
    stub.on("POST /containers/.*/restart", answer)
    assert f"HTTP {status}" in await refused_quickly(engine)


@pytest.mark.parametrize(
    "answer",
    [break_off, raw(b"<html>Gateway Time-out</html>", 504), raw(b"<html>Bad Gateway</html>", 502)],
    ids=["breaks-off", "504", "502"],
)
async def test_an_act_that_may_still_happen(stub: Stub, engine: DockerEngine, answer: Answer) -> None:
    stub.on("POST /containers/.*/restart", answer)
    with pytest.raises(EngineTimeout):
        await engine.restart_container(ID, 1)


@pytest.mark.parametrize("answer", [raw(b"", 302, Location="/"), raw(b"boom", 500)], ids=["302", "500"])
async def test_an_act_answered_with_nonsense_may_have_happened(
    stub: Stub, engine: DockerEngine, answer: Answer
) -> None:
    stub.on("POST /containers/.*/restart", answer)
    with pytest.raises(WorldError, match="no answer of a Docker engine"):
        await engine.restart_container(ID, 1)


async def test_an_act_without_an_answer_in_time(
    stub: Stub, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "ACT_SECONDS", 0.3)
    stub.on("POST /containers/.*/restart", hang)
    with pytest.raises(EngineTimeout):
        await engine.restart_container(ID, 0)
    assert len(stub.asked(f"/containers/{ID}/restart")) == 1, "it is never sent twice"


async def test_an_act_waits_for_the_stop_timeout(
    stub: Stub, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "ACT_SECONDS", 0.3)
    go = asyncio.Event()

    async def later(request: object, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(b"HTTP/1.1 204 X\r\n\r\n")

    stub.on("POST /containers/.*/restart", later)
    act = asyncio.create_task(engine.restart_container(ID, 60))
    await until(lambda: stub.asked(f"/containers/{ID}/restart"))
    _, pending = await asyncio.wait([act], timeout=1)
    assert pending, "it gave up before the container had its time to stop"
    go.set()
    await act


async def test_an_engine_that_cannot_even_tell_its_version_was_not_asked_to_act(
    stub: Stub, engine: DockerEngine
) -> None:
    stub.on("GET /version", told({"message": "not now"}, 500))
    assert "not sent" in await refused_quickly(engine)
    assert not stub.asked(f"/containers/{ID}/restart")


@pytest.mark.parametrize(("container", "stop_timeout"), [("", 1), (ID, -1)])
async def test_acts_without_a_target_or_an_end(
    stub: Stub, engine: DockerEngine, container: str, stop_timeout: int
) -> None:
    with pytest.raises(EngineRefused):
        await engine.restart_container(container, stop_timeout)
    assert not stub.requests


async def test_a_slow_engine_blocks_neither_the_loop_nor_acts(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = DockerEngine(stub.url, SystemClock(), timeout=0.5, patience=0.2)
    stub.on("GET /info", hang)
    stub.on("POST /containers/.*/restart", empty())
    before = threading.active_count()
    questions = [asyncio.create_task(engine.ping()) for _ in range(200)]
    await until(lambda: stub.asked("/info"))
    await engine.restart_container(ID, 1)
    assert threading.active_count() <= before + engine_module.READERS + engine_module.ACTORS
    outcomes = await asyncio.gather(*questions, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {WorldError, EngineTimeout}
    stub.on("GET /info", told(INFO))
    assert (await engine.ping()).version == "20.10.24", "its threads are free again"
    await until(lambda: threading.active_count() <= before)
    await engine.close()


async def test_a_dripping_answer_ends_in_time(stub: Stub) -> None:
    engine = DockerEngine(stub.url, SystemClock(), timeout=0.5)

    async def drip(request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    stub.on("GET /info", drip)
    before = threading.active_count()
    with pytest.raises(EngineTimeout):
        await engine.ping()
    await until(lambda: threading.active_count() <= before)
    await engine.close()


async def test_an_answer_without_end_is_not_read_for_ever(
    stub: Stub, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remediator.world.docker.api.MAX_ANSWER", 100_000)

    async def flood(request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" " * 65_536)
            await writer.drain()

    stub.on("GET /info", flood)
    with pytest.raises(WorldError, match="more than 100000 bytes"):
        await engine.ping()
