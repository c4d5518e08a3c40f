"""What people are asked, told, and may do: approvals, runs by hand, settling, limits, and messages."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.small import APP, command, fire, resolve, rule, rules
from tests.lab.process import free_port
from tests.lab.program import Program
from tests.lab.sink import Sink
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.container import ServiceContainer
    from tests.lab.daemon import Daemon, Form
    from tests.lab.engine import Engine
    from tests.lab.sink import Received

SECRET = "what-messages-are-signed-with"
BROKEN = rule("broken", command("mend"))
GRAVE = rule("grave", command("mend"), alertname="Grave") | {"severity": "P0"}


@pytest.fixture
def mend(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def start(start_daemon: Callable[..., Daemon], mend: Program, tmp_path: Path) -> Callable[..., Daemon]:
    """Factory: a daemon that knows the command `mend`, and perhaps the channel at `url`."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)

    def start(*entries: dict[str, Any], url: str | None = None, **options: Any) -> Daemon:
        hook = {"webhook": {"url": url, "secret_file": str(secret)}}
        return start_daemon(
            rules=rules(*entries),
            **{
                "services": APP,
                "commands": {"mend": mend.command()},
                "channels": {"hook": hook} if url else {},
                "hasty": True,
                **options,
            },
        )

    return start


def _refused(daemon: Daemon, path: str, body: Form, by: str = "alice") -> tuple[int, str]:
    answer = daemon.ask("POST", path, body, by)
    assert not answer.ok, answer
    return answer.status, answer.json()["error"]["message"]


# ---- approving


