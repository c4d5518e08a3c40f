"""Commands that act: what they ask of the daemon, and what they say became of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.decide.policy import Policy, SeverityPolicy
from remediator.model.words import Mode, Severity
from remediator.model.world import Unknown
from tests.unit.web.house import ALICE, BOB, PLAN

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Shell

DIGEST = PLAN.digest("rule-version")


@pytest.fixture
async def asked(shell: Shell) -> int:
    """A run that waits for approval 1."""
    run = await shell.desk.fire()
    await shell.desk.plan(run)
    return run


async def approval_status(shell: Shell) -> str:
    return str((await shell.json("approvals", "1"))["status"])


async def test_a_script_approves_and_is_shown_what(shell: Shell, asked: int) -> None:
    told = await shell.told("approve", "1", "--yes", "--reason", "go on")
    assert "1. container.restart app-1" in told
    assert told.endswith("Approval 1 is granted. See: remediator runs 1")
    (decision,) = (await shell.json("approvals", "1"))["decisions"]
    assert (decision["actor"], decision["reason"]) == ("alice", "go on")


async def test_without_a_terminal_nobody_is_asked_and_nothing_is_approved(shell: Shell, asked: int) -> None:
    assert "--yes" in await shell.refused("approve", "1", code=2)
    assert await approval_status(shell) == "pending"


async def test_a_script_approves_only_the_plan_that_it_knows(shell: Shell, asked: int) -> None:
    result = await shell.run("approve", "1", "--yes", "--digest", "0" * 64, code=1)
    assert f"another plan, with the digest {DIGEST}" in result.stderr
    assert await approval_status(shell) == "pending"
    assert (await shell.json("approve", "1", "--yes", "--digest", DIGEST))["status"] == "granted"


async def test_the_digest_that_was_shown_is_sent(
    shell: Shell, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the plan changes between the look and the yes, the daemon refuses."""
    from remediator.cli import client

    get = client.Client.get

    def changed(self: client.Client, path: str, **query: object) -> object:
        return {**get(self, path, **query), "digest": "1" * 64}

    monkeypatch.setattr(client.Client, "get", changed)
    result = await shell.run("approve", "1", "--yes", code=1)
    monkeypatch.undo()
    assert "another plan than the one you read" in result.stderr
    assert await approval_status(shell) == "pending"


async def test_an_approval_that_is_over_is_not_asked_about(shell: Shell, asked: int) -> None:
    await shell.run("deny", "1", "--reason", "no")
    assert "it was denied" in (await shell.run("approve", "1", "--yes", code=1)).stderr


async def test_two_people_are_told_that_it_takes_both(shell: Shell) -> None:
    both = {**Policy().severities, Severity.P0: SeverityPolicy(mode=Mode.APPROVE, people=2)}
    shell.desk.policy = replace(shell.desk.policy, severities=both)
    await shell.desk.plan(await shell.desk.fire())
    assert "1 of 2. It takes another person." in await shell.told("approve", "1", "--yes")
    assert "already decided" in (await shell.run("approve", "1", "--yes", code=1)).stderr
    assert "Approval 1 is granted" in await shell.told("approve", "1", "--yes", token=BOB)


async def test_a_denial_needs_a_reason(shell: Shell, asked: int) -> None:
    await shell.refused("deny", "1", code=2)
    assert "run 1 does nothing more" in await shell.told("deny", "1", "--reason", "not now")
    assert await approval_status(shell) == "denied"


async def test_a_rule_is_run_by_hand(shell: Shell) -> None:
    told = await shell.told("run", "app-down", "--service", "app", "--reason", "try it")
    assert told == "Run 1 of app-down on app has begun. See: remediator runs 1"
    await shell.run("cancel", "1")
    assert (await shell.json("run", "app-down", "--service", "app"))["requested_by"] == "alice"
    assert "already under way" in await shell.refused("run", "app-down", "--service", "app")
    assert "there is no rule" in await shell.refused("run", "x", "--service", "app")
    await shell.refused("run", "app-down", code=2)


async def test_a_run_is_cancelled(shell: Shell, asked: int) -> None:
    assert await shell.told("cancel", "1") == "Run 1 has ended: cancelled."
    assert "already ended" in await shell.refused("cancel", "1")


