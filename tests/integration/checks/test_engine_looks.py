"""The looks that read an engine, on a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from remediator.checks import registry
from remediator.model.service import Service, Target, TargetKind
from tests.lab.wait import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.model.world import Finding
    from remediator.world.base import World
    from tests.lab.container import ServiceContainer

pytestmark = pytest.mark.docker

LOOKS = registry({})
MEMORY = 256 << 20


def of(container: ServiceContainer) -> Service:
    return Service(name="app", target=Target(kind=TargetKind.CONTAINER, name=container.name))


async def look(world: World, check: str, container: ServiceContainer, **params: Any) -> Finding:
    return await LOOKS[check].look(of(container), params, world)


async def test_stats(world: World, start_service: Callable[..., ServiceContainer]) -> None:
    container = start_service(mem_limit=MEMORY, pids_limit=77)
    finding = await look(world, "stats", container)
    assert (finding.ok, finding.summary) == (True, "1 container, none near a limit")
    (facts,) = finding.facts["containers"]
    assert 0 <= facts["cpu_percent"] < 1000
    assert 1 << 20 < facts["memory_bytes"] < MEMORY
    assert (facts["memory_limit_bytes"], facts["pids_limit"]) == (MEMORY, 77)
    assert facts["pids"] >= 1
    container.container.stop()
    (facts,) = (await look(world, "stats", container)).facts["containers"]
    assert facts["running"] is False


async def test_events(world: World, start_service: Callable[..., ServiceContainer]) -> None:
    container = start_service()
    container.container.kill("SIGHUP")
    container.post("/crash")

    async def crashed() -> Finding | None:
        finding = await look(world, "events", container, since="5m")
        return finding if finding.ok is False else None

    finding = await until(crashed, 30, "the end of the program")
    assert finding is not None
    told = [(event["what"], event["detail"]) for event in finding.facts["events"]]
    assert [what for what, _ in told] == ["create", "start", "kill", "die"]
    assert dict(told)["kill"] == "signal 1"
    assert dict(told)["die"].startswith("exit code ")
    container.remove()
    told_after = (await look(world, "events", container, since="5m")).facts["events"]
    assert told_after[-1]["what"] == "destroy", "also of what is gone"


async def test_refusals_by_the_engines_time_stamps(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service()
    lines = container.container.logs().decode().splitlines()
    assert lines
    finding = await look(world, "auth_failures", container, patterns=["."])
    assert finding.ok is False
    assert finding.facts["count"] >= len(lines)
    assert lines[0] in finding.text
    finding = await look(world, "auth_failures", container, patterns=[lines[0][:5]], since="1ms")
    assert finding.facts["count"] == 0


async def test_changes(world: World, start_service: Callable[..., ServiceContainer]) -> None:
    hashes = [{"remediator.enable": "true", "com.docker.compose.config-hash": mark * 64} for mark in "ab"]
    first = start_service(labels=hashes[0])
    finding = await look(world, "changes", first)
    assert (finding.ok, len(finding.facts["changes"])) == (False, 1)
    assert finding.summary.endswith("what was before is not known")
    (facts,) = finding.facts["containers"]
    image = first.container.image.id.removeprefix("sha256:")
    assert facts["image_id"] == image[:12]
    first.remove()
    second = start_service(name=first.name, labels=hashes[1])
    (told,) = (await look(world, "changes", second)).facts["changes"]
    assert told.endswith(f"Compose configuration {'a' * 12} -> {'b' * 12}")
