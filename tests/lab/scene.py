"""What the demo plays on: the daemon, a service to break, and what watches it; real where it can be had."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.lab import engine, images, packages
from tests.lab.alertmanager import Alertmanager
from tests.lab.container import ServiceContainer
from tests.lab.daemon import Daemon
from tests.lab.local_service import LocalService
from tests.lab.paths import LabError
from tests.lab.poster import Poster
from tests.lab.prometheus import RULES as ALERT_RULES
from tests.lab.prometheus import Prometheus
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.engine import Engine
    from tests.lab.packages import Programs

JOB = "robo-rlhf"

# The same two alerts as in rules/robo-rlhf.yml, with periods short enough to watch.
RULES = """\
groups:
  - name: demo
    rules:
      - name: robo-rlhf-down
        match: ['alertname="ApplicationDown"', 'job="robo-rlhf"']
        severity: P1
        type: service-outage
        service: robo-rlhf
        triage: [{triage}]
        steps:
          - {step}
            verify: {{{healthy}resolved_within: 1m, stays: 3s}}

      - name: robo-rlhf-errors
        match: ['alertname="HighErrorRate"', 'job="robo-rlhf"']
        severity: P0
        type: performance-degradation
        service: robo-rlhf
        triage: [{triage}]
        steps:
          - {step}
            verify: {{{healthy}resolved_within: 1m, stays: 3s}}
"""
ON_CONTAINERS = {
    "triage": "containers, {logs: {tail: 100}}",
    "step": "restart: {}",
    "healthy": "healthy: true, ",
}
ON_A_PROCESS = {"triage": "{command: service-log}", "step": "command: mend", "healthy": ""}


@dataclass(frozen=True)
class Scene:
    """Everything, running."""

    daemon: Daemon
    service: ServiceContainer | LocalService
    real: tuple[tuple[str, str], ...]
    """Each part, and what it is: told to the reader."""


@contextlib.contextmanager
def scene(say: Callable[[str], None], *, docker: bool = True, prometheus: bool = True) -> Iterator[Scene]:
    """Start all of it in a temporary folder, and stop all of it again, whatever happens."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remediator-demo-")))
        found, why = _engine(stack, say) if docker else (None, "by --no-docker")
        programs = _programs(say) if prometheus else None
        say("starting the service")
        service = _service(stack, folder, found)
        say("starting what watches it, and the daemon")
        daemon, watching = _watched(stack, folder, service, found, programs)
        real = (
            ("service", _told_service(service, found, why)),
            *watching,
            ("daemon", f"remediator serve, at {daemon.url}"),
            ("store", f"SQLite: {daemon.store}"),
        )
        stack.callback(say, "stopping everything that was started")
        yield Scene(daemon, service, real)


def _engine(stack: contextlib.ExitStack, say: Callable[[str], None]) -> tuple[Engine | None, str]:
    """The Docker Engine, or why there is none. An installed one that does not run is started, as root."""
    if shutil.which("dockerd"):
        os.environ.setdefault("REMEDIATOR_LAB_ENGINE", "start")
    try:
        found = engine.find()
        if found is None:
            if engine.may_start():
                say("starting the Docker Engine")
            found = stack.enter_context(engine.running())
        say("having the service's image ready")
        images.service(found)
    except LabError as error:
        return None, str(error).splitlines()[0].split(". ")[0]
    return found, ""


def _programs(say: Callable[[str], None]) -> Programs | None:
    """Prometheus and Alertmanager: those at hand, else fetched as packages into the lab's cache."""
    found = packages.programs_at_hand()
    if found is None and shutil.which("apt-get"):
        say("fetching Prometheus and Alertmanager (nothing is installed)")
        with contextlib.suppress(LabError):
            found = packages.programs("new")
    return found


def _service(
    stack: contextlib.ExitStack, folder: Path, found: Engine | None
) -> ServiceContainer | LocalService:
    if found is None:
        return stack.enter_context(LocalService(folder / "service"))
    return stack.enter_context(ServiceContainer(found, images.service(found)))


def _watched(
    stack: contextlib.ExitStack,
    folder: Path,
    service: ServiceContainer | LocalService,
    found: Engine | None,
    programs: Programs | None,
) -> tuple[Daemon, tuple[tuple[str, str], ...]]:
    """The daemon, with something that posts alerts to it."""
    daemon = Daemon(folder / "daemon", engine=found, receiver="remediator", drain="2s", **_config(service))
    webhook = f"{daemon.url}/api/v1/webhook"
    if programs is None:
        poster = stack.enter_context(Poster(service.url, JOB))
        daemon.settings["alertmanagers"] = [{"url": poster.url}]
        stack.enter_context(daemon)
        poster.token = daemon.token("ingest")
        poster.webhook = webhook
        stand_in = "a stand-in: a small program that posts the same webhooks"
        return daemon, (("Prometheus", stand_in), ("Alertmanager", stand_in))
    alertmanager = Alertmanager(
        programs, folder / "alertmanager", webhook, token_file=daemon.token_files["ingest"]
    )
    prometheus = Prometheus(
        programs,
        folder / "prometheus",
        targets={JOB: [service.target]},
        rules=_rules(),
        alertmanagers=[alertmanager.url],
    )
    daemon.settings["alertmanagers"] = [{"url": alertmanager.url}]
    for server in (alertmanager, daemon, prometheus):
        stack.enter_context(server)
    until_sync(lambda: prometheus.value(f'up{{job="{JOB}"}}') == 1, 30, "the first scrape")
    return daemon, (
        ("Prometheus", f"real, at {prometheus.url}"),
        ("Alertmanager", f"real, at {alertmanager.url}"),
    )


def _rules() -> str:
    """The lab's alert rules, without the one that always fires."""
    written = yaml.safe_load(ALERT_RULES.read_text())
    return yaml.safe_dump({"groups": [group for group in written["groups"] if group["name"] == JOB]})


def _config(service: ServiceContainer | LocalService) -> dict[str, Any]:
    if isinstance(service, LocalService):
        return {
            "rules": RULES.format(**ON_A_PROCESS),
            "services": {JOB: {"target": "none"}},
            "commands": dict(service.commands()),
        }
    target = {"container": service.name}
    return {"rules": RULES.format(**ON_CONTAINERS), "services": {JOB: {"target": target}}}


def _told_service(service: ServiceContainer | LocalService, found: Engine | None, why: str) -> str:
    if isinstance(service, LocalService) or found is None:
        return f"a local process, mended by a named command: no Docker Engine ({why})"
    return f"a container of Docker Engine {found.version}: {service.name}"
