"""A world that exists only in memory: the faces of `remediator.world.base` under an injected clock.

It ships with the daemon, so that operators can rehearse their rules, and tests of the daemon need no
engine. Nothing in here runs by itself or takes real time: what is due by the clock happens when
somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from remediator.model.alert import fingerprint
from remediator.world.base import World
from remediator.world.simulated.alertmanagers import SimulatedAlertmanagers
from remediator.world.simulated.commands import Program, Ran, SimulatedCommands
from remediator.world.simulated.compose import SimulatedCompose
from remediator.world.simulated.engine import SimulatedEngine
from remediator.world.simulated.near import SimulatedHost, SimulatedNetwork
from remediator.world.simulated.prometheus import SimulatedPrometheus
from remediator.world.simulated.requests import Sent, Server, SimulatedRequests

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remediator.clock import Clock
    from remediator.model.command import CommandSpec
    from remediator.model.request import RequestSpec

__all__ = [
    "Program",
    "Ran",
    "Sent",
    "Server",
    "SimulatedAlertmanagers",
    "SimulatedCommands",
    "SimulatedCompose",
    "SimulatedEngine",
    "SimulatedHost",
    "SimulatedNetwork",
    "SimulatedPrometheus",
    "SimulatedRequests",
    "SimulatedWorld",
    "fingerprint",
]


@dataclass(frozen=True, kw_only=True)
class SimulatedWorld(World):
    """A world with one engine, `local`; its parts are at hand under their own types."""

    docker: SimulatedEngine
    alerts: SimulatedAlertmanagers
    prometheus: SimulatedPrometheus
    commands: SimulatedCommands
    requests: SimulatedRequests
    compose: SimulatedCompose
    host: SimulatedHost
    network: SimulatedNetwork

    @classmethod
    def make(
        cls,
        clock: Clock,
        commands: Iterable[CommandSpec] = (),
        *,
        requests: Iterable[RequestSpec] = (),
        own_container_id: str | None = None,
    ) -> SimulatedWorld:
        """A world in which all is well and nothing is there yet."""
        engine = SimulatedEngine(clock)
        return cls(
            engines={"local": engine},
            docker=engine,
            alerts=SimulatedAlertmanagers(clock),
            prometheus=SimulatedPrometheus(clock),
            commands=SimulatedCommands(clock, commands),
            requests=SimulatedRequests(clock, requests),
            host=SimulatedHost(),
            network=SimulatedNetwork(),
            clock=clock,
            own_container_id=own_container_id,
            compose=SimulatedCompose({"local": engine}),
        )
