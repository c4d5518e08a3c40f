import pytest

from remediator.world.simulated import SimulatedWorld
from tests.unit.still_clock import StillClock


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld.make(StillClock())
