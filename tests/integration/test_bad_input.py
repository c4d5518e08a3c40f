"""Bad input from outside: each gets a clear answer, costs only itself, and nothing of it is ever executed."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.small import APP, command, fire, resolve, rule, rules
from tests.lab.daemon import Daemon
from tests.lab.notification import alert, notification
from tests.lab.process import free_port
from tests.lab.program import Program
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.sink import Sink

HUGE = 65_536
"""Characters of the longest value that is taken in."""


@pytest.fixture(scope="module")
def mend(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, mend: Program) -> Iterator[Daemon]:
    """One for all that it is to take without harm."""
    with Daemon(
        tmp_path_factory.mktemp("daemon"),
        rules=rules(rule("broken", command("mend"), alertname="Broken")),
        services=APP,
        commands={"mend": mend.command()},
        limits={"max_body": "6MB", "body_timeout": "1s"},
    ) as daemon:
        yield daemon


# ---- what an alert may hold


def test_labels_are_never_executed_and_harm_no_terminal(
    daemon: Daemon, mend: Program, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    hostile = {
        "shell": f"$(touch {touched}) `touch {touched}` ; touch {touched} | touch {touched}",
        "quotes": "it's \"quoted\" \\ 'so'",
        "lines": "one\ntwo\r\nthree\x00four",
        "terminal": "\x1b[2J\x1b]0;owned\x07\u202etxet",
        "format": "{service} %s {0.__class__} ${HOME}",
        "huge": "y" * HUGE,
    }
    before = mend.calls()

    fire(daemon, **hostile)
    run = daemon.wait_run(status="verifying")
    resolve(daemon, **hostile)
    daemon.wait_finished(id=run["id"], outcome="succeeded")

    assert mend.calls() == before + 1
    assert not touched.exists()
    told = daemon.get(f"/api/v1/incidents/{run['incident']}")
    assert hostile.items() <= told["alerts"][0]["labels"].items()
    shown = daemon.cli("incidents", str(run["incident"]))
    assert shown.returncode == 0
    assert r"\x1b[2J" in shown.stdout
    assert not {"\x1b", "\x07", "\x00", "\r", "\u202e"} & set(shown.stdout)
    assert daemon.cli("events", "--chain", f"incident:{run['incident']}").returncode == 0


def test_names_that_are_no_names_find_nothing(daemon: Daemon, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    daemon.rules = rules(
        rule("broken", command("mend")), rule("named", command("mend"), alertname="Named\x1b[31m")
    )
    assert daemon.reload().ok
    fire(daemon, "Named\x1b[31m", service=f"$(touch {touched})\n")

    run = daemon.wait_finished(rule="named")
    assert (run["outcome"], run["reason"]) == ("denied", "no_target")
    assert not touched.exists()
    for words in (["runs"], ["runs", str(run["id"])], ["incidents"]):
        shown = daemon.cli(*words)
        assert shown.returncode == 0
        assert "\x1b" not in shown.stdout


# ---- bodies


BODIES: dict[str, tuple[bytes | dict[str, Any], int, str]] = {
    "nothing": (b"", 400, "is not JSON"),
    "truncated": (json.dumps(notification(alert("Broken")))[:-20].encode(), 400, "is not JSON"),
    "no JSON": (b"<xml/>", 400, "is not JSON"),
    "no text": (b"\xff\xfe", 400, "is not JSON"),
    "deep": (b"[" * 100_000, 400, "is not JSON"),
    "a list": (b"[]", 400, "must be a JSON object"),
    "other version": (notification(version="3"), 400, "version is '3'"),
    "no version": ({"alerts": []}, 400, "version is"),
    "alerts of the wrong type": (notification() | {"alerts": {}}, 400, "`alerts` must be a list"),
    "too large": (b'{"x": "' + b"x" * 6_000_000 + b'"}', 413, "larger than 6000000 bytes"),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_is_no_notification_is_refused(daemon: Daemon, what: str) -> None:
    body, status, why = BODIES[what]
    before = daemon.metric("remediator_alerts_received_total")
    answer = daemon.notify(body)
    assert answer.status == status
    assert why in answer.json()["error"]["message"]
    assert "Traceback" not in str(answer)
    assert daemon.metric("remediator_alerts_received_total") == before


def test_a_large_body_is_taken(daemon: Daemon) -> None:
    body = notification(alert("Large"), filling="x" * 5_000_000)
    assert daemon.notify(body).ok
    daemon.wait_incident(title="Large")


def test_a_body_that_stalls_is_asked_for_again(daemon: Daemon) -> None:
    head = (
        "POST /api/v1/webhook HTTP/1.1\r\nHost: daemon\r\nContent-Length: 1000\r\n"
        f"Authorization: Bearer {daemon.token('ingest')}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as client:
        client.sendall(head.encode() + b'{"version": "4"')
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"did not arrive within 1 s" in answer


def test_tokens_open_only_what_they_are_for(daemon: Daemon) -> None:
    good = notification(alert("Unseen"))
    assert daemon.notify(good, by=None).status == 401
    assert daemon.notify(good, by="alice").status == 403
    assert daemon.ask("POST", "/api/v1/pause", {"reason": "no"}, by="ingest").status == 403
    assert daemon.ask("GET", "/api/v1/runs", by=None).status == 401
    assert daemon.get("/api/v1/status")["paused"] is False


# ---- notifications of which only a part can be used


def test_one_unreadable_alert_costs_no_other(
    start_daemon: Callable[..., Daemon], sink: Sink, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 32)
    daemon = start_daemon(channels={"hook": {"webhook": {"url": sink.url, "secret_file": str(secret)}}})
    bad = [
        alert("Bad1") | {"status": "maybe"},
        alert("Bad2", text="z" * (HUGE + 1)),
        alert("Bad3") | {"startsAt": "yesterday"},
        {"labels": {}},
        "no alert at all",
    ]
    assert daemon.notify(notification(alert("First"), *bad, alert("Last"))).ok  # type: ignore[arg-type]

    daemon.wait_incident(title="First")
    daemon.wait_incident(title="Last")
    kept = daemon.quarantine()
    assert [one["position"] for one in reversed(kept)] == [1, 2, 3, 4, 5]
    assert all(one["error"] and one["notification"] == 1 for one in kept)
    until_sync(lambda: sink.received, 30, "the message")
    (told,) = [received.json() for received in sink.received]
    assert told["kind"] == "quarantined"
    assert told["payload"]["alerts"] == len(bad)
    assert "The raw notification 1 is kept" in told["text"]
    assert daemon.metric("remediator_alerts_received_total") == 2


def test_ten_thousand_alerts_in_one_body_hold_up_nobody(start_daemon: Callable[..., Daemon]) -> None:
    daemon = start_daemon(log_level="info")
    many = notification(*(alert("Many", instance=str(number)) for number in range(10_000)))
    assert daemon.notify(many).ok
    answers = [daemon.notify(notification(alert("Other", instance=str(n)))).status for n in range(20)]

    assert answers == [200] * 20
    assert "notification.taken_in" not in daemon.kinds("system"), "they were not kept waiting for the first"
    daemon.wait_metric("remediator_incidents_open", 10_020, seconds=120)
    taken = [e["data"]["alerts_firing"] for e in daemon.events("system") if _is_taken_in(e)]
    assert sum(taken) == 10_020
    assert daemon.metric("remediator_notifications_pending") == 0


def _is_taken_in(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "notification.taken_in")


# ---- starts that cannot be


def test_a_second_daemon_on_the_same_store_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    second = Daemon(tmp_path / "second", store=str(daemon.store))
    done = second.refused_start()
    assert daemon.process is not None
    assert done.returncode == 1
    assert f"the process {daemon.process.pid} uses it" in done.stderr
    assert "Traceback" not in done.stderr
    assert daemon.is_ready()


def test_a_port_that_is_taken_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    second = Daemon(tmp_path / "second", port=daemon.port)
    done = second.refused_start()
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{daemon.port}: address already in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert daemon.is_ready()
    second.port = free_port()
    with second:
        assert second.kinds("system").count("daemon.started") == 1, "it did nothing while it had no port"


MISTAKES = {
    "an unknown key": ("remediator.yml", {"sevices": {}}, None, "unknown key"),
    "a wrong value": ("remediator.yml", {"drain": "soon"}, None, "duration"),
    "a missing file": (
        "remediator.yml",
        {"tokens": {"ingest": [{"name": "am", "file": "nowhere"}]}},
        None,
        "no such file",
    ),
    "a duplicate key": ("rules.yml", {}, "groups: []\ngroups: []\n", "duplicate"),
    "an alias": ("rules.yml", {}, "groups: &all []\nothers: *all\n", "not supported"),
    "an unknown action": ("rules.yml", {}, rules(rule("wild", {"format_disk": {}})), "format_disk"),
    "a rule for everything": (
        "rules.yml",
        {"commands": {"mend": {"argv": ["/bin/true"]}}},
        rules({"name": "all", "steps": [{"command": "mend"}]}),
        "matches every alert and names no service",
    ),
    "no YAML": ("rules.yml", {}, "groups: [", "expected"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_in_the_files_is_named_with_its_place(tmp_path: Path, what: str) -> None:
    file, settings, text, why = MISTAKES[what]
    daemon = Daemon(tmp_path, **settings, **({} if text is None else {"rules": text}))
    done = daemon.refused_start()

    assert done.returncode == 1
    assert why in done.stderr
    place = done.stderr.split(": ")[0]
    path, line, column = place.rsplit(":", 2)
    assert path.endswith(file)
    assert int(line) > 0
    assert int(column) > 0
    assert "Traceback" not in done.stderr
    assert not daemon.store.exists()
