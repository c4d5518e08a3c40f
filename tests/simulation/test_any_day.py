"""Two hundred days at random, each from its seed. SIMULATED_DAYS=5000 lives through more of them.

`python -m tests.simulation 17` tells what happened on the day of the seed 17, wherever it is run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.simulation.day import live
from tests.simulation.virtual import virtually
from tests.simulation.witness import digest

if TYPE_CHECKING:
    from pathlib import Path

DAYS = int(os.environ.get("SIMULATED_DAYS", "200"))


@pytest.mark.parametrize("seed", range(DAYS))
def test_any_day(seed: int, tmp_path: Path) -> None:
    virtually(lambda: live(seed, tmp_path))


def test_the_same_seed_is_the_same_day_in_every_process(tmp_path: Path) -> None:
    here = digest(virtually(lambda: live(6, tmp_path)).witness.events, tmp_path)
    there = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "6"],
        env={**os.environ, "PYTHONHASHSEED": "17"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.splitlines()[-1] == here
