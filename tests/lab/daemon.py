"""The real daemon as a process of its own, with made-up tokens, and everything a test wants to ask of it.

    daemon = start_daemon(
        rules=RULES,
        services={"robo-rlhf": {"target": {"container": service.name}}},
        alertmanagers=[alertmanager.url],
        engine=docker_engine,
    )
    run = daemon.wait_run(status="finished")
    assert [event["kind"] for event in daemon.events(f"incident:{run['incident']}")] == [...]

Its configuration is generated; what differs from the product's defaults makes it quick, and lets it act on
a container that was made a moment ago (`changed_by_others: 0s`). Every key can be set by name, and changed
in `settings` before a restart().
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Literal

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.lab import tokens
from tests.lab.answer import Answer, ask
from tests.lab.paths import ROOT, LabError
from tests.lab.process import Server
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

    from tests.lab.engine import Engine

Form = dict[str, Any]
CrashPoint = Literal["after_intent", "after_apply"]

NO_RULES = "groups: []\n"
SECONDS = 60.0
"""How long the wait_... methods wait."""


class Daemon(Server):
    """One daemon on a free port of loopback, with its store, rules and tokens in *folder*.

    rules         the text of its rule file; change `rules`, then reload()
    alertmanagers base URLs
    engine        the Docker Engine that services without an `engine` of their own run on; None: it has none
    crash_at      let the process kill itself there, as SIGKILL would: between the commit of an intent and the
                  act (after_intent), or between the act and its record (after_apply). Set it to None before
                  the restart().
    hasty         wait for seconds where the product waits for minutes, see tests.lab.hasty
    ready_path    what start() waits for; "/-/healthy" when the daemon cannot be ready, as without an engine
    settings      any key of remediator.yml
    """

    name = "remediator"

    def __init__(
        self,
        folder: Path,
        *,
        rules: str = NO_RULES,
        alertmanagers: Sequence[str] = (),
        engine: Engine | str | None = None,
        crash_at: CrashPoint | None = None,
        hasty: bool = False,
        ready_path: str = "/-/ready",
        port: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(folder, port)
        self.rules = rules
        self.crash_at = crash_at
        self.hasty = hasty
        self.ready_path = ready_path
        self.config_file = folder / "remediator.yml"
        self.rule_file = folder / "rules" / "rules.yml"
        self.store = folder / "remediator.db"
        self.token_files = tokens.ensure(folder / "tokens", 0o600)
        self.settings: dict[str, Any] = {
            "store": self.store.name,
            "rules": ["rules"],
            "watch": False,  # tests say themselves when a reload is due
            "log_level": "debug",
            "alertmanagers": [{"url": url} for url in alertmanagers],
            "alertmanager_settle": "0s",
            "reconcile_interval": "500ms",
            "verify_interval": "200ms",
            "guardrails": {"changed_by_others": "0s"},
            "engines": {} if engine is None else {"local": {"host": _host(engine)}},
            "drain": "10s",
            "tokens": {
                "ingest": [{"name": "alertmanager-lab", "file": "tokens/ingest"}],
                "operators": [{"name": name, "file": f"tokens/operator-{name}"} for name in ("alice", "bob")],
            },
            **settings,
        }

    # ---- the process

    def argv(self) -> list[str]:
        self.write_config()
        point = [self.crash_at] if self.crash_at else []
        module = "tests.lab.hasty" if self.hasty else "tests.lab.crashing" if point else "remediator"
        return [sys.executable, "-m", module, *point, "serve", "--config", str(self.config_file)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def write_config(self) -> None:
        """Put `settings` and `rules` into the files that the daemon reads."""
        self.rule_file.parent.mkdir(exist_ok=True)
        self.rule_file.write_text(self.rules)
        settings = {"listen": f"127.0.0.1:{self.port}", **self.settings}
        self.config_file.write_text(yaml.safe_dump(settings, sort_keys=False))

    def reload(self, by: str = "alice") -> Answer:
        """Have it read the files anew; the answer may be a refusal."""
        self.write_config()
        return self.ask("POST", "/-/reload", by=by)

    def kill(self) -> None:
        """SIGKILL, as a machine that loses power."""
        self.stop(kill=True)

    def terminate(self) -> None:
        """SIGTERM, without waiting for the end; see wait_end()."""
        if self.process is not None:
            self.process.terminate()

    def refused_start(self) -> subprocess.CompletedProcess[str]:
        """Start one that cannot start: how it ended, and what it said."""
        env = {**os.environ, **self.environment()}
        return subprocess.run(
            self.argv(), cwd=self.folder, env=env, capture_output=True, text=True, timeout=60, check=False
        )

    def wait_end(self, seconds: float = SECONDS) -> int:
        """Wait until the process ends (by itself, by crash_at, or after terminate()); its exit code."""
        if self.process is None:
            raise LabError("the daemon does not run")
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"the daemon still runs after {seconds:g} s:\n{self.tail()}") from None

    # ---- asking it

    def token(self, name: str) -> str:
        """The token of `ingest`, `alice` or `bob`."""
        file = self.token_files[name if name == "ingest" else f"operator-{name}"]
        return file.read_text().strip()

    def ask(self, method: str, path: str, body: object = None, by: str | None = "alice") -> Answer:
        """Any request, with the token of *by* (None: without); a refusal is an answer like any other."""
        return ask(method, self.url + path, body, token=self.token(by) if by else None)

    def get(self, path: str, **query: object) -> Any:
        """What the API tells alice; LabError when it refuses."""
        words = "&".join(f"{key}={value}" for key, value in query.items() if value is not None)
        return _granted(self.ask("GET", path + (f"?{words}" if words else "")))

    def post(self, path: str, body: object = None, by: str = "alice") -> Any:
        """An operator's act, and what became of it; LabError when it is refused."""
        return _granted(self.ask("POST", path, {} if body is None else body, by))

    def notify(self, body: object, by: str | None = "ingest") -> Answer:
        """Post a webhook: a dict as JSON, bytes as they are."""
        return self.ask("POST", "/api/v1/webhook", body, by)

    # ---- what it knows

    def incidents(self, **query: object) -> list[Form]:
        """Newest first; *query*: status, service."""
        return self._list("incidents", query)

    def runs(self, **query: object) -> list[Form]:
        """Newest first; *query*: incident, status, service."""
        return self._list("runs", query)

    def run(self, run_id: int) -> Form:
        """One run with its plan, attempts, approvals and evidence."""
        found: Form = self.get(f"/api/v1/runs/{run_id}")
        return found

    def approvals(self, **query: object) -> list[Form]:
        """Newest first; *query*: status."""
        return self._list("approvals", query)

    def quarantine(self) -> list[Form]:
        """Alerts that could not be read, newest first."""
        return self._list("quarantine", {})

    def events(self, chain: str | None = None) -> list[Form]:
        """The record, oldest first: all of it, or one chain (`system`, `incident:1`)."""
        found: list[Form] = []
        after: int | None = 0
        while after is not None:
            page = self.get("/api/v1/events", chain=chain, after=after, limit=500)
            found += page["events"]
            after = page["next"]
        return found

    def kinds(self, chain: str | None = None) -> list[str]:
        """The kinds of the events, in their order."""
        return [event["kind"] for event in self.events(chain)]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 without any. LabError for another name."""
        families = self._families()
        if not any(name.startswith(family.name) for family in families):
            raise LabError(f"there is no metric {name}")
        samples = (sample for family in families for sample in family.samples)
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def wait_metric(self, name: str, value: float, seconds: float = SECONDS, **labels: str) -> None:
        """Until a metric has reached this value."""
        what = f"{name}{labels or ''} to reach {value:g}"
        until_sync(lambda: self.metric(name, **labels) >= value, seconds, what)

    def wait_run(self, seconds: float = SECONDS, **having: object) -> Form:
        """The newest run whose form has these values (`service="..."`), once there is one."""
        return self._wait(self.runs, "a run", seconds, having)

    def wait_finished(self, seconds: float = SECONDS, **having: object) -> Form:
        """The newest such run, once it has finished; tells the run's state when it does not."""
        return self.wait_run(seconds, status="finished", **having)

    def wait_incident(self, seconds: float = SECONDS, **having: object) -> Form:
        """The newest incident whose form has these values, once there is one."""
        return self._wait(self.incidents, "an incident", seconds, having)

    def wait_approval(self, seconds: float = SECONDS, **having: object) -> Form:
        """The newest approval whose form has these values; by default one that waits for people."""
        return self._wait(self.approvals, "an approval", seconds, {"status": "pending", **having})

    def wait_event(self, kind: str, chain: str | None = None, seconds: float = SECONDS) -> Form:
        """The first event of a kind, once there is one."""

        def look() -> Form | None:
            return next((event for event in self.events(chain) if event["kind"] == kind), None)

        found = until_sync(look, seconds, f"the event {kind}")
        assert found is not None
        return found

    # ---- what people do

    def approve(self, approval_id: int, by: str = "alice", **body: object) -> Form:
        """Say yes; *body*: reason, digest."""
        return dict(self.post(f"/api/v1/approvals/{approval_id}/approve", body, by))

    def deny(self, approval_id: int, reason: str = "not now", by: str = "alice") -> Form:
        """Say no."""
        return dict(self.post(f"/api/v1/approvals/{approval_id}/deny", {"reason": reason}, by))

    def start_run(self, rule: str, service: str, by: str = "alice") -> Form:
        """Run a rule on a service by hand."""
        return dict(self.post("/api/v1/runs", {"rule": rule, "service": service}, by))

    def cancel(self, run_id: int, by: str = "alice") -> Form:
        """Stop a run at its next safe point."""
        return dict(self.post(f"/api/v1/runs/{run_id}/cancel", None, by))

    def settle(self, run_id: int, applied: bool, by: str = "alice") -> Form:
        """Say what became of an act whose outcome is unknown."""
        return dict(self.post(f"/api/v1/runs/{run_id}/settle", {"applied": applied}, by))

    def pause(self, reason: str = "testing", by: str = "alice") -> None:
        """Throw the kill switch."""
        self.post("/api/v1/pause", {"reason": reason}, by)

    def resume(self, by: str = "alice") -> None:
        """Release the kill switch."""
        self.post("/api/v1/resume", None, by)

    # ---- the command line

    def cli(self, *args: str, by: str = "alice") -> subprocess.CompletedProcess[str]:
        """Run the daemon's own command line against it, as *by*."""
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "REMEDIATOR_URL": self.url,
            "REMEDIATOR_TOKEN_FILE": str(self.token_files[f"operator-{by}"]),
        }
        argv = [sys.executable, "-m", "remediator", *args]
        return subprocess.run(
            argv, cwd=self.folder, env=env, capture_output=True, text=True, timeout=60, check=False
        )

    def audit(self) -> subprocess.CompletedProcess[str]:
        """`remediator audit verify` on its store; also while it does not run."""
        return self.cli("audit", "verify", "--config", str(self.config_file))

    # ---- helpers

    def _list(self, name: str, query: Mapping[str, object]) -> list[Form]:
        found: list[Form] = []
        before: int | None = None
        while True:
            page = self.get(f"/api/v1/{name}", **query, before=before, limit=500)
            found += page[name]
            before = page["next"]
            if before is None:
                return found

    def _families(self) -> list[Metric]:
        answer = self.ask("GET", "/metrics", by=None)
        if not answer.ok:
            raise LabError(f"/metrics: {answer}")
        return list(text_string_to_metric_families(answer.body.decode()))

    def _wait(self, look: Any, what: str, seconds: float, having: Mapping[str, object]) -> Form:
        """The first of a list that has these values; the error shows the list as it was last."""
        last: list[Form] = []

        def find() -> Form | None:
            last[:] = look()
            return next(
                (form for form in last if all(form.get(key) == value for key, value in having.items())), None
            )

        try:
            found = until_sync(find, seconds, f"{what} with {dict(having)}")
        except AssertionError as error:
            raise AssertionError(f"{error}\nthere was: {last[:5]}\n{self.tail()}") from None
        assert found is not None
        return found


def _host(engine: Engine | str) -> str:
    return engine if isinstance(engine, str) else engine.host


def _granted(answer: Answer) -> Any:
    if not answer.ok:
        raise LabError(f"the daemon answered {answer}")
    return answer.json()
