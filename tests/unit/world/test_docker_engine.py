"""The Docker client against engines that are down, slow, broken, lying, or no engines at all."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from certifi import where as where_public_ones_are

from remediator.clock import SystemClock
from remediator.model.service import Target, TargetKind
from remediator.model.world import TargetError, WorldError
from remediator.world.base import EngineRefused, EngineTimeout
from remediator.world.docker import DockerEngine
from remediator.world.docker import engine as engine_module
from tests.lab.wait import until
from tests.unit.world.engine_answers import ID, IN_SWARM, INFO, OTHER, inspected, service, task
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


def listing(stub: Stub, *containers: dict[str, object]) -> None:
    stub.on("GET /containers/json", told([{"Id": container["Id"]} for container in containers]))
    for container in containers:
        stub.on(f"GET /containers/{container['Id']}/json", told(container))


async def test_containers_of_a_compose_service(stub: Stub, engine: DockerEngine) -> None:
    labels = {"com.docker.compose.service": "web", "com.docker.compose.project": "shop"}
    listing(
        stub,
        inspected(ID, "shop_web_2", labels | {"com.docker.compose.oneoff": "False"}),
        inspected(OTHER, "shop_web_1", labels),
        inspected("a" * 64, "shop_web_run_1", labels | {"com.docker.compose.oneoff": "True"}),
    )
    target = Target(kind=TargetKind.COMPOSE_SERVICE, name="web", project="shop")
    assert [c.name for c in await engine.containers(target)] == ["shop_web_1", "shop_web_2"]
    (request,) = stub.asked("/containers/json")
    assert request.query["all"] == "1", "stopped ones, too"
    assert set(json.loads(request.query["filters"])["label"]) == {f"{k}={v}" for k, v in labels.items()}


async def test_an_engine_that_ignores_filters_is_not_believed(stub: Stub, engine: DockerEngine) -> None:
    listing(
        stub,
        inspected(ID, "web", {"app": "web"}),
        inspected(OTHER, "db", {"app": "db"}),
        inspected("a" * 64, "x"),
    )
    found = await engine.containers(Target(kind=TargetKind.LABEL, name="app=web"))
    assert [c.id for c in found] == [ID]


async def test_a_label_value_may_hold_an_equals_sign(stub: Stub, engine: DockerEngine) -> None:
    listing(stub, inspected(ID, "web", {"query": "a=b"}))
    assert len(await engine.containers(Target(kind=TargetKind.LABEL, name="query=a=b"))) == 1


async def test_a_container_that_went_away_meanwhile_is_left_out(stub: Stub, engine: DockerEngine) -> None:
    listing(stub, inspected(ID, "web", {"a": "b"}), inspected(OTHER, "gone", {"a": "b"}))
    stub.on(f"GET /containers/{OTHER}/json", told({"message": "No such container"}, 404))
    assert len(await engine.containers(Target(kind=TargetKind.LABEL, name="a=b"))) == 1


async def test_one_unreadable_container_makes_the_list_unreadable(stub: Stub, engine: DockerEngine) -> None:
    listing(stub, inspected(ID, "web", {"a": "b"}), {**inspected(OTHER, "half", {"a": "b"}), "State": None})
    with pytest.raises(WorldError, match="State"):
        await engine.containers(Target(kind=TargetKind.LABEL, name="a=b"))


@pytest.mark.parametrize(
    ("asked", "found"), [("web", True), (ID, True), (ID[:12], True), (ID[:11], False), ("we", False)]
)
async def test_a_container_by_its_exact_name_or_id(
    stub: Stub, engine: DockerEngine, asked: str, found: bool
) -> None:
    stub.on(f"GET /containers/{asked}/json", told(inspected()))  # engines take any unique beginning of an id
    assert bool(await engine.containers(Target(kind=TargetKind.CONTAINER, name=asked))) == found


async def test_container_by_id_only(stub: Stub, engine: DockerEngine) -> None:
    stub.on("GET /containers/[^/]+/json", told(inspected()))
    assert await engine.container(ID) is not None
    assert await engine.container("web") is None, "a name is no id"
    assert await engine.container("") is None


async def test_a_name_is_one_segment_of_the_path(stub: Stub, engine: DockerEngine) -> None:
    assert await engine.containers(Target(kind=TargetKind.CONTAINER, name="../x?y=1#z")) == []
    assert stub.requests[-1].path == "/containers/..%2Fx%3Fy%3D1%23z/json"


@pytest.mark.parametrize(
    "target",
    [
        Target(kind=TargetKind.CONTAINER, name=""),
        Target(kind=TargetKind.COMPOSE_SERVICE, name=""),
        Target(kind=TargetKind.SWARM_SERVICE, name=""),
        Target(kind=TargetKind.LABEL, name=""),
        Target(kind=TargetKind.LABEL, name="key"),
        Target(kind=TargetKind.LABEL, name="=value"),
    ],
    ids=lambda target: f"{target.kind}-{target.name}",
)
async def test_a_target_that_names_nothing_never_means_everything(
    stub: Stub, engine: DockerEngine, target: Target
) -> None:
    listing(stub, inspected(ID, "web", {"key": "value"}))
    with pytest.raises(TargetError):
        await engine.containers(target)
    assert not stub.asked("/containers/json")


async def test_no_containers_without_asking(stub: Stub, engine: DockerEngine) -> None:
    assert await engine.containers(Target(kind=TargetKind.NONE)) == []
    assert not stub.requests


async def test_logs_are_taken_out_of_their_frames(stub: Stub, engine: DockerEngine) -> None:
    stub.on(f"GET /containers/{ID}/json", told(inspected()))
    frames = b"\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\x11password=hunter2\n\1\0\0\0\0\0\0\0"
    stub.on(f"GET /containers/{ID}/logs", raw(frames))
    assert await engine.logs(ID, 100) == "out\npassword=[redacted]\n"
    (request,) = stub.asked(f"/containers/{ID}/logs")
    assert request.query == {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": "100"}


async def test_logs_of_a_terminal_are_not_framed(stub: Stub, engine: DockerEngine) -> None:
    stub.on(f"GET /containers/{ID}/json", told(inspected(config={"Tty": True})))
    stub.on(f"GET /containers/{ID}/logs", raw(b"hello\r\n"))
    assert await engine.logs(ID, 1) == "hello\r\n"


async def test_long_logs_are_cut(stub: Stub, engine: DockerEngine) -> None:
    stub.on(f"GET /containers/{ID}/json", told(inspected(config={"Tty": True})))
    stub.on(f"GET /containers/{ID}/logs", raw(b"first" + b"x" * 1_000_000 + b"last"))
    text = await engine.logs(ID, 1)
    assert len(text) < 300_000
    assert text.startswith("first")
    assert text.endswith("last")


@pytest.mark.parametrize(
    "answer", [raw(b"no frames at all"), told({"message": "driver does not support reading"}, 501)]
)
async def test_logs_that_cannot_be_read(stub: Stub, engine: DockerEngine, answer: Answer) -> None:
    stub.on(f"GET /containers/{ID}/json", told(inspected()))
    stub.on(f"GET /containers/{ID}/logs", answer)
    with pytest.raises(WorldError, match="logs"):
        await engine.logs(ID, 1)


async def test_logs_of_no_container(stub: Stub, engine: DockerEngine) -> None:
    with pytest.raises(WorldError, match="no container c0ffee"):
        await engine.logs(ID, 1)


@pytest.fixture
def swarm(stub: Stub) -> Stub:
    stub.on("GET /info", told(IN_SWARM))
    stub.on("GET /services/(shop_web|svc1|shop)", told(service()))
    stub.on("GET /tasks", told([task(), task(at="11:45")]))
    stub.on("POST /services/svc1/update", told({"Warnings": None}))
    return stub


async def test_swarm_service_by_exact_name_or_id(swarm: Stub, engine: DockerEngine) -> None:
    for asked in ("shop_web", "svc1"):
        found = await engine.swarm_service(asked)
        assert found is not None
        assert (found.id, found.name, found.running) == ("svc1", "shop_web", 2)
    assert await engine.swarm_service("shop") is None, "the beginning of a name is not the name"
    assert await engine.swarm_service("other") is None


async def test_no_swarm(stub: Stub, engine: DockerEngine) -> None:
    assert await engine.swarm_service("shop_web") is None
    assert not stub.asked("/services/shop_web")


async def test_a_swarm_that_this_node_does_not_manage(stub: Stub, engine: DockerEngine) -> None:
    stub.on("GET /info", told(IN_SWARM))
    stub.on("GET /services/shop_web", told({"message": "This node is not a swarm manager."}, 503))
    with pytest.raises(WorldError, match="not a swarm manager"):
        await engine.swarm_service("shop_web")


async def test_forced_update_changes_the_counter_and_nothing_else(swarm: Stub, engine: DockerEngine) -> None:
    await engine.force_update("svc1", 42)
    (request,) = swarm.asked("/services/svc1/update")
    assert request.query == {"version": "42"}
    wanted = service()["Spec"]
    wanted["TaskTemplate"] = {**wanted["TaskTemplate"], "ForceUpdate": 4}
    assert json.loads(request.body) == wanted


async def test_forced_update_speaks_the_newest_api(swarm: Stub, engine: DockerEngine) -> None:
    await engine.ping()
    swarm.on("GET /version", told({"ApiVersion": "1.47"}))  # the engine was replaced by a newer one
    await engine.force_update("svc1", 42)
    assert (await engine.ping()).api == "1.47"


async def test_forced_update_of_a_service_that_changed(swarm: Stub, engine: DockerEngine) -> None:
    with pytest.raises(EngineRefused, match="at version 42, not 41"):
        await engine.force_update("svc1", 41)
    assert not swarm.asked("/services/svc1/update")


async def test_forced_update_that_somebody_else_overtook(swarm: Stub, engine: DockerEngine) -> None:
    swarm.on("POST /services/svc1/update", told({"message": "rpc error: update out of sequence"}, 500))
    with pytest.raises(EngineRefused, match="out of sequence"):
        await engine.force_update("svc1", 42)


@pytest.mark.parametrize("answer", [told({}), break_off, told({"message": "gone"}, 404)])
async def test_forced_update_is_not_sent_when_the_service_cannot_be_read(
    swarm: Stub, engine: DockerEngine, answer: Answer
) -> None:
    swarm.on("GET /services/svc1", answer)
    with pytest.raises(EngineRefused):
        await engine.force_update("svc1", 42)
    assert not swarm.asked("/services/svc1/update")


async def test_forced_update_without_an_answer(swarm: Stub, engine: DockerEngine) -> None:
    swarm.on("POST /services/svc1/update", break_off)
    with pytest.raises(EngineTimeout):
        await engine.force_update("svc1", 42)
