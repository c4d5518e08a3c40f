"""The looks of triage: what they show, and that nothing stops them from saying something."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.checks import registry
from remediator.checks.logs import MAX_CHARS
from remediator.model.command import CommandSpec, ParamSpec
from remediator.model.world import Finding, WorldError
from remediator.world.simulated import SimulatedWorld
from tests.unit.given import BARE, COMPOSE, SWARM, WEB, clock_of, uncatalogued
from tests.unit.still_clock import StillClock

if TYPE_CHECKING:
    from remediator.model.service import Service

PING = CommandSpec(
    name="redis-ping",
    argv=("/bin/redis-ping", "{host}"),
    params={"host": ParamSpec(default="redis")},
    timeout=timedelta(seconds=5),
)
LOOKS = registry({"redis-ping": PING})


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld.make(StillClock(), [PING])


async def look(world: SimulatedWorld, check: str, service: Service = WEB, **params: Any) -> Finding:
    return await LOOKS[check].look(service, params, world)


def test_the_registry_knows_them_by_name() -> None:
    assert {name: look.name for name, look in LOOKS.items()} == {name: name for name in LOOKS}
    bare = [name for name, look in LOOKS.items() if not look.needs_containers]
    assert {"host", "tcp", "health_url", "directory", "command"} <= set(bare)
    assert not {"containers", "logs", "health", "stats", "events", "changes"} & set(bare)
    for look_ in LOOKS.values():
        assert look_.params.model_config["extra"] == "forbid"


# containers


async def test_containers_are_a_table(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2, health_check=True)
    clock_of(world).advance(60)
    world.docker.crash("app-web-2", out_of_memory=True)
    finding = await look(world, "containers", COMPOSE)
    assert finding.ok is False
    assert finding.summary == "2 containers: 1 running, healthy, 1 exited 137, out of memory"
    head, first, second = finding.text.splitlines()
    assert head.split() == ["NAME", "STATE", "HEALTH", "RESTARTS", "EXIT", "STARTED", "FINISHED", "IMAGE"]
    assert first.split() == [
        "app-web-1", "running", "healthy", "0", "-", "2026-02-28T12:00:00+00:00", "-", "app:1",
    ]  # fmt: skip
    assert "137 (out of memory)" in second
    assert "2026-03-01T12:01:00+00:00" in second
    assert [c["status"] for c in finding.facts["containers"]] == ["running", "exited"]


async def test_running_containers_are_well_unless_they_say_otherwise(world: SimulatedWorld) -> None:
    world.docker.add_container("web", health_check=True)
    finding = await look(world, "containers")
    assert (finding.ok, finding.summary) == (True, "1 container: running, healthy")
    world.docker.breaks("web")
    assert (await look(world, "containers")).ok is False


async def test_a_swarm_service_is_shown_by_its_tasks(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", update_ends="paused")
    finding = await look(world, "containers", SWARM)
    assert (finding.ok, finding.summary) == (True, "2 of 2 tasks run; on this node: no containers")
    world.docker.update_by_hand("web")
    clock_of(world).advance(60)
    finding = await look(world, "containers", SWARM)
    assert finding.ok is False
    assert finding.summary.startswith("0 of 2 tasks run, update paused: tasks keep failing")
    assert finding.facts["update"] == "paused"


async def test_names_cannot_move_a_cursor(world: SimulatedWorld) -> None:
    world.docker.add_container("web", image="app\x1b[2J")
    assert "\x1b" not in (await look(world, "containers")).text


# logs


async def test_logs_of_each_container(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    world.docker.writes("app-web-1", *(f"line {number}" for number in range(200)))
    world.docker.writes("app-web-2", "hello")
    finding = await look(world, "logs", COMPOSE)
    assert (finding.ok, finding.summary) == (True, "101 lines of 2 containers")
    assert finding.text.startswith("--- app-web-1\nline 100\n")
    assert finding.text.endswith("line 199\n\n--- app-web-2\nhello\n")
    assert (await look(world, "logs", COMPOSE, tail=5)).summary == "6 lines of 2 containers"


async def test_logs_hold_no_secrets_and_no_escapes(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.writes("web", "password=hunter2", "\x1b[31mred\x1b[0m")
    text = (await look(world, "logs")).text
    assert "hunter2" not in text
    assert "\x1b" not in text
    assert r"\x1b[31mred" in text


async def test_logs_are_bounded_and_keep_their_end(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    for name in ("app-web-1", "app-web-2"):
        world.docker.writes(name, *["x" * 60_000] * 100, f"the end of {name}")
    text = (await look(world, "logs", COMPOSE)).text
    assert len(text) < MAX_CHARS + 1000
    assert "the end of app-web-1" in text
    assert "the end of app-web-2" in text
    assert "characters cut" in text


async def test_one_log_that_cannot_be_read_hides_no_other(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    world.docker.writes("app-web-2", "hello")
    world.docker.disturb("logs", error=WorldError("too slow"))
    finding = await look(world, "logs", COMPOSE)
    assert finding.ok is None
    assert finding.summary == "1 line of 1 container; cannot be read: app-web-1"
    assert "cannot be read: too slow" in finding.text
    assert "hello" in finding.text


# command


async def test_a_command_tells_by_its_exit_code(world: SimulatedWorld) -> None:
    world.commands.behaves("redis-ping", output="PONG\n")
    finding = await look(world, "command", BARE, name="redis-ping")
    assert (finding.ok, finding.summary, finding.text) == (True, "redis-ping: exit code 0", "PONG\n")
    world.commands.behaves("redis-ping", exit_code=1, output="\x1b[31mno\n")
    finding = await look(world, "command", name="redis-ping", args={"host": "other"})
    assert (finding.ok, finding.text) == (False, "\\x1b[31mno\n")
    assert [(ran.argv[1], ran.attempt) for ran in world.commands.runs] == [("redis", None), ("other", None)]


@pytest.mark.parametrize(
    ("how", "summary"),
    [
        ({"seconds": float("inf")}, "redis-ping: not done within 5 s"),
        ({"not_started": "Permission denied"}, "/bin/redis-ping could not be started: Permission denied"),
    ],
)
async def test_a_command_that_does_not_work_tells_nothing(
    world: SimulatedWorld, how: dict[str, Any], summary: str
) -> None:
    world.commands.behaves("redis-ping", **how)
    finding = await look(world, "command", name="redis-ping")
    assert (finding.ok, finding.summary) == (None, summary)


async def test_a_command_that_a_reload_took_away_tells_nothing(world: SimulatedWorld) -> None:
    world.commands.specs = {}
    finding = await look(world, "command", name="redis-ping")
    assert finding.ok is None
    assert "no command `redis-ping`" in finding.summary


def test_a_rule_is_told_of_a_command_that_does_not_exist() -> None:
    check = LOOKS["command"]
    assert check.check(check.params(name="redis-ping")) is None
    assert "did you mean `redis-ping`" in str(check.check(check.params(name="redis-pong")))
    for name in ("containers", "logs", "health"):
        assert LOOKS[name].check(LOOKS[name].params()) is None


# Whatever goes wrong.


@pytest.mark.parametrize("check", [name for name, look in LOOKS.items() if look.needs_containers])
async def test_what_cannot_be_read_is_a_finding(world: SimulatedWorld, check: str) -> None:
    world.docker.add_container("web")
    assert (await look(world, check, uncatalogued(WEB))).ok is None
    assert (await look(world, check, BARE)).ok is None
    assert (await look(world, check, surprise=1)).ok is None
    assert (await look(replace(world, engines={}), check)).ok is not True
    world.docker.down = "no route"
    finding = await look(world, check)
    assert (finding.check, finding.ok) == (check, None)
    assert "no route" in finding.summary


async def test_a_fault_of_ours_is_a_finding_too(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.disturb("logs", error=ZeroDivisionError("oh"))
    finding = await look(world, "logs")
    assert (finding.ok, finding.summary) == (None, "this check broke: ZeroDivisionError: oh")
