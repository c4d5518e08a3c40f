"""A real Prometheus that looks twice a second, as integration tests and the demo use it."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.lab.process import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.lab.packages import Programs

RULES = Path(__file__).parent / "prometheus" / "rules.yml"


class Prometheus(Server):
    """One Prometheus: *targets* maps a job to its ``host:port`` list, *rules* is a rule file's text or path.

    Change an attribute, then call reload() or restart() to put it in force. An alert that is not sent again
    is over for Alertmanager after four times *resend_delay*; raise it to survive a restart of Prometheus.
    """

    name = "prometheus"

    def __init__(
        self,
        programs: Programs,
        folder: Path,
        *,
        targets: Mapping[str, Sequence[str]] | None = None,
        rules: str | Path = RULES,
        alertmanagers: Sequence[str] = (),
        interval: str = "500ms",
        resend_delay: str = "1s",
        port: int | None = None,
    ) -> None:
        super().__init__(folder, port)
        self.programs = programs
        self.targets = {job: list(hosts) for job, hosts in (targets or {}).items()}
        self.rules = rules
        self.alertmanagers = list(alertmanagers)
        self.interval = interval
        self.resend_delay = resend_delay
        self.config_file = folder / "prometheus.yml"

    def argv(self) -> list[str]:
        self.write_config()
        return [
            str(self.programs.prometheus),
            f"--config.file={self.config_file}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--rules.alert.resend-delay={self.resend_delay}",
            "--web.enable-lifecycle",
        ]

    def write_config(self) -> None:
        """Put the attributes into the configuration and rule files."""
        text = self.rules.read_text() if isinstance(self.rules, Path) else self.rules
        rule_file = self.folder / "rules.yml"
        rule_file.write_text(text)
        config: dict[str, Any] = {
            "global": {
                "scrape_interval": self.interval,
                "scrape_timeout": self.interval,
                "evaluation_interval": self.interval,
            },
            "rule_files": [str(rule_file)],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": hosts}]}
                for job, hosts in self.targets.items()
            ],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [url.removeprefix("http://")]}]}
                    for url in self.alertmanagers
                ]
            },
        }
        self.config_file.write_text(yaml.safe_dump(config))

    def reload(self) -> None:
        """Have it read the configuration and the rules anew."""
        self.write_config()
        self.http("POST", "/-/reload")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's result vector."""
        query = urllib.parse.urlencode({"query": expression})
        found: list[dict[str, Any]] = self.http("GET", f"/api/v1/query?{query}")["data"]["result"]
        return found

    def value(self, expression: str) -> float | None:
        """The value of an instant query with at most one series."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def alerts(self, name: str | None = None) -> list[dict[str, Any]]:
        """The alerts that are pending or firing here."""
        found = self.http("GET", "/api/v1/alerts")["data"]["alerts"]
        return [alert for alert in found if name in (None, alert["labels"]["alertname"])]
