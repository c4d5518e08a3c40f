"""What the Docker client asks and how it takes the answers: containers, logs, Swarm services."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.model.service import Target, TargetKind
from remediator.model.world import TargetError, WorldError
from remediator.world.base import EngineRefused, EngineTimeout
from remediator.world.docker import DockerEngine
from tests.unit.world.engine_answers import ID, IN_SWARM, INFO, OTHER, inspected, service, task
from tests.unit.world.stub import Answer, Stub, break_off, raw, serving, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[Stub]:
    async with serving(tmp_path) as stub:
        stub.on("GET /version", told({"ApiVersion": "1.41"}))
        stub.on("GET /info", told(INFO))
        yield stub


@pytest.fixture
async def engine(stub: Stub) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(stub.url, SystemClock(), timeout=5)
    yield engine
    await engine.close()


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


async def test_usage_is_asked_for_once_and_at_once(stub: Stub, engine: DockerEngine) -> None:
    counts = {"read": "2026-03-01T12:00:00Z", "cpu_stats": {"cpu_usage": {"total_usage": 5}}}
    stub.on(f"GET /containers/{ID}/stats", told(counts))
    assert await engine.usage(ID) is not None
    (request,) = stub.asked(f"/containers/{ID}/stats")
    assert request.query == {"stream": "0", "one-shot": "1"}
    assert await engine.usage(OTHER) is None, "there is none"
    assert await engine.usage("") is None


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


async def test_scaling_changes_the_number_and_nothing_else(swarm: Stub, engine: DockerEngine) -> None:
    await engine.scale_service("svc1", 42, 5)
    (request,) = swarm.asked("/services/svc1/update")
    assert request.query == {"version": "42"}
    assert json.loads(request.body) == {**service()["Spec"], "Mode": {"Replicated": {"Replicas": 5}}}


async def test_a_service_on_every_node_is_not_scaled(swarm: Stub, engine: DockerEngine) -> None:
    swarm.on("GET /services/svc1", told(service(Mode={"Global": {}})))
    with pytest.raises(EngineRefused, match="on every node"):
        await engine.scale_service("svc1", 42, 5)
    with pytest.raises(EngineRefused, match="0 replicas or more"):
        await engine.scale_service("svc1", 42, -1)
    assert not swarm.asked("/services/svc1/update")


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
