"""A small stand-in for Prometheus and Alertmanager together, for machines that have neither.

It looks at one service, decides what fires as tests/lab/prometheus/rules.yml would, posts the webhooks that
Alertmanager would post, and answers what the daemon asks of Alertmanager's API. Tests use the real ones.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.lab.answer import ask
from tests.lab.notification import alert, notification

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INTERVAL = 0.5
FOR = 2.0
"""Seconds that a condition must hold before its alert fires."""
WINDOW = 10.0
"""Seconds over which the error rate is taken."""
RECEIVER = "remediator"


@dataclass(slots=True)
class Watched:
    """One alert: since when its condition holds, and what was posted."""

    labels: Mapping[str, str]
    annotations: dict[str, str]
    since: float | None = None
    fired_at: datetime.datetime | None = None
    ended_at: datetime.datetime | None = None
    posted: str = "resolved"
    """The status that the daemon has accepted last."""

    def told(self) -> dict[str, Any]:
        """As in a webhook."""
        return alert(
            resolved=self.ended_at is not None,
            starts_at=self.fired_at,
            ends_at=self.ended_at,
            annotations=self.annotations,
            **self.labels,
        )


@dataclass(slots=True)
class Rates:
    """How the counters of requests stood lately."""

    seen: deque[tuple[float, float, float]] = field(default_factory=deque)

    def share_of_errors(self, now: float, total: float, failed: float) -> float:
        """The share over the window. Counters that fell were those of an earlier process."""
        if self.seen and total < self.seen[-1][1]:
            self.seen.clear()
        self.seen.append((now, total, failed))
        while self.seen[0][0] < now - WINDOW:
            self.seen.popleft()
        requests = total - self.seen[0][1]
        return (failed - self.seen[0][2]) / requests if requests else 0.0


class Poster:
    """Watches the service at *service_url* and posts to *webhook*; a context manager."""

    def __init__(self, service_url: str, job: str) -> None:
        self.service_url = service_url
        self.webhook = ""
        self.token = ""
        self._rates = Rates()
        self._started = datetime.datetime.now(datetime.UTC)
        self._watched = {
            "down": Watched(
                {"alertname": "ApplicationDown", "job": job, "severity": "critical"},
                {"summary": f"{job} does not answer"},
            ),
            "errors": Watched(
                {"alertname": "HighErrorRate", "job": job, "severity": "warning"},
                {"summary": f"more than a tenth of the requests to {job} fail"},
            ),
        }
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,)),
            threading.Thread(target=self._watch),
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """What fires, as Alertmanager's API tells it."""
        now = datetime.datetime.now(datetime.UTC).isoformat()
        found = []
        for watched in self._watched.values():
            if watched.fired_at is None or watched.ended_at is not None:
                continue
            told = watched.told()
            found.append(
                {
                    **{key: told[key] for key in ("labels", "annotations", "startsAt", "generatorURL")},
                    "endsAt": (
                        datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=4)
                    ).isoformat(),
                    "updatedAt": now,
                    "fingerprint": told["fingerprint"],
                    "receivers": [{"name": RECEIVER}],
                    "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
                }
            )
        return found

    def status(self) -> dict[str, Any]:
        """Alertmanager's own status, as far as anybody asks for it."""
        return {
            "cluster": {"status": "disabled"},
            "config": {"original": ""},
            "uptime": self._started.isoformat(),
            "versionInfo": {"version": "stand-in"},
        }

    def _watch(self) -> None:
        while not self._over.wait(INTERVAL):
            now = time.monotonic()
            broken = dict(self._look(now))
            for name, watched in self._watched.items():
                _step(watched, broken[name], now)
                with contextlib.suppress(OSError):
                    self._post(watched)

    def _look(self, now: float) -> Iterator[tuple[str, bool]]:
        """Which conditions hold."""
        total = failed = 0.0
        try:
            answer = ask("GET", f"{self.service_url}/metrics", timeout=INTERVAL)
            for family in text_string_to_metric_families(answer.body.decode()):
                for sample in family.samples:
                    if sample.name == "http_requests_total":
                        total += sample.value
                        failed += sample.value if sample.labels["status"].startswith("5") else 0
        except (OSError, ValueError):  # no answer, or none that can be read: to Prometheus both are `up == 0`
            yield "down", True
            yield "errors", False
            return
        yield "down", False
        yield "errors", self._rates.share_of_errors(now, total, failed) > 0.1

    def _post(self, watched: Watched) -> None:
        """Tell the daemon what it has not accepted yet; like Alertmanager, again and again."""
        if watched.fired_at is None or not self.webhook:
            return
        told = watched.told()
        if told["status"] != watched.posted:
            body = notification(told, receiver=RECEIVER, groupLabels=dict(watched.labels))
            if ask("POST", self.webhook, body, token=self.token, timeout=5).ok:
                watched.posted = told["status"]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()


def _step(watched: Watched, broken: bool, now: float) -> None:
    """Fire what has been broken for long enough, end what no longer is."""
    if not broken:
        watched.since = None
        if watched.fired_at is not None and watched.ended_at is None:
            watched.ended_at = datetime.datetime.now(datetime.UTC)
        return
    watched.since = watched.since or now
    fires = watched.fired_at is not None and watched.ended_at is None
    if not fires and now - watched.since >= FOR:
        watched.fired_at, watched.ended_at = datetime.datetime.now(datetime.UTC), None


def _handler(poster: Poster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            told: dict[str, Any] = {
                "/api/v2/alerts": poster.alerts,
                "/api/v2/status": poster.status,
                "/-/ready": lambda: "OK",
            }
            body = json.dumps(told[path]() if path in told else "no such page").encode()
            self.send_response(200 if path in told else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
            """Stay quiet."""

    return Handler
