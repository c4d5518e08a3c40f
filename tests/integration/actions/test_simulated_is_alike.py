"""The simulated world tells of the same things in the same words as the real one."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.world.simulated import SimulatedEngine, fingerprint
from tests.lab.wait import until, until_sync
from tests.unit.still_clock import StillClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.world.base import Engine, World
    from tests.lab.alertmanager import Alertmanager
    from tests.lab.container import ServiceContainer

pytestmark = pytest.mark.docker


async def test_a_containers_life(world: World, start_service: Callable[..., ServiceContainer]) -> None:
    real = world.engine("local")
    container = start_service(restart_policy={"Name": "on-failure", "MaximumRetryCount": 5})
    id_ = str(container.container.id)
    clock = StillClock()
    simulated = SimulatedEngine(clock)
    simulated_id = simulated.add_container(
        container.name, labels=container.labels, health_check=True, restart_policy="on-failure"
    )

    async def compare(since_real: Any, since_simulated: Any) -> None:
        told = await _actions(real, id_, since_real), await _state(real, id_)
        expected = (
            await _actions(simulated, simulated_id, since_simulated),
            await _state(simulated, simulated_id),
        )
        assert told == expected
        clock.advance(1)

    for real_act, simulated_act in (
        (lambda: container.post("/crash"), lambda: simulated.crash(container.name)),
        (container.container.restart, lambda: simulated.restart_by_hand(container.name)),
        (container.container.stop, lambda: simulated.stop_by_hand(container.name)),
        (container.container.start, lambda: simulated.start_by_hand(container.name)),
        (lambda: container.container.kill("SIGHUP"), lambda: simulated.signal_by_hand(container.name)),
    ):
        before, now = world.clock.now(), clock.now()
        real_act()
        simulated_act()
        expected = await _actions(simulated, simulated_id, now)
        await until(lambda: _length(real, id_, before, len(expected)), 30, f"events {expected}")  # noqa: B023
        await compare(before, now)
        if simulated.box(container.name).seen.running:
            # A program that has only just been started does not hear the next signal yet.
            await until(container.healthy, 30, "the program")


def test_fingerprints(start_alertmanager: Callable[..., Alertmanager]) -> None:
    alertmanager = start_alertmanager("http://127.0.0.1:9/")
    for labels in (
        {"alertname": "ApplicationDown", "job": "robo-rlhf"},
        {"alertname": "Ümläut", "a": "", "z": 'quoted "x"\n', "m": secrets.token_hex(4)},
    ):
        alertmanager.fire(labels)
        kept = {name: value for name, value in labels.items() if value}
        until_sync(lambda: fingerprint(kept) in _marks(alertmanager), 10, "the alert")  # noqa: B023


def _marks(alertmanager: Alertmanager) -> set[str]:
    return {alert["fingerprint"] for alert in alertmanager.alerts()}


async def _actions(engine: Engine, id_: str, since: Any) -> list[str]:
    history = await engine.history(since - timedelta(microseconds=1))
    return [event.action for event in history.events if event.object_id == id_]


async def _length(engine: Engine, id_: str, since: Any, length: int) -> bool:
    return len(await _actions(engine, id_, since)) >= length


async def _state(engine: Engine, id_: str) -> tuple[Any, ...]:
    container = await engine.container(id_)
    assert container is not None
    ended = container.exit_code is None
    return container.running, container.status, ended, container.restart_count, container.restart_policy
