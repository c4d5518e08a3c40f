"""The whole loop for integration tests: a service, what watches it, Alertmanager, the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.alertmanager import Alertmanager
    from tests.lab.container import ServiceContainer
    from tests.lab.daemon import Daemon
    from tests.lab.engine import Engine
    from tests.lab.prometheus import Prometheus

RULES = """
groups:
  - name: lab
    rules:
      - name: app-down
        match: ['alertname="ApplicationDown"', 'job="robo-rlhf"']
        severity: {severity}
        type: service-outage
        service: robo-rlhf
        triage: [containers, {{logs: {{tail: 100}}}}]
        steps:
          - restart: {{}}
            verify: {{healthy: true, resolved_within: 60s, stays: 1s}}
        guardrails: {{{guardrails}}}
"""
ALERT = {"alertname": "ApplicationDown", "job": "robo-rlhf"}


def rules(severity: str = "P1", guardrails: str = "budget: [3/1h]") -> str:
    """One rule: restart the service when it is down."""
    return RULES.format(severity=severity, guardrails=guardrails)


class House:
    """Everything, running, and what tests ask of it."""

    def __init__(
        self,
        service: ServiceContainer,
        prometheus: Prometheus,
        alertmanager: Alertmanager,
        daemon: Daemon,
    ) -> None:
        self.service = service
        self.prometheus = prometheus
        self.alertmanager = alertmanager
        self.daemon = daemon
        self.first_start = service.started_at()

    @property
    def restarted(self) -> bool:
        """Whether the service's process is another one than at the beginning."""
        return self.service.started_at() != self.first_start

    def restarts(self) -> int:
        """How often anybody had the engine restart the container, by the engine's own record."""
        return self.service.restarts()

    def kinds(self, incident: int) -> list[str]:
        """The kinds of an incident's events, in their order."""
        return self.daemon.kinds(f"incident:{incident}")

    def fires(self) -> bool:
        """Whether Alertmanager has the alert."""
        return bool(self.alertmanager.alerts('alertname="ApplicationDown"'))


def in_order(kinds: list[str], *expected: str) -> None:
    """Assert that these kinds occur in this order, perhaps with others between them."""
    rest = iter(kinds)
    missing = [kind for kind in expected if kind not in rest]
    assert not missing, f"{missing} did not come in this order in {kinds}"


@pytest.fixture
def build(
    docker_engine: Engine,
    start_service: Callable[..., ServiceContainer],
    start_alertmanager: Callable[..., Alertmanager],
    start_prometheus: Callable[..., Prometheus],
    start_daemon: Callable[..., Daemon],
) -> Callable[..., House]:
    """Factory: build(rules(...), key=value of remediator.yml, ...)."""

    def build(rules: str, **settings: Any) -> House:
        service = start_service()
        alertmanager = start_alertmanager()
        daemon = start_daemon(
            rules=rules,
            services={"robo-rlhf": {"target": {"container": service.name}}},
            alertmanagers=[alertmanager.url],
            engine=docker_engine,
            **settings,
        )
        alertmanager.webhook = f"{daemon.url}/api/v1/webhook"
        alertmanager.token_file = daemon.token_files["ingest"]
        alertmanager.reload()
        prometheus = start_prometheus(
            targets={"robo-rlhf": [service.target]}, alertmanagers=[alertmanager.url], resend_delay="30s"
        )
        until_sync(lambda: prometheus.value('up{job="robo-rlhf"}') == 1, 30, "the first scrape")
        return House(service, prometheus, alertmanager, daemon)

    return build
