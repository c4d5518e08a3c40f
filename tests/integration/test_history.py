"""Rules over a real past: the alerts of a Prometheus, and the journal of a daemon that took real posts."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.small import APP, command, rule, rules
from tests.lab.program import Program
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.alertmanager import Alertmanager
    from tests.lab.daemon import Daemon
    from tests.lab.prometheus import Prometheus

QUICK = {"resolved_within": "60s", "stays": "500ms"}
BROKEN = {"alertname": "Broken", "service": "app"}
ALERTS = """
groups:
- name: lab
  rules:
  - alert: Broken
    expr: {expr}
    labels: {{service: app}}
"""


@pytest.fixture
def mend(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def start(start_daemon: Callable[..., Daemon], mend: Program) -> Callable[..., Daemon]:
    """Factory: a daemon that mends what is broken with a named command."""

    def start(**options: Any) -> Daemon:
        return start_daemon(
            rules=rules(rule("broken", command("mend", **QUICK))),
            services=APP,
            commands={"mend": mend.command()},
            hasty=True,
            **options,
        )

    return start


def test_a_backtest_of_what_a_real_prometheus_remembers(
    start_prometheus: Callable[..., Prometheus], start: Callable[..., Daemon]
) -> None:
    prometheus = start_prometheus(rules=ALERTS.format(expr="vector(1)"))
    begun = 'min_over_time(timestamp(ALERTS{alertstate="firing"})[1m:1s])'
    until_sync(lambda: prometheus.query(begun), 20, "the alert in Prometheus")
    first = prometheus.value(begun) or 0.0
    until_sync(lambda: time.time() > first + 3, 10, "a few seconds")
    prometheus.rules = ALERTS.format(expr="vector(1) > 1")
    prometheus.reload()
    until_sync(lambda: not prometheus.query("ALERTS"), 10, "the alert's end")
    daemon = start(prometheus={"url": prometheus.url})
    done = daemon.cli(
        *("backtest", "--since", "1m", "--step", "500ms", "-o", "json"),
        *("--assume", "acts=ok", "--html", "page.html"),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["episodes"], told["acts"]) == (1, 1)
    assert told["rules"]["broken"]["acts"] == 1
    assert "broken" in (daemon.folder / "page.html").read_text()


def test_a_replay_of_what_a_real_alertmanager_has_posted(
    start_alertmanager: Callable[..., Alertmanager], start: Callable[..., Daemon]
) -> None:
    alertmanager = start_alertmanager()
    daemon = start(alertmanagers=[alertmanager.url])
    alertmanager.webhook = f"{daemon.url}/api/v1/webhook"
    alertmanager.token_file = daemon.token_files["ingest"]
    alertmanager.reload()
    for _ in range(2):
        known = len(daemon.runs())
        alertmanager.fire(BROKEN)
        until_sync(lambda known=known: len(daemon.runs()) > known, 20, "a run")  # type: ignore[misc]
        until_sync(lambda: daemon.runs()[0]["status"] == "verifying", 20, "the act")
        alertmanager.resolve(BROKEN)
        until_sync(lambda: daemon.runs()[0]["status"] == "finished", 20, "the end")
        until_sync(lambda: daemon.metric("remediator_incidents_open") == 0, 20, "the end of the incident")
        # Two runs within a second of each other may well meet in a replay, where acts begin a little sooner.
        over = time.time()
        until_sync(lambda over=over: time.time() > over + 2, 10, "a quiet moment")  # type: ignore[misc]
    assert {run["outcome"] for run in daemon.runs()} == {"succeeded"}

    same = daemon.cli("replay", "--all", "--exit-code")
    assert (same.returncode, same.stderr) == (0, ""), same.stdout
    assert same.stdout.count("app: same\n") == 2
    candidate = daemon.folder / "candidate.yml"
    candidate.write_text(rules(rule("broken", command("mend", **QUICK), mode="shadow")))
    other = daemon.cli("replay", "--rules", str(candidate), "--exit-code", "-o", "json")
    assert other.returncode == 4
    assert json.loads(other.stdout)["counts"] == {"held instead of acted": 2}
    assert daemon.audit().returncode == 0
