"""From POST to act: how soon the first side effect comes, and how long a thousand acts take at once."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.bench.acts import Effects, start_many, start_one
from tests.bench.alerts import Kind, notifications, service_name
from tests.bench.daemon import Setting, daemon
from tests.bench.figures import Figure, Target
from tests.bench.load import http
from tests.bench.processes import BenchError, bare_server, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench.daemon import Daemon
    from tests.bench.processes import Server

STORM_BODY = 100
"""Alerts in each body of the storm."""

QUIET = 0.05
"""Seconds between two idle posts, so that each finds an idle daemon."""


class Acting:
    """The figures of this part, filled round by round."""

    def __init__(self, scale: float) -> None:
        self._idle_posts = max(5, int(30 * scale))
        self._storm = max(STORM_BODY, int(1_000 * scale) // STORM_BODY * STORM_BODY)
        self.first_effect = Figure("post to first effect, p50", "ms", Target("ratio", 6))
        self.process = Figure("of it, starting a process", "ms")
        self.acknowledged = Figure("post to 200, p50", "ms")
        self.taken_in = Figure("of it, post to taken in", "ms")
        self.decided = Figure("of it, then to the decision", "ms")
        self.begun = Figure("of it, then to the effect", "ms")
        self.storm = Figure(f"{self._storm:,} acts, all done", "s", Target("ratio", 3))
        self.effects = Figure(f"{self._storm:,} acts, last effect", "s")
        self.problems: list[str] = []
        self.means: list[tuple[str, float, float]] = []

    def figures(self) -> Iterator[tuple[str, list[Figure]]]:
        """Titles and figures, as they are to be printed."""
        yield (
            "An act on an idle daemon, beside the bare acknowledgement",
            [self.first_effect, self.taken_in, self.decided, self.begun, self.process, self.acknowledged],
        )
        yield "Acts at once, beside starting as many processes", [self.storm, self.effects]

    def round(self, folder: Path) -> None:
        """Measure both sides once: idle posts in turn, then the storm."""
        effects = Effects(folder)
        try:
            setting = Setting(folder, services=self._idle_posts + self._storm, program=effects.program)
            with bare_server(folder) as bare, daemon(setting) as subject:
                self._idle(bare, subject, setting, effects)
                self._at_once(subject, setting, effects)
                self.means = list(subject.means())
        finally:
            effects.close()

    def _idle(self, bare: Server, subject: Daemon, setting: Setting, effects: Effects) -> None:
        acknowledged: list[float] = []
        own_acknowledged: list[float] = []
        acted: list[float] = []
        started: list[float] = []
        moments: list[tuple[float, float]] = []
        with _connect(bare) as to_bare, _connect(subject) as to_subject:
            for body in notifications(Kind.COMMAND, self._idle_posts, 1):
                begin = time.perf_counter()
                acknowledged.append(_exchange(to_bare, http(body, bare.port, setting.token)) - begin)
                time.sleep(QUIET)
                answer: list[float] = []
                request = http(body, subject.port, setting.token)
                posted, begin = time.time(), time.perf_counter()
                reader = threading.Thread(target=lambda: answer.append(_exchange(to_subject, request)))  # noqa: B023 - called before the next round
                reader.start()
                acted.append(effects.one() - begin)
                moments.append((posted, time.time()))
                reader.join()
                own_acknowledged.append(answer[0] - begin)
                time.sleep(QUIET)
                started.append(start_one(effects))
        p50 = statistics.median
        self.first_effect.add(p50(acknowledged) * 1000, p50(acted) * 1000)
        self.process.add(p50(acknowledged) * 1000, p50(started) * 1000)
        self.acknowledged.add(p50(acknowledged) * 1000, p50(own_acknowledged) * 1000)
        subject.wait_for("remediator_act_seconds_count", self._idle_posts)
        self._parts(subject, moments, p50(acknowledged))

    def _parts(self, subject: Daemon, moments: list[tuple[float, float]], limit: float) -> None:
        """Where the time of an idle act goes, by the record, which is exact to the millisecond."""
        runs = sorted(subject.runs(), key=lambda run: int(run["id"]))
        told = [subject.moments(run) for run in runs]
        taken_in = [at["episode.opened"] for at in told]
        decided = [at["run.decided"] for at in told]
        for figure, pairs in (
            (self.taken_in, zip((m[0] for m in moments), taken_in, strict=True)),
            (self.decided, zip(taken_in, decided, strict=True)),
            (self.begun, zip(decided, (m[1] for m in moments), strict=True)),
        ):
            figure.add(limit * 1000, statistics.mean(end - start for start, end in pairs) * 1000)

    def _at_once(self, subject: Daemon, setting: Setting, effects: Effects) -> None:
        names = [service_name(self._idle_posts + n) for n in range(self._storm)]
        limit = start_many(effects, names)
        bodies = self._storm // STORM_BODY
        begin = time.perf_counter()
        poster = threading.Thread(
            target=load,
            args=(subject, setting.token_file, Kind.COMMAND),
            kwargs={
                "connections": bodies,
                "requests": bodies,
                "alerts": STORM_BODY,
                "first": self._idle_posts,
            },
        )
        poster.start()
        seen, last = effects.collect(len(names), 60)
        poster.join()
        subject.wait_for("remediator_act_seconds_count", self._idle_posts + len(names), 60, poll=0.02)
        done = time.perf_counter()
        seen.update(effects.drain(1.0))
        self._check(
            names, seen, Counter(run["service"] for run in subject.runs() if run["outcome"] != "failed")
        )
        self.storm.add(limit, done - begin)
        self.effects.add(limit, last - begin)

    def _check(self, names: list[str], seen: Counter[str], runs: Counter[str]) -> None:
        """One run for each alert, and one trace for each run."""
        if len(seen) < len(names):
            self.problems.append(f"{len(names) - len(seen)} of {len(names)} acts left no trace")
        doubled = [attempt for attempt, count in seen.items() if count > 1]
        if doubled or len(seen) > len(names):
            self.problems.append(
                f"{seen.total() - len(names)} acts were done twice or not asked for: {doubled[:3]}"
            )
        odd = [name for name in names if runs[name] != 1]
        if odd:
            self.problems.append(f"{len(odd)} services had no good run or several, first {odd[0]}")


def _connect(server: Server) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _exchange(connection: socket.socket, request: bytes) -> float:
    """Post, and wait for a short answer; returns the moment it came. BenchError if it is not 200."""
    connection.sendall(request)
    answer = connection.recv(65_536)
    at = time.perf_counter()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"the answer was {answer[:200]!r}")
    return at