def test_two_different_people_have_to_say_yes(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start(GRAVE, severities={"P0": {"people": 2}})
    fire(daemon, "Grave")
    asked = daemon.wait_approval()
    path = f"/api/v1/approvals/{asked['id']}/approve"
    assert asked["needed"] == 2
    assert _refused(daemon, path, {"digest": "0" * 64}) == (
        409,
        f"approval {asked['id']} is for another plan than the one you read; look at it again",
    )

    first = daemon.approve(asked["id"], by="alice", digest=asked["digest"])
    assert first["status"] == "pending"
    status, why = _refused(daemon, path, {}, by="alice")
    assert (status, "alice has already decided" in why) == (409, True)
    assert mend.calls() == 0

    assert daemon.approve(asked["id"], by="bob")["status"] == "granted"
    run = daemon.wait_run(status="verifying")
    assert mend.calls() == 1
    granted = daemon.wait_event("approval.granted", f"incident:{run['incident']}")
    assert granted["data"]["by"] == ["alice", "bob"]
    resolve(daemon, "Grave")
    assert daemon.wait_finished()["outcome"] == "succeeded"


def test_one_no_is_enough(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start(GRAVE, severities={"P0": {"people": 2}})
    fire(daemon, "Grave")
    asked = daemon.wait_approval()
    daemon.approve(asked["id"], by="alice")
    daemon.deny(asked["id"], reason="the data would be lost", by="bob")

    run = daemon.wait_finished()
    assert (run["outcome"], run["detail"]) == ("denied", "denied by bob: the data would be lost")
    assert mend.calls() == 0


def test_a_container_made_anew_while_people_are_asked_is_asked_for_again(
    start: Callable[..., Daemon], docker_engine: Engine, start_service: Callable[..., ServiceContainer]
) -> None:
    service = start_service()
    step = {"restart": {"timeout": "1s"}, "verify": {"healthy": True, "resolved_within": "60s"}}
    target = {"app": {"target": {"container": service.name}}}
    daemon = start(
        rule("grave", step, alertname="Grave") | {"severity": "P0"}, services=target, engine=docker_engine
    )
    fire(daemon, "Grave")
    first = daemon.wait_approval()

    service.container.remove(force=True)
    anew = start_service(name=service.name)
    daemon.approve(first["id"], digest=first["digest"])
    second = daemon.wait_approval(ask=2)
    assert second["digest"] != first["digest"]
    assert daemon.get(f"/api/v1/approvals/{first['id']}")["status"] == "superseded"
    assert anew.restarts() == 0

    daemon.approve(second["id"], digest=second["digest"])
    daemon.wait_run(status="verifying")
    resolve(daemon, "Grave")
    run = daemon.wait_finished()
    assert run["outcome"] == "succeeded"
    assert [a["object_id"] for a in daemon.run(run["id"])["attempts"]] == [anew.container.id]


# ---- by hand


def test_a_rule_is_run_by_hand(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start(BROKEN)
    mend.hold()
    run = daemon.start_run("broken", "app", by="bob")
    mend.wait_begun()
    status, why = _refused(daemon, "/api/v1/runs", {"rule": "broken", "service": "app"})
    assert (status, "already under way" in why) == (409, True)
    mend.release()

    ended = daemon.wait_finished(id=run["id"])
    assert (ended["requested_by"], ended["outcome"]) == ("bob", "inconclusive")
    assert ended["reason"] == "nothing_to_verify"
    assert mend.calls() == 1
    daemon.wait_event("incident.resolved")


def test_what_cannot_be_run_by_hand_is_refused(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start(BROKEN | {"service": "app"})
    for rule_name, service, status in (
        ("nothing", "app", 404),
        ("broken", "other", 400),
        ("", "app", 400),
    ):
        assert _refused(daemon, "/api/v1/runs", {"rule": rule_name, "service": service})[0] == status
    assert daemon.runs() == []


def test_a_run_by_hand_obeys_the_kill_switch_and_asks_as_any_other(
    start: Callable[..., Daemon], mend: Program
) -> None:
    daemon = start(GRAVE)
    daemon.pause()
    daemon.start_run("grave", "app")
    daemon.wait_run(status="held", hold_reason="paused")
    daemon.resume()
    asked = daemon.wait_approval()
    assert mend.calls() == 0
    daemon.approve(asked["id"], by="bob")
    daemon.wait_finished(outcome="inconclusive")
    assert mend.calls() == 1


def test_a_run_by_hand_that_nobody_approves_expires(
    start: Callable[..., Daemon], mend: Program, sink: Sink
) -> None:
    daemon = start(GRAVE, url=sink.url, severities={"P0": {"approval_expires": "1s"}})
    daemon.start_run("grave", "app")

    run = daemon.wait_finished()
    assert (run["outcome"], run["reason"]) == ("expired", "approval_expired")
    until_sync(lambda: _kinds(sink) == ["approval_wanted", "approval_expired"], 30, "both messages")
    assert mend.calls() == 0


# ---- cancelling


def test_a_run_that_waits_is_cancelled_at_once(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start(GRAVE)
    fire(daemon, "Grave")
    asked = daemon.wait_approval()
    run = daemon.cancel(asked["run"], by="bob")

    assert (run["status"], run["outcome"], run["reason"]) == ("finished", "cancelled", "cancelled_by_person")
    assert "bob" in run["detail"]
    assert daemon.get(f"/api/v1/approvals/{asked['id']}")["status"] == "cancelled"
    assert _refused(daemon, f"/api/v1/runs/{run['id']}/cancel", {})[0] == 409
    assert mend.calls() == 0


def test_a_run_that_acts_is_cancelled_after_its_act(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start(rule("broken", command("mend"), command("mend")))
    mend.ends(1)
    mend.hold()
    fire(daemon)
    mend.wait_begun()
    run = daemon.wait_run(status="acting")
    assert daemon.cancel(run["id"], by="bob")["cancel_requested"] == "bob"
    mend.release()

    ended = daemon.wait_finished()
    assert (ended["outcome"], ended["step"]) == ("failed", 0)
    assert "stopped by bob" in ended["detail"]
    assert mend.calls() == 1


# ---- settling


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
def test_what_nobody_knows_is_settled_by_a_person(
    start: Callable[..., Daemon], mend: Program, sink: Sink, applied: bool
) -> None:
    """The command has no probe, and the daemon died between the intent and the act."""
    next_in_line = rule("slow", command("mend"), alertname="Slow")
    commands = {"mend": mend.command(timeout="1s")}
    daemon = start(BROKEN, next_in_line, url=sink.url, commands=commands, crash_at="after_intent")
    fire(daemon)
    assert daemon.wait_end() == -9
    daemon.crash_at = None
    daemon.start()
    fire(daemon)  # without an API, what was told before the start has to be told again

    run = daemon.wait_run(status="unknown")
    until_sync(lambda: sink.received, 30, "the message")
    assert _kinds(sink) == ["unknown"]
    assert f"remediator settle {run['id']} --applied" in sink.received[0].json()["text"]
    assert _refused(daemon, f"/api/v1/runs/{run['id']}/cancel", {})[0] == 409
    fire(daemon, "Slow")
    assert daemon.wait_run(rule="slow", status="held")["hold_reason"] == "locked"

    done = daemon.cli("settle", str(run["id"]), "--applied" if applied else "--not-applied", by="bob")
    assert done.returncode == 0, done.stderr
    daemon.wait_run(rule="broken", status="verifying")
    resolve(daemon)
    daemon.wait_finished(rule="broken", outcome="succeeded")
    attempts = daemon.run(run["id"])["attempts"]
    assert [a["status"] for a in attempts] == (["applied"] if applied else ["not_applied", "applied"])
    assert attempts[0]["result"]["settled_by"] == "bob"
    daemon.wait_run(rule="slow", status="verifying")
    assert mend.calls() == (1 if applied else 2)
    assert _refused(daemon, f"/api/v1/runs/{run['id']}/settle", {"applied": True})[0] == 409


# ---- limits


@pytest.mark.parametrize("limit", [{"budget": ["1/1h"]}, {"cooldown": "1h"}], ids=["budget", "cooldown"])
def test_limits_hold_across_a_restart(start: Callable[..., Daemon], mend: Program, limit: Form) -> None:
    daemon = start(BROKEN | {"guardrails": limit})
    fire(daemon)
    daemon.wait_run(status="verifying")
    resolve(daemon)
    daemon.wait_finished(outcome="succeeded")

    daemon.restart(kill=True)
    fire(daemon)
    run = daemon.wait_run(status="held")
    assert [run["hold_reason"]] == list(limit)
    assert mend.calls() == 1


# ---- telling


def _kinds(sink: Sink, incident: int | None = None) -> list[str]:
    told = [received.json() for received in list(sink.received)]
    return [one["kind"] for one in told if incident in (None, one["incident"])]


def _is_signed(received: Received) -> bool:
    parts = dict(part.split("=", 1) for part in received.headers["X-Remediator-Signature"].split(","))
    signed = parts["t"].encode() + b"." + received.body
    secret = SECRET.encode()
    return hmac.compare_digest(parts["v1"], hmac.new(secret, signed, hashlib.sha256).hexdigest())


def test_messages_wait_for_their_receiver_and_come_in_order(
    start: Callable[..., Daemon], mend: Program
) -> None:
    port = free_port()
    daemon = start(
        BROKEN,
        GRAVE | {"service": "base"},
        rule("tried", command("fail"), alertname="Tried", service="side"),
        url=f"http://127.0.0.1:{port}/hook",
        services={**APP, "base": {"target": "none"}, "side": {"target": "none"}},
        severities={"P0": {"approval_expires": "1s"}},
        commands={"mend": mend.command(), "fail": {"argv": ["/bin/false"]}},
    )

    fire(daemon, "Grave")
    daemon.wait_approval(ask=2)
    fire(daemon, "Tried")
    daemon.wait_finished(rule="tried", outcome="failed")
    by_hand = daemon.start_run("broken", "app")
    daemon.wait_finished(id=by_hand["id"], outcome="inconclusive")
    daemon.wait_event("message.retry")
    assert "message.delivered" not in daemon.kinds()

    grave = daemon.wait_run(rule="grave")
    with Sink(port=port) as sink:
        until_sync(lambda: len(_kinds(sink, grave["incident"])) >= 3, 60, "the messages of the P0")
        until_sync(lambda: {"failed", "inconclusive"} <= set(_kinds(sink)), 60, "the other messages")

        assert _kinds(sink, grave["incident"])[:3] == [
            "approval_wanted",
            "approval_expired",
            "approval_wanted",
        ]
        assert all(_is_signed(received) for received in sink.received)
        keys = [received.headers["Idempotency-Key"] for received in sink.received]
        assert len(set(keys)) == len(keys), "what was delivered is not sent again"
        assert {received.path for received in sink.received} == {"/hook"}
    daemon.cancel(grave["id"])
    assert SECRET not in daemon.log.read_text()


def test_a_receiver_that_fails_gets_the_same_message_again(start: Callable[..., Daemon], sink: Sink) -> None:
    sink.status = 503
    daemon = start(GRAVE, url=sink.url)
    fire(daemon, "Grave")
    until_sync(lambda: len(sink.received) >= 2, 30, "a second try")
    sink.status = 200
    told = daemon.wait_event("message.delivered")
    assert told["data"]["tries"] >= 3
    assert len({received.headers["Idempotency-Key"] for received in sink.received}) == 1
    assert {received.body for received in sink.received} == {sink.received[0].body}