async def test_a_run_that_acts_is_stopped_later(shell: Shell, asked: int) -> None:
    await shell.desk.approve(1, "bob")
    await shell.desk.plan(asked)
    assert await shell.told("cancel", "1") == "Run 1 is acting; it will stop at its next safe point."


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ("--applied", "Run 1 is settled as applied; now verifying."),
        ("--not-applied", "Run 1 is settled as not applied; now planning."),
    ],
)
async def test_an_unknown_outcome_is_settled(shell: Shell, asked: int, found: str, told: str) -> None:
    await shell.desk.approve(1, "bob")
    await shell.desk.plan(asked)
    await shell.desk.act(asked, Unknown(result={}))
    await shell.refused("settle", "1", code=2)
    assert await shell.told("settle", "1", found, "--reason", "I looked") == told


async def test_a_run_is_taken_back(shell: Shell, asked: int) -> None:
    assert "is under way" in await shell.refused("undo", "1")
    await shell.run("cancel", "1")
    assert await shell.told("undo", "1", "--reason", "never mind") == (
        "Run 2 takes run 1 back. See: remediator runs 2"
    )
    assert "Takes back" in await shell.told("runs", "2")
    assert "is being taken back already" in await shell.refused("undo", "1")


async def test_the_kill_switch(shell: Shell) -> None:
    await shell.refused("pause", code=2)
    assert "Paused" in await shell.told("pause", "--reason", "deploying")
    assert (await shell.json("status"))["paused"] is True
    assert await shell.told("resume") == "Resumed."
    assert "nothing is paused" in await shell.refused("resume")


async def test_a_reload(shell: Shell) -> None:
    assert await shell.told("reload") == "Rules loaded, version rules-2, by alice."


@pytest.mark.parametrize(
    ("args", "key"),
    [
        (("deny", "1", "--reason", "x"), "digest"),
        (("cancel", "1"), "outcome"),
        (("pause", "--reason", "x"), "pause"),
        (("reload",), "rules_version"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
async def test_as_json_it_is_what_the_api_answers(
    shell: Shell, asked: int, args: tuple[str, ...], key: str
) -> None:
    assert key in await shell.json(*args)


class Terminal:
    """The command line as a process of its own on a terminal, as a person has it."""

    def __init__(self, shell: Shell, *args: str) -> None:
        self._args = args
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REMEDIATOR_")},
            "REMEDIATOR_URL": shell.house.url,
            "REMEDIATOR_TOKEN": ALICE,
            "COLUMNS": "80",
            "TERM": "xterm",
        }

    async def run(self, answer: str) -> tuple[int, str]:
        """Its exit code, and all that stood on the terminal."""
        own, its = pty.openpty()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "remediator",
                *self._args,
                stdin=its,
                stdout=its,
                stderr=its,
                env=self._env,
            )
        finally:
            os.close(its)
        os.write(own, answer.encode())
        shown = await asyncio.to_thread(self._read, own)
        os.close(own)
        return await process.wait(), shown

    @staticmethod
    def _read(own: int) -> str:
        shown = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other side is closed
            while part := os.read(own, 65_536):
                shown += part
        return shown.decode()


async def test_a_person_is_shown_the_plan_and_asked(shell: Shell) -> None:
    shell.desk.clock.at = SystemClock().now()
    await shell.desk.plan(await shell.desk.fire())
    code, shown = await Terminal(shell, "approve", "1").run("n\n")
    assert code == 1
    assert "container.restart app-1" in shown
    assert "UTC, in 29 min" in shown
    assert "Carry out this plan? [y/N]" in shown
    assert "nothing was decided" in shown
    assert await approval_status(shell) == "pending"
    code, shown = await Terminal(shell, "approve", "1").run("y\n")
    assert (code, await approval_status(shell)) == (0, "granted")


async def test_colour_is_for_terminals_only(shell: Shell, asked: int) -> None:
    code, shown = await Terminal(shell, "incidents").run("")
    assert code == 0
    assert "\x1b[1;31mP0" in shown
    assert "\x1b" not in await shell.told("incidents")
