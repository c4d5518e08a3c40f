"""The check `auth_failures`: refusals in the logs, counted and shown without secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from remediator.model.world import WorldError
from tests.unit.checks.given import LOOKS, look
from tests.unit.given import COMPOSE
from tests.unit.still_clock import NOON

if TYPE_CHECKING:
    from remediator.world.simulated import SimulatedWorld


def stamped(minutes_ago: int, line: str) -> str:
    """A line as the engine gives it, with its own time in front."""
    at = NOON - timedelta(minutes=minutes_ago)
    return f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z {line}"


@pytest.mark.parametrize(
    "line",
    [
        "sshd[1]: Failed password for root from 10.0.0.1 port 22 ssh2",
        "pam_unix(sshd:auth): authentication failure; user=root",
        'FATAL:  password authentication failed for user "app"',
        "LOGIN FAILED for alice",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOAUTH Authentication required.",
        "Authentication failed. UserNotFound",
        '10.0.0.1 - - [01/Mar/2026:12:00:00] "GET /api HTTP/1.1" 401 17',
        "HTTP 401 Unauthorized",
        "open /etc/shadow: permission denied",
        "Invalid token",
        "incorrect password",
    ],
)
async def test_what_programs_write_when_they_refuse_somebody(world: SimulatedWorld, line: str) -> None:
    world.docker.add_container("web")
    world.docker.writes("web", "started", stamped(1, line))
    finding = await look(world, "auth_failures")
    assert (finding.ok, finding.summary) == (False, "1 line of refusals in 1h")
    assert finding.text == f"web: {stamped(1, line)}"
    assert finding.facts == {"count": 1, "containers": {"web": 1}}


@pytest.mark.parametrize(
    "line", ["started", '"GET /api HTTP/1.1" 200 401', "author=alice", "login of alice", "4011 rows"]
)
async def test_what_is_no_refusal(world: SimulatedWorld, line: str) -> None:
    world.docker.add_container("web")
    world.docker.writes("web", line)
    assert (await look(world, "auth_failures")).ok is True


async def test_only_as_far_back_as_asked(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.writes("web", *(stamped(ago, "access denied") for ago in (90, 61, 59, 1)))
    assert (await look(world, "auth_failures")).facts["count"] == 2
    assert (await look(world, "auth_failures", since="2h")).facts["count"] == 4
    world.docker.ahead = timedelta(hours=1)
    assert (await look(world, "auth_failures")).facts["count"] == 0, "the stamps are the engine's"


async def test_the_last_of_all_containers_are_shown_in_order(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    for number, name in enumerate(("app-web-1", "app-web-2")):
        world.docker.writes(name, *(stamped(ago + number, "access denied") for ago in (30, 20, 10)))
    finding = await look(world, "auth_failures", COMPOSE, show=3)
    assert finding.facts == {"count": 6, "containers": {"app-web-1": 3, "app-web-2": 3}}
    assert [line.split(":")[0] for line in finding.text.splitlines()] == [
        "app-web-1",
        "app-web-2",
        "app-web-1",
    ]


async def test_patterns_and_the_number_that_is_well_are_for_the_rule_to_say(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.writes("web", "access denied", "NOPE 1", "nope 2")
    finding = await look(world, "auth_failures", patterns=["nope \\d"], at_most=2)
    assert (finding.ok, finding.facts["count"]) == (True, 2)


async def test_secrets_and_escapes_are_taken_out_and_long_lines_cut(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.writes("web", "access denied for password=hunter2 \x1b[2J", "access denied " + "x" * 5000)
    finding = await look(world, "auth_failures")
    assert "hunter2" not in finding.text
    assert "\x1b" not in finding.text
    assert len(finding.text) < 1200


async def test_one_log_that_cannot_be_read_hides_no_other(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    world.docker.disturb("logs", error=WorldError("too slow"))
    finding = await look(world, "auth_failures", COMPOSE)
    assert (finding.ok, finding.summary) == (None, "0 lines of refusals in 1h; cannot be read: app-web-1")
    world.docker.disturb("logs", error=WorldError("too slow"))
    world.docker.writes("app-web-2", "access denied")
    assert (await look(world, "auth_failures", COMPOSE)).ok is False


@pytest.mark.parametrize("patterns", [[], [""], ["("], ["(?=a)"], ["a" * 2000]])
def test_a_pattern_that_is_none_is_refused(patterns: list[str]) -> None:
    with pytest.raises(ValidationError):
        LOOKS["auth_failures"].params(patterns=patterns)


def test_what_is_wrong_with_a_pattern_is_told() -> None:
    with pytest.raises(ValidationError, match=r"`\(` is no regular expression of RE2: missing \)"):
        LOOKS["auth_failures"].params(patterns=["("])
