"""The Docker client on a real engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.clock import SystemClock
from remediator.model.service import Target, TargetKind
from remediator.model.world import WorldError
from remediator.world.base import EngineEvent, EngineRefused, EngineTimeout
from remediator.world.docker import DockerEngine
from remediator.world.docker import engine as engine_module
from tests.lab.compose import Compose
from tests.lab.wait import until, until_sync

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.lab.container import ServiceContainer
    from tests.lab.engine import Engine

pytestmark = pytest.mark.docker

READY = "print('ready', flush=True); time.sleep(600)"
QUIET = (
    f"import signal, time; signal.signal(15, lambda *_: exit(0)); signal.signal(10, signal.SIG_IGN); {READY}"
)
"""A program that ends when it is asked to, and ignores SIGUSR1."""
DEAF = f"import signal, time; signal.signal(15, signal.SIG_IGN); {READY}"


@pytest.fixture
async def engine(docker_engine: Engine) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(docker_engine.host, SystemClock())
    yield engine
    await engine.close()


@pytest.fixture
def run(docker_engine: Engine, service_image: str) -> Iterator[Callable[..., Any]]:
    """Start a small container: run(program, name=..., labels=..., ...). It is removed afterwards."""
    client = docker_engine.client()
    with contextlib.ExitStack() as stack:
        stack.callback(client.close)

        def start(program: str = QUIET, **options: Any) -> Any:
            options = {"healthcheck": {"test": ["NONE"]}, **options}
            container = client.containers.run(
                service_image, entrypoint=["python3", "-c", program], detach=True, **options
            )
            stack.callback(container.remove, force=True, v=True)
            if program.endswith(READY) and "log_config" not in options:
                until_sync(lambda: b"ready" in container.logs(), 30, "the program")
            return container

        yield start


async def one(engine: DockerEngine, container_id: str) -> Any:
    seen = await engine.container(container_id)
    assert seen is not None
    return seen


async def test_ping_tells_version_and_clock(engine: DockerEngine, docker_engine: Engine) -> None:
    info = await engine.ping()
    assert info.version == docker_engine.version
    assert abs(info.system_time - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_container_as_it_is(
    engine: DockerEngine, run: Callable[..., Any], service_image: str
) -> None:
    container = run(
        name="remediator-test-seen",
        labels={"remediator.test": "seen"},
        stop_signal="SIGTERM",
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 3},
    )
    seen = await one(engine, container.id)
    assert (seen.id, seen.name, seen.image) == (container.id, "remediator-test-seen", service_image)
    assert seen.labels["remediator.test"] == "seen"
    assert (seen.running, seen.status, seen.health, seen.exit_code) == (True, "running", None, None)
    assert (seen.restart_policy, seen.restart_count, seen.stop_timeout) == ("on-failure", 0, 10)
    assert seen.created_at <= seen.started_at
    assert seen.finished_at is None


async def test_a_container_that_ended(engine: DockerEngine, run: Callable[..., Any]) -> None:
    container = run("exit(3)")
    container.wait()
    seen = await one(engine, container.id)
    assert (seen.running, seen.status, seen.exit_code) == (False, "exited", 3)
    assert seen.finished_at > seen.started_at


async def test_health_of_the_lab_service(
    engine: DockerEngine, start_service: Callable[..., ServiceContainer]
) -> None:
    service = start_service()
    seen = await one(engine, service.container.id)
    assert seen.health == "healthy"
    service.post("/hang")

    async def unhealthy() -> bool:
        return bool((await one(engine, seen.id)).health == "unhealthy")

    await until(unhealthy, 60)


async def test_no_such_container(engine: DockerEngine) -> None:
    assert await engine.container("f" * 64) is None
    assert await engine.containers(Target(kind=TargetKind.CONTAINER, name="remediator-test-none")) == []


async def test_containers_by_label_running_or_not(engine: DockerEngine, run: Callable[..., Any]) -> None:
    labels = {"remediator.test": "by-label"}
    one, two = (
        run(labels=labels, name="remediator-test-b"),
        run("pass", labels=labels, name="remediator-test-a"),
    )
    two.wait()
    run(labels={"remediator.test": "by-label-2"})
    found = await engine.containers(Target(kind=TargetKind.LABEL, name="remediator.test=by-label"))
    assert [(c.id, c.running) for c in found] == [(two.id, False), (one.id, True)]


async def test_a_container_by_name_and_not_by_part_of_it(
    engine: DockerEngine, run: Callable[..., Any]
) -> None:
    container = run(name="remediator-test-name")
    for name in ("remediator-test-name", container.id, container.id[:12]):
        (seen,) = await engine.containers(Target(kind=TargetKind.CONTAINER, name=name))
        assert seen.id == container.id
    for name in ("remediator-test", "test-name", container.id[:6]):
        assert await engine.containers(Target(kind=TargetKind.CONTAINER, name=name)) == []


async def test_containers_of_a_compose_service(
    engine: DockerEngine, docker_engine: Engine, service_image: str, tmp_path: Path
) -> None:
    service = {
        "image": service_image,
        "entrypoint": ["python3", "-c", QUIET],
        "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
        "deploy": {"replicas": 2},
    }
    file = tmp_path / "compose.yml"
    file.write_text(
        json.dumps({"services": {"web": service, "other": {**service, "deploy": {"replicas": 1}}}})
    )
    blue, green = (Compose(docker_engine, f"remediator-test-{colour}", file) for colour in ("blue", "green"))
    with contextlib.ExitStack() as stack:
        for project in (blue, green):
            stack.callback(project.down)
            project.up()
        blue.run("run", "--detach", "web", "-c", "import time; time.sleep(600)")

        found = await engine.containers(
            Target(kind=TargetKind.COMPOSE_SERVICE, name="web", project="remediator-test-blue")
        )
        assert [c.name for c in found] == ["remediator-test-blue-web-1", "remediator-test-blue-web-2"]
        everywhere = await engine.containers(Target(kind=TargetKind.COMPOSE_SERVICE, name="web"))
        assert {c.labels["com.docker.compose.project"] for c in everywhere} >= {blue.project, green.project}


async def test_restart_and_start(engine: DockerEngine, run: Callable[..., Any]) -> None:
    container = run()
    before = await one(engine, container.id)
    await engine.restart_container(container.id, before.stop_timeout)
    after = await one(engine, container.id)
    assert after.running
    assert after.started_at > before.started_at

    container.stop(timeout=1)
    assert not (await one(engine, container.id)).running
    await engine.restart_container(container.id, 1)
    assert (await one(engine, container.id)).running


async def test_a_container_that_ignores_the_stop_signal_is_waited_for_and_killed(
    engine: DockerEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "ACT_SECONDS", 30.0)
    container = run(DEAF)
    before = await one(engine, container.id)
    await engine.restart_container(container.id, 2)
    after = await one(engine, container.id)
    assert after.started_at > before.started_at + timedelta(seconds=2)


async def test_a_restart_after_the_client_gave_up_still_happens(
    engine: DockerEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    container = run(DEAF)
    before = await one(engine, container.id)
    monkeypatch.setattr(engine_module, "ACT_SECONDS", -1.5)  # two seconds to stop, and half a second for us
    with pytest.raises(EngineTimeout):
        await engine.restart_container(container.id, 2)

    async def restarted() -> bool:
        seen = await one(engine, container.id)
        return bool(seen.running and seen.started_at > before.started_at)

    await until(restarted, 30, "the restart that nobody waited for")


async def test_restart_of_nothing_is_refused(engine: DockerEngine) -> None:
    with pytest.raises(EngineRefused, match="No such container"):
        await engine.restart_container("f" * 64, 1)


async def test_a_start_that_fails_is_refused_with_the_engines_words(
    engine: DockerEngine, docker_engine: Engine, service_image: str
) -> None:
    client = docker_engine.client()
    container = client.api.create_container(service_image, entrypoint=["/no/such/program"])
    try:
        with pytest.raises(EngineRefused, match="no such file"):
            await engine.restart_container(container["Id"], 1)
    finally:
        client.api.remove_container(container["Id"], force=True)
        client.close()


async def test_logs_of_both_streams_with_time_stamps(engine: DockerEngine, run: Callable[..., Any]) -> None:
    container = run(
        "import sys\n"
        "for i in range(300): print('line', i, flush=True)\n"
        "print('password=hunter2', file=sys.stderr)\n"
    )
    container.wait()
    now = (await engine.ping()).system_time
    assert len((await engine.logs(container.id, 100)).splitlines()) == 100
    lines = (await engine.logs(container.id, 1000)).splitlines()
    texts = [line.split(" ", 1) for line in lines]
    assert all(abs(datetime.fromisoformat(stamp) - now) < timedelta(minutes=5) for stamp, _ in texts)
    assert "password=[redacted]" in [text for _, text in texts]
    assert "line 299" in [text for _, text in texts]


async def test_logs_of_a_terminal(engine: DockerEngine, run: Callable[..., Any]) -> None:
    container = run("print('hello')", tty=True)
    container.wait()
    assert (await engine.logs(container.id, 5)).strip().endswith(" hello")


async def test_huge_logs_are_cut(engine: DockerEngine, run: Callable[..., Any]) -> None:
    container = run("for i in range(100): print('x' * 20000)")
    container.wait()
    assert len(await engine.logs(container.id, 100)) < 300_000


async def test_logs_of_a_driver_that_cannot_be_read(engine: DockerEngine, run: Callable[..., Any]) -> None:
    container = run(log_config={"type": "none"})
    with pytest.raises(WorldError, match="logs"):
        await engine.logs(container.id, 5)


@contextlib.asynccontextmanager
async def watching(engine: DockerEngine) -> AsyncIterator[None]:
    task = asyncio.create_task(engine.watch())
    try:
        await until(lambda: engine._watcher._live, 20, "the stream of events")
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def events_of(engine: DockerEngine, container_id: str) -> list[EngineEvent]:
    history = await engine.history(datetime.now(UTC) - timedelta(minutes=10))
    return [event for event in history.events if event.object_id == container_id]


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "asked"])
async def test_history_tells_what_a_person_did(
    engine: DockerEngine, run: Callable[..., Any], watched: bool
) -> None:
    async with watching(engine) if watched else contextlib.nullcontext():
        container = run(labels={"remediator.test": "history"})
        container.kill(signal="SIGUSR1")
        container.update(mem_limit="256m", memswap_limit="512m")
        container.stop(timeout=5)
        container.start()
        until_sync(lambda: container.logs().count(b"ready") == 2, 30, "the program")
        container.restart(timeout=5)
        container.rename(f"{container.name}-new")
        container.pause()
        container.unpause()
        events = await events_of(engine, container.id)
        # Some engines tell of a pause twice.
        paused = [event for event in events if event.action.endswith("pause")]
        events = [event for event in events if event not in paused]
        assert {event.action for event in paused} == {"pause", "unpause"}
        # Newer engines tell of the stop first, then of the end.
        assert [event.action for event in events if event.action != "die"] == [
            "create", "start", "kill", "update", "kill", "stop", "start",
            "kill", "stop", "start", "restart", "rename",
        ]  # fmt: skip
        assert [event.action for event in events].count("die") == 2
        assert events[2].attributes["signal"] in ("10", "SIGUSR1")
        assert events[0].attributes["remediator.test"] == "history"
        assert [event.at for event in events] == sorted(event.at for event in events)


async def test_an_event_is_in_the_history_as_soon_as_the_act_returned(
    engine: DockerEngine, run: Callable[..., Any]
) -> None:
    async with watching(engine):
        container = run()
        for _ in range(5):
            before = len(await events_of(engine, container.id))
            container.kill(signal="SIGUSR1")
            events = await events_of(engine, container.id)
            assert [event.action for event in events[before:]] == ["kill"]


async def test_history_outlasts_what_the_engine_remembers(
    engine: DockerEngine, docker_engine: Engine, run: Callable[..., Any]
) -> None:
    async with watching(engine):
        container = run()
        container.kill(signal="SIGUSR1")
        began = datetime.now(UTC)
        # Health checks make such events all the time; newer engines remember 1024 of all kinds.
        for _ in range(1100):
            container.client.api.exec_create(container.id, ["true"])
        fresh = DockerEngine(docker_engine.host, SystemClock())
        forgotten = await fresh.history(began - timedelta(minutes=10))
        await fresh.close()
        history = await engine.history(began - timedelta(minutes=10))
        assert forgotten.complete_from > began
        assert container.id not in {event.object_id for event in forgotten.events}
        assert history.complete_from <= began
        assert "kill" in {e.action for e in history.events if e.object_id == container.id}


async def test_many_questions_at_once(engine: DockerEngine, run: Callable[..., Any]) -> None:
    container = run()
    seen = await asyncio.gather(*(engine.container(container.id) for _ in range(100)))
    assert {s.id for s in seen if s is not None} == {container.id}
