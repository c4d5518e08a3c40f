"""Swarm services on a real engine: what is told of them, and a forced update that changes nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from docker.errors import NotFound
from docker.types import ContainerSpec as Spec
from docker.types import (
    EndpointSpec,
    Healthcheck,
    Placement,
    Resources,
    RestartPolicy,
    SecretReference,
    ServiceMode,
    TaskTemplate,
    UpdateConfig,
)

from remediator.clock import SystemClock
from remediator.model.service import Target, TargetKind
from remediator.world.base import EngineRefused
from remediator.world.docker import DockerEngine
from tests.lab.wait import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from docker import DockerClient

    from remediator.model.world import SwarmService
    from tests.lab.engine import Engine

pytestmark = pytest.mark.docker

QUIET = "import signal, time; signal.signal(15, lambda *_: exit(0)); time.sleep(600)"


@pytest.fixture
async def engine(swarm: Engine) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(swarm.host, SystemClock())
    yield engine
    await engine.close()


@pytest.fixture
def create(swarm: Engine, service_image: str) -> Iterator[Callable[..., str]]:
    """Create a service: create(replicas=2, ...) gives its name. It is removed afterwards."""
    client = swarm.client()
    with contextlib.ExitStack() as stack:
        stack.callback(client.close)

        def start(
            program: str = QUIET,
            *,
            replicas: int = 1,
            mode: str = "replicated",
            container: dict[str, Any] | None = None,
            template: dict[str, Any] | None = None,
            **options: Any,
        ) -> str:
            name = f"remediator-test-{secrets.token_hex(4)}"
            spec = Spec(
                service_image,
                command=["python3", "-c", program],
                healthcheck=Healthcheck(test=["NONE"]),
                init=True,
                **(container or {}),
            )
            client.api.create_service(
                TaskTemplate(spec, **(template or {})),
                name=name,
                mode=ServiceMode(mode, replicas if mode == "replicated" else None),
                **options,
            )
            stack.callback(remove, client, name)
            return name

        yield start


def remove(client: DockerClient, name: str) -> None:
    with contextlib.suppress(NotFound):
        client.api.remove_service(name)


async def settled(engine: DockerEngine, name: str, running: int) -> SwarmService:
    """The service when all its tasks run and no update is under way."""

    async def there() -> SwarmService | None:
        seen = await engine.swarm_service(name)
        assert seen is not None
        return seen if seen.running == running and seen.update_state in (None, "completed") else None

    seen = await until(there, 60, f"{running} tasks of {name}")
    assert seen is not None
    return seen


async def running(engine: DockerEngine, name: str) -> set[str]:
    """The ids of the service's containers that run."""
    target = Target(kind=TargetKind.SWARM_SERVICE, name=name)
    return {container.id for container in await engine.containers(target) if container.running}


async def test_a_service_as_it_is(engine: DockerEngine, create: Callable[..., str]) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    name = create(
        replicas=2,
        labels={"remediator.enable": "true"},
        container={"stop_grace_period": 3_000_000_000},
        update_config=UpdateConfig(parallelism=0, delay=2_000_000_000, monitor=1_000_000_000),
    )
    seen = await settled(engine, name, 2)
    assert (seen.name, seen.replicas, seen.running, seen.force_update) == (name, 2, 2, 0)
    assert seen.labels == {"remediator.enable": "true"}
    assert (seen.stop_timeout, seen.update_parallelism, seen.update_pause) == (3, 0, 2.0)
    assert began < seen.created_at <= seen.updated_at
    assert seen.running_since is not None
    assert seen.created_at < seen.running_since
    assert seen.update_state is None
    by_id = await engine.swarm_service(seen.id)
    assert by_id is not None
    assert by_id.name == name
    assert await engine.swarm_service(name[:-1]) is None
    assert await engine.swarm_service(seen.id[:-1]) is None


async def test_defaults_are_swarms_own(engine: DockerEngine, create: Callable[..., str]) -> None:
    seen = await settled(engine, create(), 1)
    assert (seen.stop_timeout, seen.update_parallelism, seen.update_pause) == (10, 1, 5.0)


async def test_a_global_service(engine: DockerEngine, create: Callable[..., str]) -> None:
    seen = await settled(engine, create(mode="global"), 1)
    assert seen.replicas == 1


async def test_no_such_service(engine: DockerEngine) -> None:
    assert await engine.swarm_service("remediator-test-none") is None


async def test_containers_of_a_service_on_this_node(engine: DockerEngine, create: Callable[..., str]) -> None:
    name = create(replicas=2)
    seen = await settled(engine, name, 2)
    for asked in (name, seen.id):
        found = await engine.containers(Target(kind=TargetKind.SWARM_SERVICE, name=asked))
        assert len(found) == 2
        assert {c.labels["com.docker.swarm.service.name"] for c in found} == {name}


