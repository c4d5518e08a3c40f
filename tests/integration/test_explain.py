"""An alert of a real Alertmanager explained by the daemon, before it does anything, and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.small import APP, command, fire, rule, rules
from tests.lab.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.alertmanager import Alertmanager
    from tests.lab.daemon import Daemon
    from tests.lab.prometheus import Prometheus

BROKEN = {"alertname": "Broken", "service": "app", "zone": "ü"}


@pytest.fixture
def mend(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_alerts_in_alertmanager_are_explained_and_nothing_comes_of_it(
    start_daemon: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    alertmanager = start_alertmanager()
    daemon = start_daemon(
        rules=rules(rule("broken", command("mend")), rule("other", command("mend"), alertname="Other")),
        services=APP,
        commands={"mend": mend.command()},
        alertmanagers=[alertmanager.url],
        hasty=True,
        mode="shadow",
        reconcile_interval="1h",
    )
    alertmanager.fire(BROKEN)
    (known,) = alertmanager.alerts()
    for which in (known["fingerprint"], 'alertname="Broken", zone=~"ü|x"'):
        (one,) = daemon.post("/api/v1/explain", {"live": which})["explanations"]
        assert (one["fingerprint"], one["labels"]) == (known["fingerprint"], BROKEN)
        assert (one["alertmanager"], one["rule"], one["service"]) == ("firing", "broken", "app")
        assert (one["action"], one["overall"], one["decisive"]) == ("command", "deny", "shadow")
        assert one["rules"]["missed"][0]["name"] == "other"

    alertmanager.silence(BROKEN)
    (muted,) = daemon.post("/api/v1/explain", {"live": known["fingerprint"]})["explanations"]
    assert muted["alertmanager"] == "muted"
    assert daemon.runs() == []
    assert mend.calls() == 0


def test_the_command_line_tells_of_a_past_incident(
    start_daemon: Callable[..., Daemon], mend: Program
) -> None:
    daemon = start_daemon(
        rules=rules(rule("broken", command("mend"), mode="shadow")),
        services=APP,
        commands={"mend": mend.command()},
        hasty=True,
    )
    fire(daemon)
    daemon.wait_finished()
    before = daemon.kinds()
    told = daemon.cli("explain", "--incident", "1").stdout
    assert "What was decided about incident 1" in told
    assert "overall deny; decisive shadow" in told
    assert "run 1 is over, shadow: rule broken: shadow mode" in told
    assert daemon.kinds() == before
    assert mend.calls() == 0


SAID = [
    ("vector(0) == 0", "ok", "holds"),
    ("vector(0) == 1", "condition_not_met", "has no series"),
    ("1 == bool 2", "condition_not_met", "is 0"),
    ("up{", "fact_unreadable", "parse error"),
]
"""Expressions, and what comes of a real Prometheus' answer."""


def test_what_a_real_prometheus_says_decides(
    start_daemon: Callable[..., Daemon], start_prometheus: Callable[..., Prometheus], mend: Program
) -> None:
    prometheus = start_prometheus()
    waiting = (
        rule(f"broken-{n}", command("mend"), alertname=f"Broken{n}", when={"promql": promql}, mode="shadow")
        for n, (promql, _, _) in enumerate(SAID)
    )
    daemon = start_daemon(
        rules=rules(*waiting),
        services=APP,
        commands={"mend": mend.command()},
        prometheus={"url": prometheus.url},
        hasty=True,
    )
    alerts = [{"labels": {**BROKEN, "alertname": f"Broken{n}"}} for n in range(len(SAID))]
    told = daemon.post("/api/v1/explain", {"alerts": alerts})["explanations"]
    assert [one["facts"]["answer"]["promql"] for one in told] == [promql for promql, _, _ in SAID]
    for one, (_, reason, detail) in zip(told, SAID, strict=True):
        said = {verdict["guardrail"]: verdict for verdict in one["guardrails"]}["when"]
        assert said["reason"] == reason
        assert detail in said["detail"]
