"""A real Alertmanager with short intervals, as integration tests and the demo use it."""

from __future__ import annotations

import datetime
import urllib.parse
from typing import TYPE_CHECKING, Any

import yaml

from tests.lab.process import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.lab.packages import Programs

Alert = dict[str, Any]


class Alertmanager(Server):
    """One Alertmanager, outside any cluster, posting to *webhook* if one is given.

    Change an attribute, then call reload() or restart() to put it in force.
    """

    name = "alertmanager"

    def __init__(
        self,
        programs: Programs,
        folder: Path,
        webhook: str | None = None,
        *,
        token_file: Path | None = None,
        group_by: Sequence[str] = ("alertname", "job"),
        group_wait: str = "200ms",
        group_interval: str = "1s",
        repeat_interval: str = "1h",
        max_alerts: int = 0,
        config: Mapping[str, Any] | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__(folder, port)
        self.programs = programs
        self.webhook = webhook
        self.token_file = token_file
        self.group_by = list(group_by)
        self.group_wait = group_wait
        self.group_interval = group_interval
        self.repeat_interval = repeat_interval
        self.max_alerts = max_alerts
        self.config = config
        self.config_file = folder / "alertmanager.yml"

    def argv(self) -> list[str]:
        self.write_config()
        return [
            str(self.programs.alertmanager),
            f"--config.file={self.config_file}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=debug",
        ]

    def write_config(self) -> None:
        """Put the attributes into the configuration file; a whole *config* wins over them."""
        self.config_file.write_text(yaml.safe_dump(dict(self.config or self._generated())))

    def reload(self) -> None:
        """Have it read the configuration anew."""
        self.write_config()
        self.http("POST", "/-/reload")

    def post_alerts(self, alerts: Sequence[Alert]) -> None:
        """Send alerts as Prometheus does: ``{"labels": {...}, "annotations": {...}, "endsAt": ...}``."""
        self.http("POST", "/api/v2/alerts", list(alerts))

    def fire(self, labels: Mapping[str, str], minutes: float = 60, **annotations: str) -> None:
        """Let one alert fire, for *minutes* if nobody resolves it before."""
        ends = _now() + datetime.timedelta(minutes=minutes)
        alert = {"labels": dict(labels), "annotations": annotations, "endsAt": ends.isoformat()}
        self.post_alerts([alert])

    def resolve(self, labels: Mapping[str, str]) -> None:
        """End the alert that has exactly these labels."""
        self.post_alerts([{"labels": dict(labels), "endsAt": _now().isoformat()}])

    def alerts(self, *matchers: str) -> list[Alert]:
        """What it holds now, muted alerts included."""
        query = urllib.parse.urlencode([("filter", matcher) for matcher in matchers])
        found: list[Alert] = self.http("GET", f"/api/v2/alerts?{query}")
        return found

    def silence(self, labels: Mapping[str, str], minutes: float = 60, comment: str = "lab") -> str:
        """Mute what has these labels, and give the silence's id."""
        starts = _now()
        body = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True}
                for name, value in labels.items()
            ],
            "startsAt": starts.isoformat(),
            "endsAt": (starts + datetime.timedelta(minutes=minutes)).isoformat(),
            "createdBy": "lab",
            "comment": comment,
        }
        return str(self.http("POST", "/api/v2/silences", body)["silenceID"])

    def expire(self, silence: str) -> None:
        """End a silence."""
        self.http("DELETE", f"/api/v2/silence/{silence}")

    def _generated(self) -> dict[str, Any]:
        receiver: dict[str, Any] = {"name": "remediator"}
        if self.webhook:
            hook: dict[str, Any] = {
                "url": self.webhook,
                "send_resolved": True,
                "max_alerts": self.max_alerts,
            }
            if self.token_file:
                hook["http_config"] = {
                    "authorization": {"type": "Bearer", "credentials_file": str(self.token_file)}
                }
            receiver["webhook_configs"] = [hook]
        return {
            "route": {
                "receiver": "remediator",
                "group_by": self.group_by,
                "group_wait": self.group_wait,
                "group_interval": self.group_interval,
                "repeat_interval": self.repeat_interval,
            },
            "receivers": [receiver],
        }


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