async def test_forced_update_replaces_all_tasks_and_changes_nothing_else(
    engine: DockerEngine, swarm: Engine, create: Callable[..., str]
) -> None:
    client = swarm.client()
    secret_name = f"remediator-test-{secrets.token_hex(4)}"
    secret = client.api.create_secret(secret_name, b"s")["ID"]
    name = create(
        replicas=2,
        labels={"a": "b"},
        container={
            "env": ["A=1", "B=$(x)"],
            "labels": {"c": "d"},
            "hosts": {"db": "10.0.0.9"},
            "stop_grace_period": 5_000_000_000,
            "cap_drop": ["CAP_NET_RAW"],
            "secrets": [SecretReference(secret, secret_name)],
            "workdir": "/",
        },
        template={
            "resources": Resources(mem_limit=256 << 20),
            "restart_policy": RestartPolicy(condition="on-failure", max_attempts=3),
            "placement": Placement(constraints=["node.role==manager"]),
        },
        endpoint_spec=EndpointSpec(mode="dnsrr"),
        update_config=UpdateConfig(parallelism=0, monitor=1_000_000_000, order="start-first"),
    )
    try:
        before = await settled(engine, name, 2)
        spec = client.api.inspect_service(before.id)["Spec"]
        old = await running(engine, name)

        await engine.force_update(before.id, before.version)

        async def replaced() -> SwarmService | None:
            seen = await engine.swarm_service(name)
            assert seen is not None
            done = seen.update_state == "completed" and seen.running == 2
            return seen if done and len(await running(engine, name)) == 2 else None

        after = await until(replaced, 90, "the end of the update")
        assert after is not None
        assert after.force_update == 1
        assert after.version > before.version
        assert after.updated_at > before.updated_at
        assert after.running_since is not None
        assert before.running_since is not None
        assert after.running_since > before.running_since
        assert not old & await running(engine, name), "they were replaced"
        now = client.api.inspect_service(before.id)["Spec"]
        assert now["TaskTemplate"].pop("ForceUpdate") == 1
        assert spec["TaskTemplate"].pop("ForceUpdate", 0) == 0
        assert now == spec
    finally:
        remove(client, name)
        client.api.remove_secret(secret)
        client.close()


async def test_forced_update_of_another_version_is_refused(
    engine: DockerEngine, swarm: Engine, create: Callable[..., str]
) -> None:
    before = await settled(engine, create(), 1)
    await engine.force_update(before.id, before.version)
    with pytest.raises(EngineRefused, match="at version"):
        await engine.force_update(before.id, before.version)
    seen = await engine.swarm_service(before.id)
    assert seen is not None
    assert seen.force_update == 1


async def test_of_two_at_once_one_is_refused(engine: DockerEngine, create: Callable[..., str]) -> None:
    before = await settled(engine, create(), 1)
    outcomes = await asyncio.gather(
        *(engine.force_update(before.id, before.version) for _ in range(5)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes].count(EngineRefused) == 4
    seen = await engine.swarm_service(before.id)
    assert seen is not None
    assert seen.force_update == 1


async def test_forced_update_of_nothing_is_refused(engine: DockerEngine) -> None:
    with pytest.raises(EngineRefused, match="no Swarm service"):
        await engine.force_update("remediator-test-none", 1)


async def test_tasks_of_an_older_version_do_not_count(
    engine: DockerEngine, swarm: Engine, create: Callable[..., str]
) -> None:
    name = create(update_config=UpdateConfig(parallelism=1, failure_action="pause", monitor=60_000_000_000))
    before = await settled(engine, name, 1)
    client = swarm.client()
    # Nothing can be placed there, so the old task goes and no new one comes.
    raw = client.api.inspect_service(before.id)
    raw["Spec"]["TaskTemplate"]["Placement"] = {"Constraints": ["node.labels.nowhere==yes"]}
    raw["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = ["CHANGED=1"]
    client.api._post_json(
        client.api._url("/services/{0}/update", before.id),
        data=raw["Spec"],
        params={"version": raw["Version"]["Index"]},
    )
    client.close()

    async def seen() -> bool:
        now = await engine.swarm_service(name)
        assert now is not None
        return now.running == 0 and now.update_state == "updating"

    await until(seen, 60)


async def test_history_tells_of_changes_to_a_service(
    engine: DockerEngine, swarm: Engine, create: Callable[..., str]
) -> None:
    since = (await engine.ping()).system_time
    name = create()
    seen = await settled(engine, name, 1)
    client = swarm.client()
    client.services.get(name).scale(2)
    client.close()
    await settled(engine, name, 2)
    history = await engine.history(since)
    events = [event for event in history.events if event.kind == "service" and event.object_id == seen.id]
    assert [event.action for event in events][:2] == ["create", "update"]
    assert events[0].name == name
    assert events[1].attributes["replicas.new"] == "2"
