"""The daemon as the bench runs it: its configuration, and what it tells of itself."""

from __future__ import annotations

import json
import secrets
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.alerts import Kind, alert, service_name
from tests.bench.processes import BenchError, Server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRAIN_SECONDS = 300.0
COMMAND = "act"


@dataclass(frozen=True)
class Setting:
    """What one daemon is given: a catalogue, one rule that runs one named command, tokens."""

    folder: Path
    services: int
    """Entries of the catalogue; the alerts of `Kind.COMMAND` with lower numbers are about them."""
    program: Path | None = None
    """What the rule runs; None: there is no rule."""

    @cached_property
    def token_file(self) -> Path:
        """The ingest token's file; made when it is first asked for."""
        return self._made_up("ingest")

    @property
    def token(self) -> str:
        """The ingest token."""
        return self.token_file.read_text()

    @cached_property
    def operator_file(self) -> Path:
        """The operator's token's file."""
        return self._made_up("operator")

    def write(self, port: int) -> Path:
        """The configuration file, for a daemon on this port with a new store."""
        config: dict[str, Any] = {
            "listen": f"127.0.0.1:{port}",
            "store": "daemon.db",
            "rules": ["rules.yml"],
            "log_level": "warning",
            "engines": {},
            "guardrails": {"changed_by_others": "0s"},
            "services": {service_name(number): {"target": "none"} for number in range(self.services)},
            "tokens": {
                "ingest": [{"name": "bench", "file": str(self.token_file)}],
                "operators": [{"name": "alice", "file": str(self.operator_file)}],
            },
        }
        if self.program is not None:
            config["commands"] = {COMMAND: {"argv": [str(self.program)]}}
        (self.folder / "rules.yml").write_text(yaml.safe_dump({"groups": self._groups()}))
        file = self.folder / "remediator.yml"
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        return file

    def _groups(self) -> list[dict[str, Any]]:
        if self.program is None:
            return []
        rule = {
            "name": "bench",
            "match": [f'alertname="{alert(Kind.COMMAND, 0, "")["labels"]["alertname"]}"'],
            "steps": [{"command": COMMAND}],
        }
        return [{"name": "bench", "rules": [rule]}]

    def _made_up(self, name: str) -> Path:
        file = self.folder / f"{name}.token"
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
        return file


def daemon(setting: Setting, *, profile: Path | None = None) -> Daemon:
    """The daemon with a new store; with `profile` under the profiler, which writes there at its end."""
    port = free_port()
    serve = ["serve", "--config", str(setting.write(port))]
    words = ["remediator"] if profile is None else ["tests.bench.profiled", str(profile)]
    return Daemon("daemon", [sys.executable, "-m", *words, *serve], port, setting)


class Daemon(Server):
    """The daemon's side."""

    def __init__(self, name: str, argv: list[str], port: int, setting: Setting) -> None:
        super().__init__(name, argv, port, setting.folder)
        self._setting = setting

    def samples(self) -> dict[str, float]:
        """Its metrics now, each name summed over its labels."""
        status, body = self.get("/metrics")
        if status != 200:
            raise BenchError(f"/metrics answered {status}")
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                if not sample.name.endswith("_bucket"):
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def wait_for(
        self, name: str, value: float, seconds: float = DRAIN_SECONDS, *, poll: float = 0.2
    ) -> float:
        """Poll until a metric has exactly this value; returns the seconds that took.

        A scrape takes the daemon a few milliseconds, so it is not asked more often than it has to be.
        """
        begin = time.perf_counter()
        while (seen := self.samples().get(name)) != value:
            if time.perf_counter() - begin > seconds:
                raise BenchError(f"{name} is {seen} instead of {value} after {seconds:.0f} s\n{self.tail()}")
            time.sleep(poll)
        return time.perf_counter() - begin

    def drained(self) -> float:
        """Wait until every notification was decided about; returns the seconds that took."""
        return self.wait_for("remediator_notifications_pending", 0)

    def runs(self) -> list[dict[str, Any]]:
        """All runs, as its API tells them."""
        found: list[dict[str, Any]] = []
        before = ""
        while True:
            told = self._told(f"/api/v1/runs?limit=500{before}")
            found += told["runs"]
            if told["next"] is None:
                return found
            before = f"&before={told['next']}"

    def moments(self, run: dict[str, Any]) -> dict[str, float]:
        """Kind of event -> when a run's incident had its first of that kind, in seconds since 1970."""
        moments: dict[str, float] = {}
        for event in self._told(f"/api/v1/events?chain=incident:{run['incident']}")["events"]:
            at = datetime.fromisoformat(event["at"]).timestamp()
            moments.setdefault(event["kind"], at)
        return moments

    def _told(self, path: str) -> Any:
        status, body = self.get(path, self._setting.operator_file.read_text())
        if status != 200:
            raise BenchError(f"{path} answered {status} {body[:500]!r}")
        return json.loads(body)

    def means(self) -> Iterator[tuple[str, float, float]]:
        """Its histograms: name, count, mean in seconds."""
        samples = self.samples()
        for name, total in sorted(samples.items()):
            base = name.removesuffix("_sum")
            if base != name and (count := samples.get(f"{base}_count")):
                yield base, count, total / count
