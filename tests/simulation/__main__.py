"""Live one random day again and tell it: `python -m tests.simulation SEED`. The last line is its digest."""

import sys
import tempfile
from pathlib import Path

import structlog

from tests.simulation.day import live
from tests.simulation.virtual import virtually
from tests.simulation.witness import digest, told

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
with tempfile.TemporaryDirectory() as folder:
    house = virtually(lambda: live(int(sys.argv[1]), Path(folder)))
print(*map(told, house.witness.events), sep="\n")
print(digest(house.witness.events, house.folder))
