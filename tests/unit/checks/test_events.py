"""The check `events`: what happened to a service's objects, also to those that are gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.checks.events import KEPT
from remediator.model.service import Service, Target, TargetKind
from tests.unit.checks.given import look
from tests.unit.given import BARE, COMPOSE, ENABLED, SWARM, WEB, clock_of, uncatalogued

if TYPE_CHECKING:
    from remediator.world.simulated import SimulatedWorld


async def test_newest_last_with_exit_codes_and_signals(world: SimulatedWorld) -> None:
    world.docker.add_container("web", restart_policy="always")
    world.docker.signal_by_hand("web")
    clock_of(world).advance(60)
    world.docker.crash("web", exit_code=3)
    finding = await look(world, "events")
    assert finding.ok is False
    assert finding.summary == "3 events in 15m, the last bad one: web die exit code 3"
    head, *lines = (line.split() for line in finding.text.splitlines())
    assert head == ["AT", "NAME", "WHAT", "DETAIL"]
    assert lines == [
        ["2026-03-01T12:00:00+00:00", "web", "kill", "signal", "1"],
        ["2026-03-01T12:01:00+00:00", "web", "die", "exit", "code", "3"],
        ["2026-03-01T12:01:00+00:00", "web", "start", "image", "app:1"],
    ]
    assert [event["what"] for event in finding.facts["events"]] == ["kill", "die", "start"]


async def test_a_stop_is_not_bad_but_lack_of_memory_is(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.restart_by_hand("web")
    assert (await look(world, "events")).ok is True
    world.docker.crash("web", out_of_memory=True)
    finding = await look(world, "events")
    assert finding.ok is False
    assert finding.summary.endswith("web oom")


async def test_nothing_happened(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    finding = await look(world, "events")
    assert (finding.ok, finding.summary, finding.text) == (True, "0 events in 15m", "")


async def test_only_as_far_back_as_asked_and_only_of_the_service(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.add_container("other")
    world.docker.crash("web")
    clock_of(world).advance(120)
    world.docker.crash("other")
    assert (await look(world, "events", since="1m")).summary == "0 events in 1m"
    assert (await look(world, "events", since="2m")).facts["events"][0]["name"] == "web"


async def test_what_the_engine_has_forgotten_is_told(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.forget()
    finding = await look(world, "events")
    assert (finding.ok, finding.facts["complete"]) == (None, False)
    assert finding.summary.endswith("what was before 2026-03-01T12:00:00+00:00 is not known any more")


async def test_times_are_by_our_clock(world: SimulatedWorld) -> None:
    world.docker.ahead = timedelta(hours=1)
    world.docker.add_container("web")
    world.docker.crash("web")
    (event,) = (await look(world, "events")).facts["events"]
    assert event["at"] == "2026-03-01T12:00:00+00:00"


async def test_the_record_keeps_fewer_than_the_text(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    for number in range(90):
        world.docker.signal_by_hand("web", number)
    finding = await look(world, "events")
    assert len(finding.text.splitlines()) == 91
    assert [event["detail"] for event in finding.facts["events"]][:: KEPT - 1] == ["signal 70", "signal 89"]


async def test_of_many_the_newest(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    for number in range(9):
        world.docker.signal_by_hand("web", number)
    finding = await look(world, "events", limit=2)
    assert finding.summary == "9 events in 15m"
    assert finding.text.startswith("[... 7 older events left out ...]\n")
    assert [event["detail"] for event in finding.facts["events"]] == ["signal 7", "signal 8"]


@pytest.mark.parametrize(
    "service", [WEB, Service(name="web", target=Target(kind=TargetKind.LABEL, name="app=web"))]
)
async def test_of_a_container_that_is_gone(world: SimulatedWorld, service: Service) -> None:
    world.docker.add_container("web", labels={"app": "web"})
    world.docker.remove_by_hand("web")
    finding = await look(world, "events", service)
    assert [event["what"] for event in finding.facts["events"]] == ["kill", "die", "destroy"]


async def test_of_a_swarm_service(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web")
    world.docker.add_swarm_service("other")
    world.docker.scale_by_hand("web", 3)
    world.docker.scale_by_hand("other", 3)
    (event,) = (await look(world, "events", SWARM)).facts["events"]
    assert (event["what"], event["detail"]) == ("update", "replicas 3")


async def test_only_of_what_may_be_looked_at(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web")
    assert (await look(world, "events", uncatalogued(COMPOSE))).ok is None
    assert (await look(world, "events", BARE)).ok is None
    world.docker.add_container("web", labels=ENABLED)
    assert (await look(world, "events", uncatalogued(WEB))).ok is True


async def test_names_cannot_move_a_cursor_or_fill_a_page(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.recreate_by_hand("web", image="\x1b[2J" + "x" * 5000)
    finding = await look(world, "events")
    assert "\x1b" not in finding.text
    assert len(finding.text) < 3000
