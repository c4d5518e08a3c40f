"""The simulated world does what its description says, so that tests on it mean something."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from remediator.model.alert import Alert
from remediator.model.command import CommandSpec
from remediator.model.service import Target, TargetKind
from remediator.model.world import WorldError
from remediator.world.base import EngineRefused, EngineTimeout, Sample
from remediator.world.simulated import SimulatedWorld, fingerprint
from tests.unit.given import clock_of
from tests.unit.still_clock import NOON, StillClock

SLEEP = CommandSpec(name="sleep", argv=("/bin/sleep",), timeout=timedelta(seconds=30))
NOW = timedelta(0)


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld.make(StillClock(), [SLEEP])


# The engine.


async def test_what_is_broken_is_mended_by_a_restart_unless_it_is_incurable(world: SimulatedWorld) -> None:
    id_ = world.docker.add_container("web", health_check=True)
    for incurable, after in ((False, "healthy"), (True, "unhealthy")):
        world.docker.breaks("web", incurable=incurable)
        before = await world.docker.container(id_)
        await world.docker.restart_container(id_, 10)
        now = await world.docker.container(id_)
        assert before is not None
        assert now is not None
        assert (before.health, now.health) == ("unhealthy", after)


async def test_a_restart_takes_as_long_as_the_program_takes_to_stop(world: SimulatedWorld) -> None:
    id_ = world.docker.add_container("web", stops_after=8)
    await world.docker.restart_container(id_, 30)
    assert world.clock.now() - NOON == timedelta(seconds=8)
    await world.docker.restart_container(id_, 3)
    assert world.clock.now() - NOON == timedelta(seconds=11)


async def test_an_engine_that_is_down_refuses_acts_and_answers_nothing(world: SimulatedWorld) -> None:
    id_ = world.docker.add_container("web")
    world.docker.down = "no route"
    with pytest.raises(EngineRefused):
        await world.docker.restart_container(id_, 10)
    with pytest.raises(WorldError):
        await world.docker.ping()
    world.docker.calm()
    await world.docker.restart_container(id_, 10)
    assert world.docker.restarts == ["web"]


async def test_an_act_whose_answer_is_lost_happens_when_it_is_due(world: SimulatedWorld) -> None:
    id_ = world.docker.add_container("web")
    world.docker.lose_answer("restart_container", acts_after=20)
    with pytest.raises(EngineTimeout):
        await world.docker.restart_container(id_, 10)
    clock_of(world).advance(19)
    assert [event.action for event in (await world.docker.history(NOON)).events] == []
    clock_of(world).advance(10)
    told = await world.docker.history(NOON)
    assert [event.action for event in told.events] == ["kill", "die", "stop", "start", "restart"]
    assert {event.at for event in told.events} == {NOON + timedelta(seconds=20)}


async def test_trouble_ends_after_so_many_calls(world: SimulatedWorld) -> None:
    world.docker.disturb("ping", error=WorldError("slow"), delay=2, times=2)
    for _ in range(2):
        with pytest.raises(WorldError):
            await world.docker.ping()
    await world.docker.ping()
    assert world.clock.now() - NOON == timedelta(seconds=4)


async def test_a_forgetful_engine_says_so(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.stop_by_hand("web")
    clock_of(world).advance(60)
    world.docker.forget()
    told = await world.docker.history(NOON)
    assert (told.complete_from, told.events) == (NOON + timedelta(seconds=60), ())


async def test_targets_match_exactly(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.add_container("web-2", labels={"tier": "front"})

    async def names(kind: TargetKind, name: str) -> list[str]:
        return [c.name for c in await world.docker.containers(Target(kind=kind, name=name))]

    assert await names(TargetKind.CONTAINER, "web") == ["web"]
    assert await names(TargetKind.LABEL, "tier=front") == ["web-2"]
    assert await names(TargetKind.LABEL, "tier=") == []
    assert await names(TargetKind.COMPOSE_SERVICE, "web") == []
    assert await names(TargetKind.NONE, "") == []


def test_what_was_never_added_is_a_mistake_of_the_test(world: SimulatedWorld) -> None:
    for act in (world.docker.crash, world.docker.stop_by_hand, world.docker.update_by_hand):
        with pytest.raises(KeyError):
            act("web")


# Alertmanager.


def test_fingerprints_are_those_of_alertmanager() -> None:
    # That these are right is shown beside a real Alertmanager, in tests/integration/actions.
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"alertname": "ApplicationDown", "job": "robo-rlhf"}) == "2e55bb381548b69c"


async def test_an_alert_from_firing_to_resolved(world: SimulatedWorld) -> None:
    mark = world.alerts.fire({"alertname": "Down"}, {"summary": "it is down"})
    assert (await world.alerts.look(NOW)).sighting(mark).state == "firing"
    clock_of(world).advance(3600)
    world.alerts.fire({"alertname": "Down"})
    seen = (await world.alerts.look(NOW)).alerts[mark]
    assert (seen.starts_at, seen.updated_at) == (NOON, NOON + timedelta(hours=1))
    world.alerts.mute(mark)
    assert (await world.alerts.look(NOW)).sighting(mark).state == "muted"
    world.alerts.unmute(mark)
    world.alerts.resolve(mark)
    assert (await world.alerts.look(NOW)).sighting(mark).state == "absent"
    clock_of(world).advance(60)
    world.alerts.fire({"alertname": "Down"})
    assert (await world.alerts.look(NOW)).alerts[mark].starts_at == world.clock.now()


async def test_an_alertmanager_that_does_not_answer_proves_nothing(world: SimulatedWorld) -> None:
    mark = world.alerts.fire({"alertname": "Down"})
    world.alerts.unreachable = "refused"
    seen = await world.alerts.look(NOW)
    assert (seen.complete, seen.alerts, list(seen.errors.values())) == (False, {}, ["refused"])
    assert (await world.alerts.look(NOW)).sighting(mark).state == "unknown"


def test_the_body_is_one_that_the_receiver_reads(world: SimulatedWorld) -> None:
    down = world.alerts.fire({"alertname": "Down"}, {"summary": "it is down"})
    over = world.alerts.fire({"alertname": "Over"})
    clock_of(world).advance(60)
    world.alerts.resolve(over)
    body = json.loads(world.alerts.notification())
    alerts = [Alert.model_validate(alert) for alert in body["alerts"]]
    assert [(a.fingerprint, a.firing) for a in alerts] == [(down, True), (over, False)]
    assert alerts[1].ends_at == world.clock.now()
    assert (body["version"], body["status"]) == ("4", "firing")
    assert json.loads(world.alerts.notification(over))["status"] == "resolved"


# Prometheus and commands.


async def test_prometheus_answers_what_it_was_given(world: SimulatedWorld) -> None:
    world.prometheus.answers["up"] = [Sample(labels={"job": "web"}, value=1.0)]
    assert [sample.value for sample in await world.prometheus.query("up")] == [1.0]
    assert await world.prometheus.query("down") == []
    world.prometheus.unreachable = "refused"
    for ask in (world.prometheus.query("up"), world.prometheus.alerts(), world.prometheus.ready()):
        with pytest.raises(WorldError, match="refused"):
            await ask


async def test_a_command_has_its_effect_when_it_ends_also_when_nobody_waits(world: SimulatedWorld) -> None:
    done: list[str] = []
    world.commands.behaves("sleep", seconds=10, effect=lambda: done.append("slept"))
    result = await world.commands.run(SLEEP, SLEEP.argv, attempt=1)
    assert (result.exit_code, result.seconds, done) == (0, 10, ["slept"])

    waiting = asyncio.create_task(world.commands.run(SLEEP, SLEEP.argv, attempt=2))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [survivor.argv for survivor in await world.commands.survivors(2)] == [SLEEP.argv]
    assert await world.commands.survivors(1) == []
    clock_of(world).advance(10)
    assert await world.commands.survivors(2) == []
    assert done == ["slept", "slept"]
    assert [ran.attempt for ran in world.commands.ran("sleep")] == [1, 2]


async def test_a_look_that_nobody_waits_for_is_ended(world: SimulatedWorld) -> None:
    done: list[str] = []
    world.commands.behaves("sleep", seconds=10, effect=lambda: done.append("slept"))
    waiting = asyncio.create_task(world.commands.run(SLEEP, SLEEP.argv))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    clock_of(world).advance(60)
    await world.commands.survivors(0)
    assert not done


async def test_a_command_is_ended_at_its_timeout(world: SimulatedWorld) -> None:
    world.commands.behaves("sleep", seconds=31, output="tired")
    result = await world.commands.run(SLEEP, SLEEP.argv, attempt=1)
    assert (result.timed_out, result.exit_code, result.output) == (True, -9, "tired")
    assert world.clock.now() - NOON == timedelta(seconds=30)
    assert await world.commands.survivors(1) == []
