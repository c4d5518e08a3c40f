"""The check `stats`: what containers use, and when that is too near a limit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remediator.checks.stats import MAX_CONTAINERS
from remediator.checks.texts import size
from remediator.model.world import WorldError
from remediator.world.simulated.containers import NEXT_TO_NOTHING
from tests.unit.checks.given import look
from tests.unit.given import COMPOSE

if TYPE_CHECKING:
    from remediator.world.simulated import SimulatedWorld


async def test_each_container_is_a_row(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    box = world.docker.box("app-web-1")
    box.cpus = 1.5
    box.usage = replace(NEXT_TO_NOTHING, memory=256 << 20, pids=7, pids_limit=100)
    world.docker.crash("app-web-2")
    finding = await look(world, "stats", COMPOSE)
    assert (finding.ok, finding.summary) == (True, "2 containers, none near a limit")
    head, first, second = finding.text.splitlines()
    assert head.split() == ["NAME", "CPU", "MEMORY", "LIMIT", "MEM", "PIDS", "RESTARTS"]
    assert first.split() == ["app-web-1", "150%", "256.0", "MiB", "1.0", "GiB", "25%", "7/100", "0"]
    assert second.split() == ["app-web-2", "does", "not", "run", "-", "-", "-", "-", "0"]
    facts = finding.facts["containers"][0]
    assert (facts["cpu_percent"], facts["memory_percent"], facts["pids_percent"]) == (150, 25, 7)
    assert finding.facts["containers"][1] == {"name": "app-web-2", "restarts": 0, "running": False}


@pytest.mark.parametrize(
    ("usage", "summary"),
    [
        ({"memory": 1 << 30}, "web uses 100% of its memory"),
        ({"pids": 96, "pids_limit": 100}, "web uses 96% of its processes"),
        ({"memory": 1 << 40, "memory_limit": None}, "1 container, none near a limit"),
        ({"memory": None, "pids": None}, "1 container, none near a limit"),
    ],
)
async def test_near_a_limit_is_not_well(
    world: SimulatedWorld, usage: dict[str, int | None], summary: str
) -> None:
    world.docker.add_container("web")
    world.docker.box("web").usage = replace(NEXT_TO_NOTHING, **usage)
    finding = await look(world, "stats")
    assert (finding.ok, finding.summary) == ("near" in summary, summary)


async def test_what_is_near_is_for_the_rule_to_say(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.box("web").usage = replace(NEXT_TO_NOTHING, memory=(1 << 30) * 3 // 5)
    assert (await look(world, "stats")).ok is True
    assert (await look(world, "stats", full=60)).ok is False


async def test_a_container_started_meanwhile_has_no_cpu_yet(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.box("web").cpus = 1
    world.docker.later(0.5, lambda _: world.docker.restart_by_hand("web"))
    assert (await look(world, "stats")).facts["containers"][0]["cpu_percent"] is None


async def test_one_that_cannot_be_read_hides_no_other(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    world.docker.disturb("usage", error=WorldError("too slow"), times=float("inf"))
    finding = await look(world, "stats", COMPOSE)
    assert (finding.ok, finding.summary) == (
        None,
        "0 containers, none near a limit; cannot be read: app-web-1, app-web-2",
    )
    assert "cannot be read: too slow" in finding.text
    world.docker.calm()
    world.docker.disturb("usage", error=WorldError("too slow"))
    assert (await look(world, "stats", COMPOSE)).ok is True, "only its first count is missing"


async def test_of_very_many_only_some_are_looked_at(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=MAX_CONTAINERS + 2)
    finding = await look(world, "stats", COMPOSE)
    assert finding.ok is None
    assert "2 more not looked at" in finding.summary
    assert len(finding.text.splitlines()) == MAX_CONTAINERS + 1


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 40, "1.0 TiB"), (5 << 50, "5120.0 TiB")],
)
def test_sizes(count: int, told: str) -> None:
    assert size(count) == told
