"""Named requests by the daemon itself: a server is taken out of a load balancer, once, whatever happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.small import APP, fire, resolve, rule, rules
from tests.lab.balancer import Balancer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.daemon import Daemon

TOKEN = "hunter2-hunter2-hunter2"
DRAIN = {
    "http": {"name": "drain", "params": {"server": "{{ labels.server }}"}},
    "verify": {"resolved_within": "60s"},
}
RULES = rules(rule("broken", DRAIN, triage=[{"http": {"name": "state", "params": {"server": "web-1"}}}]))


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    with Balancer() as started:
        yield started


@pytest.fixture
def start(start_daemon: Callable[..., Daemon], balancer: Balancer, tmp_path: Path) -> Callable[..., Daemon]:
    """Factory: a daemon that knows the balancer."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)

    def request(method: str, **more: Any) -> dict[str, Any]:
        return {
            "method": method,
            "url": f"{balancer.url}/servers/{{server}}",
            "token_file": str(tmp_path / "token"),
            "params": {"server": {"pattern": "[a-z0-9-]+"}},
            "timeout": "3s",
            **more,
        }

    def start(**options: Any) -> Daemon:
        return start_daemon(
            rules=RULES,
            services=APP,
            requests={
                "drain": request("POST", body='{"state": "drain"}', probe="state"),
                "state": request(
                    "GET", expect={"json": {"/state": "drain"}}, **{"not": {"json": {"/state": "ready"}}}
                ),
            },
            hasty=True,
            **options,
        )

    return start


def _helps(daemon: Daemon, balancer: Balancer) -> dict[str, Any]:
    """Until the act is done, the alert over, and the run a success."""
    daemon.wait_run(status="verifying")
    assert balancer.states == {"web-1": "drain"}
    resolve(daemon, server="web-1")
    finished = daemon.wait_finished()
    assert finished["outcome"] == "succeeded"
    return daemon.run(finished["id"])


def test_a_request_is_made_as_it_was_read_last_and_its_secret_is_nowhere(
    start: Callable[..., Daemon], balancer: Balancer
) -> None:
    daemon = start()
    daemon.settings["requests"]["drain"]["headers"] = {"X-Why": "incident"}
    assert daemon.reload().ok
    fire(daemon, server="web-1")
    run = _helps(daemon, balancer)
    (post,) = balancer.posts
    assert post.headers["X-Why"] == "incident"
    assert (post.path, post.json()) == ("/servers/web-1", {"state": "drain"})
    assert post.headers["Authorization"] == f"Bearer {TOKEN}"
    (attempt,) = run["attempts"]
    assert post.headers["Idempotency-Key"].endswith(f"/{attempt['id']}")
    assert attempt["result"]["status"] == 200
    told = [json.dumps(run), json.dumps(daemon.events()), daemon.tail()]
    assert not [text for text in told if TOKEN in text]
    assert TOKEN.encode() not in daemon.store.read_bytes()
    assert daemon.audit().returncode == 0


def test_killed_before_the_answer_was_recorded(start: Callable[..., Daemon], balancer: Balancer) -> None:
    """The probe finds the server drained, and nobody drains it again."""
    daemon = start(crash_at="after_apply")
    fire(daemon, server="web-1")
    assert daemon.wait_end() == -9
    daemon.crash_at = None
    daemon.start()
    run = _helps(daemon, balancer)
    assert [attempt["status"] for attempt in run["attempts"]] == ["applied"]
    assert len(balancer.posts) == 1


def test_killed_before_it_was_sent(start: Callable[..., Daemon], balancer: Balancer) -> None:
    """The probe finds the server as it was, and it is drained as a new attempt with a key of its own."""
    daemon = start(crash_at="after_intent")
    fire(daemon, server="web-1")
    assert daemon.wait_end() == -9
    assert balancer.posts == []
    daemon.crash_at = None
    daemon.start()
    fire(daemon, server="web-1")  # what was told before the start has to be told again
    run = _helps(daemon, balancer)
    assert [attempt["status"] for attempt in run["attempts"]] == ["not_applied", "applied"]
    assert len(balancer.posts) == 1


def test_an_answer_that_never_comes_is_left_to_the_probe(
    start: Callable[..., Daemon], balancer: Balancer
) -> None:
    balancer.mute = True
    daemon = start()
    fire(daemon, server="web-1")
    run = _helps(daemon, balancer)
    assert "run.probing" in daemon.kinds(f"incident:{run['incident']}")
    assert len(balancer.posts) == 1
