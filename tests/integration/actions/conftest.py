"""The real world as actions and checks see it, with the lab's service in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.world.base import World
from remediator.world.commands import NamedCommands
from remediator.world.docker import DockerEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.lab.engine import Engine


@pytest.fixture
async def world(docker_engine: Engine) -> AsyncIterator[World]:
    """The machine's engine, and nothing else."""
    clock = SystemClock()
    engine = DockerEngine(docker_engine.host, clock)
    yield World(
        engines={"local": engine},
        alerts=None,
        prometheus=None,
        commands=NamedCommands({}, clock, instance="tests"),
        clock=clock,
        own_container_id=None,
    )
    await engine.close()
