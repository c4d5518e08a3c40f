"""Durable acknowledgements, start and memory: one round of both sides from their start to their end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.alerts import Kind
from tests.bench.daemon import Setting, daemon
from tests.bench.figures import Figure, Target
from tests.bench.processes import bare_server, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench.daemon import Daemon
    from tests.bench.processes import LoadResult, Server

OPEN = 1_000
"""Episodes that the repeats are about; the work before the repeats has opened more than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One way to load both sides."""

    name: str
    connections: int
    requests: int
    alerts: int
    first: int = 0
    distinct: int = 0

    @property
    def total(self) -> int:
        """Alerts posted in all."""
        return self.requests * self.alerts


def works(scale: float) -> tuple[Work, ...]:
    """New alerts, each of which opens an incident, and repeats, which is what a busy Alertmanager sends.

    Together 100,000 alerts at the full scale.
    """
    single, hundred = int(10_000 * scale), int(400 * scale)
    return (
        Work(name="1 a body, new", connections=32, requests=single, alerts=1),
        Work(name="1 a body, repeats", connections=32, requests=single, alerts=1, distinct=OPEN),
        Work(name="100 a body, new", connections=8, requests=hundred, alerts=100, first=single),
        Work(name="100 a body, repeats", connections=8, requests=hundred, alerts=100, distinct=OPEN),
    )


class Acknowledging:
    """The figures of this part, filled round by round."""

    def __init__(self, scale: float) -> None:
        self._works = works(scale)
        total = sum(work.total for work in self._works)
        self.start = Figure("start to ready", "s", Target("daemon", 1.5))
        self.idle = Figure("memory idle", "MB", Target("daemon", 120))
        self.loaded = Figure(f"memory after {total:,} alerts", "MB", Target("daemon", 170))
        self.rates = {w.name: Figure(w.name, "/s", Target("ratio", 0.6, at_least=True)) for w in self._works}
        self.p99s = {w.name: Figure(w.name, "ms", Target("ratio", 2)) for w in self._works}
        self.deciding = {w.name: Figure(w.name, "/s") for w in self._works}
        self.processor = {w.name: Figure(w.name, "us") for w in self._works}
        self.problems: list[str] = []
        self.means: list[tuple[str, float, float]] = []

    def figures(self) -> Iterator[tuple[str, list[Figure]]]:
        """Titles and figures, as they are to be printed."""
        yield "Durable acknowledgements: rate of answers 200", list(self.rates.values())
        yield "Durable acknowledgements: p99", list(self.p99s.values())
        yield "Alerts decided about, from the first post until none waits", list(self.deciding.values())
        yield "Processor time for each alert, deciding included", list(self.processor.values())
        yield "Start and memory", [self.start, self.idle, self.loaded]

    def round(self, folder: Path) -> None:
        """Measure both sides once, each piece of work on the bare limit first."""
        setting = Setting(folder, services=0)
        with bare_server(folder) as bare, daemon(setting) as subject:
            self.start.add(bare.start_seconds, subject.start_seconds)
            self.idle.add(bare.memory(), subject.memory())
            self._warm(bare, subject, setting)
            for work in self._works:
                used = [-bare.cpu_seconds(), -subject.cpu_seconds()]
                limit = self._load(bare, work, setting)
                own = self._load(subject, work, setting)
                drained = subject.drained()
                used = [used[0] + bare.cpu_seconds(), used[1] + subject.cpu_seconds()]
                self.processor[work.name].add(*(seconds / work.total * 1e6 for seconds in used))
                self.rates[work.name].add(limit["rate"], own["rate"])
                self.p99s[work.name].add(limit["p99"] * 1000, own["p99"] * 1000)
                self.deciding[work.name].add(
                    limit["rate"] * work.alerts, work.total / (own["seconds"] + drained)
                )
            self.loaded.add(bare.memory(), subject.memory())
            self._count(subject)
            self.means = list(subject.means())

    def _warm(self, bare: Server, subject: Daemon, setting: Setting) -> None:
        for server in (bare, subject):
            load(
                server,
                setting.token_file,
                Kind.UNMATCHED,
                connections=8,
                requests=500,
                alerts=1,
                distinct=100,
            )
        self._expected = 500
        subject.drained()

    def _load(self, server: Server, work: Work, setting: Setting) -> LoadResult:
        result = load(
            server,
            setting.token_file,
            Kind.UNMATCHED,
            connections=work.connections,
            requests=work.requests,
            alerts=work.alerts,
            first=work.first,
            distinct=work.distinct,
        )
        answered = result["statuses"].get("200", 0)
        if answered != work.requests:
            self.problems.append(f"{work.name}: {server.name} answered {result['statuses']}")
        if server.name != "bare":
            self._expected += answered * work.alerts
        return result

    def _count(self, subject: Daemon) -> None:
        """Every alert that was acknowledged must have been taken in, exactly once."""
        taken = subject.samples().get("remediator_alerts_received_total", 0.0)
        if taken != self._expected:
            self.problems.append(f"acknowledged {self._expected} alerts, and took in {taken:.0f}")
