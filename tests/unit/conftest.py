"""What holds for all unit tests."""

import pytest

from remediator.world.simulated import SimulatedWorld
from tests.unit.still_clock import StillClock


@pytest.fixture
def world() -> SimulatedWorld:
    """A world in memory in which nothing is there yet, under a clock that stands still."""
    return SimulatedWorld.make(StillClock())
