"""What holds for all unit tests."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from remediator.world.simulated import SimulatedWorld
from tests.unit.still_clock import StillClock


@pytest.fixture
def world() -> SimulatedWorld:
    """A world in memory in which nothing is there yet, under a clock that stands still."""
    return SimulatedWorld.make(StillClock())


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Leave logging as it was, for tests that set it up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()
