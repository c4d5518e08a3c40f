"""Backtests: what a month with many episodes takes in memory, beside a month with a tenth of them.

Each side is a process of its own, `python -m tests.bench.backtesting EPISODES FOLDER`, so that its peak
is nobody else's. The past comes through the same reading of `ALERTS` as from a real Prometheus. For one
episode in twenty there is a rule, and a quarter of those are acted on again and again.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from remediator import actions, checks
from remediator.decide.policy import Policy
from remediator.engine.setup import Setup
from remediator.history.alerts_series import read_alerts
from remediator.history.assumptions import read_assumptions
from remediator.history.backtest import Backtest
from remediator.model.rule import Budget
from remediator.model.service import Service, Target, TargetKind
from remediator.rules.load import load_rules
from remediator.world.base import Series
from tests.bench.figures import Figure
from tests.bench.figures import Target as Promise
from tests.bench.processes import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

EPISODES = 50_000
TENTH = 10
DAYS = 30
STEP = 60
LONGEST = 20
"""Steps that an episode lasts at most."""
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SERVICES = 40
OUR_SHARE = 20
"""One episode in so many is for a rule."""
RULE = """\
  - name: rule-{0}
    match: ['alertname="Down"', 'service="app-{0}"']
    severity: P2
    service: app-{0}
    steps: [{{restart: {{}}, verify: {{healthy: true, resolved_within: 5m}}}}]
    guardrails: {{cooldown: 10m, budget: [3/1h, 7/24h]}}
"""


class Backtesting:
    """The figures of this part, filled round by round."""

    def __init__(self, scale: float) -> None:
        self._many = max(TENTH * 100, int(EPISODES * scale))
        few = self._many // TENTH
        self.memory = Figure(f"peak, {few:,}, {self._many:,}", "MB", Promise("ratio", 1.1))
        self.speed = Figure("episodes a second", "/s")
        self.problems: list[str] = []

    def figures(self) -> Iterator[tuple[str, list[Figure]]]:
        """Titles and figures, as they are to be printed."""
        yield f"Backtests: {DAYS} days, of few episodes and of many", [self.memory, self.speed]

    def round(self, folder: Path) -> None:
        """Measure both sides once."""
        few, many = (self._measure(count, folder) for count in (self._many // TENTH, self._many))
        self.memory.add(few["megabytes"], many["megabytes"])
        self.speed.add(few["per_second"], many["per_second"])

    def _measure(self, episodes: int, folder: Path) -> dict[str, float]:
        command = [sys.executable, "-m", "tests.bench.backtesting", str(episodes), str(folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(folder)}
        )
        if done.returncode:
            raise BenchError(f"a backtest failed: {done.stderr[-500:]}")
        told: dict[str, float] = json.loads(done.stdout)
        if told["episodes"] != episodes:
            self.problems.append(f"of {episodes} episodes {told['episodes']:.0f} were counted")
        return told


@dataclass(frozen=True)
class Past:
    """A Prometheus that makes up its past when it is asked, and keeps none of it."""

    episodes: int

    async def query_range(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
        """The samples between."""
        first, last = round((begin - BEGIN.timestamp()) / STEP), round((end - BEGIN.timestamp()) / STEP)
        numbers = range(self.episodes)
        some = numbers[
            bisect_left(numbers, first - LONGEST, key=self._begins) : bisect_right(
                numbers, last, key=self._begins
            )
        ]
        found = []
        for number in some:
            begins = self._begins(number)
            steps = range(max(begins, first), min(begins + 1 + number * 7 % (LONGEST - 1), last + 1))
            samples = tuple((BEGIN.timestamp() + at * STEP, 1.0) for at in steps)
            if samples:
                found.append(Series(labels=_labels(number), samples=samples))
        return found

    def _begins(self, number: int) -> int:
        return number * (DAYS * 86_400 // STEP - LONGEST) // self.episodes


def _labels(number: int) -> dict[str, str]:
    ours = number % OUR_SHARE == 0
    return {
        "alertname": "Down" if ours else f"Other{number % 300}",
        "service": f"app-{number // OUR_SHARE % SERVICES}" if ours else "elsewhere",
        "instance": f"10.0.{number // 250 % 250}.{number % 250}:9100",
        "job": "node",
        "episode": str(number),
        "severity": "warning",
    }


def main(episodes: int, folder: Path) -> None:
    """Run one backtest, and print what it took."""
    names = [f"app-{number}" for number in range(SERVICES)]
    services = {
        name: Service(name=name, target=Target(kind=TargetKind.CONTAINER, name=name)) for name in names
    }
    file = folder / "rules.yml"
    file.write_text("groups:\n- name: bench\n  rules:\n" + "".join(map(RULE.format, range(SERVICES))))
    known, looks = actions.registry({}), checks.registry({})
    rules = load_rules([file], services=services, actions=known, checks=looks)
    end = BEGIN + timedelta(days=DAYS)
    test = Backtest(
        setup=Setup(rules=rules, policy=Policy(), services=services, actions=known, checks=looks),
        commands={},
        assumed=read_assumptions([]),
        flapping=Budget(count=3, window=timedelta(hours=1)),
        begin=BEGIN,
        end=end,
        source=lambda: read_alerts(Past(episodes), BEGIN, end, STEP),
    )
    begun = time.monotonic()
    test.go()
    told = {
        "episodes": test.tally.episodes,
        "acts": test.tally.acts,
        "per_second": test.tally.episodes / (time.monotonic() - begun),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
