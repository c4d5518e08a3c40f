"""The lab itself: the example for Alertmanager is valid, and what other tests build on is real."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.lab import tokens
from tests.lab.compose import FILE, Compose
from tests.lab.paths import ROOT
from tests.lab.prometheus import RULES
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.alertmanager import Alertmanager
    from tests.lab.container import ServiceContainer
    from tests.lab.engine import Engine
    from tests.lab.images import Images
    from tests.lab.packages import Programs
    from tests.lab.prometheus import Prometheus
    from tests.lab.sink import Sink

EXAMPLES = [ROOT / "deploy/alertmanager.example.yml", ROOT / "tests/lab/alertmanager/alertmanager.yml"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_alertmanager_configuration_is_valid(programs: Programs, example: Path) -> None:
    done = subprocess.run([programs.amtool, "check-config", example], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lab_rules_are_valid(programs: Programs) -> None:
    done = subprocess.run([programs.promtool, "check", "rules", RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_posts_and_resolves(
    start_alertmanager: Callable[..., Alertmanager], sink: Sink, tmp_path: Path
) -> None:
    token = tokens.ensure(tmp_path)["ingest"]
    alertmanager = start_alertmanager(sink.url + "hook", token_file=token)
    labels = {"alertname": "ApplicationDown", "job": "robo-rlhf"}

    alertmanager.fire(labels, summary="it is down")
    until_sync(lambda: sink.alerts(), 30, "the notification")
    first = sink.received[0]
    assert first.path == "/hook"
    assert first.headers["Authorization"] == f"Bearer {token.read_text().strip()}"
    assert first.json()["version"] == "4"
    assert sink.alerts()[0]["labels"] == labels
    assert [alert["labels"] for alert in alertmanager.alerts('job="robo-rlhf"')] == [labels]

    alertmanager.resolve(labels)
    until_sync(lambda: sink.alerts()[-1]["status"] == "resolved", 30, "the resolved notification")


def test_silence_mutes(start_alertmanager: Callable[..., Alertmanager], sink: Sink) -> None:
    alertmanager = start_alertmanager(sink.url)
    silence = alertmanager.silence({"alertname": "Muted"})
    alertmanager.fire({"alertname": "Muted"})
    until_sync(
        lambda: [alert["status"]["state"] for alert in alertmanager.alerts()] == ["suppressed"], 30, "muting"
    )
    assert not sink.received
    alertmanager.expire(silence)
    until_sync(lambda: sink.alerts(), 30, "the notification after the silence")


def test_prometheus_tells_alertmanager_of_a_crash_and_of_its_end(
    start_prometheus: Callable[..., Prometheus],
    start_alertmanager: Callable[..., Alertmanager],
    start_service: Callable[..., ServiceContainer],
    sink: Sink,
) -> None:
    service = start_service()
    alertmanager = start_alertmanager(sink.url)
    prometheus = start_prometheus(targets={"robo-rlhf": [service.target]}, alertmanagers=[alertmanager.url])
    until_sync(lambda: prometheus.value('up{job="robo-rlhf"}') == 1, 30, "the first scrape")

    service.crash()
    assert service.state()["ExitCode"] == 1
    until_sync(lambda: "firing" in _statuses(sink), 60, "ApplicationDown at the webhook")
    assert service.status() == "exited", "nobody but the test may start it again"

    service.container.start()
    until_sync(service.healthy, 60, "the service's health")
    until_sync(lambda: "resolved" in _statuses(sink), 60, "its end at the webhook")


def test_service_breaks_in_every_way(
    start_service: Callable[..., ServiceContainer], start_prometheus: Callable[..., Prometheus]
) -> None:
    service = start_service()
    prometheus = start_prometheus(targets={"robo-rlhf": [service.target]})
    until_sync(lambda: prometheus.value('up{job="robo-rlhf"}') == 1, 30, "the first scrape")

    service.post("/fail?rate=1")
    until_sync(lambda: prometheus.alerts("HighErrorRate"), 60, "HighErrorRate")
    service.post("/stall")
    until_sync(lambda: prometheus.alerts("TrainingStalled"), 60, "TrainingStalled")
    before = prometheus.value("process_resident_memory_bytes") or 0
    service.post("/leak?mb=32")
    until_sync(
        lambda: (prometheus.value("process_resident_memory_bytes") or 0) > before + 30e6, 60, "the leak"
    )
    service.post("/hang")
    until_sync(lambda: service.state()["Health"]["Status"] == "unhealthy", 60, "a failing health check")
    assert service.status() == "running"
    until_sync(lambda: prometheus.alerts("ApplicationDown"), 60, "ApplicationDown")

    service.container.restart(timeout=5)
    until_sync(service.healthy, 60, "the service's health after its restart")
    until_sync(lambda: not prometheus.alerts("ApplicationDown"), 60, "the end of ApplicationDown")


def test_compose_file_is_valid(docker_engine: Engine, lab_images: Images) -> None:
    config = Compose(docker_engine, "remediator-check", env=lab_images.env()).config()
    services = config["services"]
    assert set(services) == {"prometheus", "alertmanager", "remediator", "robo-rlhf", "redis"}
    assert services["robo-rlhf"]["image"] == lab_images.service
    for name, service in services.items():
        assert "healthcheck" in service or name == "robo-rlhf", name  # robo-rlhf's image has its own
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name


def test_compose_file_names_public_images_by_default() -> None:
    text = FILE.read_text()
    for variable in ("PROMETHEUS_IMAGE", "ALERTMANAGER_IMAGE", "REDIS_IMAGE", "PYTHON_IMAGE"):
        assert f"${{{variable}:-" in text


def _statuses(sink: Sink) -> set[str]:
    return {a["status"] for a in sink.alerts() if a["labels"]["alertname"] == "ApplicationDown"}
