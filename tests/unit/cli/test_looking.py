"""Commands that look: what people read, at 80 columns, and what programs read."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from remediator.engine.face import Refused
from remediator.model.world import Applied
from remediator.reading.problems import Problem
from tests.unit.web.explained import OBJECT
from tests.unit.web.house import ALICE, IN_FORCE, LOGS, NOW, PLAN

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Shell

DIGEST = PLAN.digest("rule-version")
EVIL = "\x1b[31mred\x1b[0m\r\u202egnp.exe [bold]x[/bold] :smile:"


def columns(text: str) -> list[list[str]]:
    """The cells of each line of a table, after its head."""
    return [line.split() for line in text.splitlines()[1:]]


async def test_incidents_are_listed(shell: Shell) -> None:
    await shell.desk.fire(1, service="app")
    await shell.desk.fire(2, service="db")
    told = await shell.told("incidents")
    assert told.splitlines()[0].split() == ["ID", "SEV", "STATUS", "SERVICE", "OPENED", "(UTC)", "TITLE"]
    assert columns(told) == [
        ["2", "P0", "open", "db", "2026-03-01", "12:00:00", "ApplicationDown", "on", "db"],
        ["1", "P0", "open", "app", "2026-03-01", "12:00:00", "ApplicationDown", "on", "app"],
    ]
    assert columns(await shell.told("incidents", "--status", "resolved")) == []
    assert len(columns(await shell.told("incidents", "--service", "db"))) == 1


async def test_a_list_that_goes_on_says_how_to_see_more(shell: Shell) -> None:
    for number in range(1, 4):
        await shell.desk.fire(number, service=f"svc-{number}")
    result = await shell.run("incidents", "--limit", "2")
    assert "add --before 2" in result.stderr
    assert "svc-1" in await shell.told("incidents", "--limit", "2", "--before", "2")


async def test_an_incident_is_shown_with_its_alerts_and_runs(shell: Shell) -> None:
    await shell.desk.fire(1, instance="10.0.0.1:80")
    told = await shell.told("incidents", "1")
    assert "Incident 1: ApplicationDown on app" in told
    assert "Alert ApplicationDown, firing since 2026-03-01 11:59:00 UTC" in told
    assert "instance   10.0.0.1:80" in told
    assert "the app is down" in told
    assert "planning  app      app-down" in told


async def test_runs_are_listed_and_shown(shell: Shell) -> None:
    run = await shell.desk.fire()
    await shell.desk.plan(run)
    assert columns(await shell.told("runs")) == [
        ["1", "1", "2026-03-01", "12:00:00", "awaiting_approval", "app", "app-down"]
    ]
    await shell.desk.approve(1, "alice", "go on")
    await shell.desk.plan(run)
    await shell.desk.act(run, Applied(result={}))
    told = await shell.told("runs", "1")
    assert "Run 1 of app-down on app" in told
    assert "verifying" in told
    assert "1. container.restart app-1" in told
    assert OBJECT in told
    assert DIGEST in told
    assert "Logs of app-1: 2 lines" in told
    assert "line one" not in told
    assert "alice: yes (go on)" in told
    assert "applied  container.restart  app-1" in told
    assert "line one" in await shell.told("runs", "1", "--evidence")


async def test_a_held_run_says_by_what(shell: Shell) -> None:
    run = await shell.desk.fire()
    await shell.desk.pause("bob", "deploying")
    await shell.desk.plan(run)
    assert "held: paused" in await shell.told("runs")
    assert "deploying" in await shell.told("runs", "1")


async def test_approvals_lists_what_waits(shell: Shell) -> None:
    await shell.desk.plan(await shell.desk.fire(1, service="app"))
    other = await shell.desk.fire(2, service="db")
    await shell.desk.plan(other)
    await shell.desk.deny(2, "bob", "no")
    told = columns(await shell.told("approvals"))
    assert told == [["1", "P0", "pending", "2026-03-01", "12:30:00", "app", "restart", "container", "app-1"]]
    assert len(columns(await shell.told("approvals", "--status", "all"))) == 2
    assert len(columns(await shell.told("approvals", "--status", "denied"))) == 1


async def test_an_approval_shows_all_that_is_needed_to_decide(shell: Shell) -> None:
    await shell.desk.plan(await shell.desk.fire(instance="10.0.0.1:80"))
    told = await shell.told("approvals", "1")
    for needed in (
        "Approval 1: restart container app-1",
        "2026-03-01 12:30:00 UTC",
        "severity_policy",
        "1 (P0): ApplicationDown on app",
        "1. container.restart app-1",
        OBJECT,
        DIGEST,
        "line one",
        r"line two\x1b[31m is red",
        "10.0.0.1:80",
        "the app is down",
    ):
        assert needed in told


async def test_a_replaced_approval_says_that_its_plan_is_gone(shell: Shell) -> None:
    run = await shell.desk.fire()
    await shell.desk.plan(run)
    await shell.desk.cancel(run, "bob")
    assert "restart container app-1" in await shell.told("approvals", "1")


async def test_events_are_told_in_order_and_by_chain(shell: Shell) -> None:
    await shell.desk.fire()
    await shell.desk.pause("bob", "deploying the app")
    told = await shell.told("events")
    kinds = [line.split()[4] for line in told.splitlines() if line[:6].strip().isdigit()]
    assert kinds == ["incident.opened", "episode.opened", "run.proposed", "pause.on"]
    assert "=deploying the app" in told
    assert "pause.on" not in await shell.told("events", "--chain", "incident:1")
    assert "incident.opened" not in await shell.told("events", "--after", "3")
    assert len((await shell.run("events", "--limit", "2", "-o", "json")).stdout.splitlines()) == 2


async def test_events_go_on_over_the_pages_of_the_api(shell: Shell) -> None:
    for number in range(600):
        await shell.desk.pause("bob", str(number))
    lines = (await shell.run("events", "-o", "json")).stdout.splitlines()
    assert len(lines) == 600


async def test_events_are_followed_as_they_come(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remediator.cli.events.FOLLOW_SECONDS", 0.01)
    await shell.desk.pause("bob", "before")
    looked, read = asyncio.Event(), shell.desk.read

    async def look(job: Any) -> Any:
        found = await read(job)
        looked.set()
        return found

    monkeypatch.setattr(shell.desk, "read", look)
    following = asyncio.create_task(shell.told("events", "--follow", "--limit", "2", "-o", "json"))
    await looked.wait()
    await shell.desk.pause("bob", "after")
    async with asyncio.timeout(20):
        lines = (await following).splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2]


async def test_the_status_tells_what_is_wrong_also_by_its_code(shell: Shell) -> None:
    await shell.desk.fire()
    told = await shell.told("status")
    assert "Incidents open         1 P0" in told
    assert "Paused                 no" in told
    shell.desk.ready = False
    await shell.desk.pause("bob", "deploying")
    told = await shell.told("status", code=1)
    assert "yes, by bob since 2026-03-01 12:00:00 UTC: deploying" in told
    assert "docker no it is down" in " ".join(told.split())


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (("incidents",), "incidents"),
        (("incidents", "1"), "incidents/1"),
        (("runs",), "runs"),
        (("runs", "1"), "runs/1"),
        (("approvals",), "approvals?status=pending"),
        (("approvals", "1"), "approvals/1"),
        (("status",), "status"),
    ],
)
async def test_as_json_it_is_what_the_api_says(shell: Shell, args: tuple[str, ...], path: str) -> None:
    await shell.desk.plan(await shell.desk.fire(text=EVIL))
    headers = {"Authorization": f"Bearer {ALICE}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{shell.house.url}/api/v1/{path}") as response,
    ):
        expected = await response.json()
    assert await shell.json(*args) == expected


@pytest.mark.parametrize("name", ["incidents", "runs", "approvals"])
async def test_what_does_not_exist(shell: Shell, name: str) -> None:
    assert "there is no" in await shell.refused(name, "7")


@pytest.mark.parametrize(
    "args", [("incidents", "x"), ("runs", "0"), ("runs", "--status", "x"), ("events", "y")]
)
async def test_wrong_usage_has_a_code_of_its_own(shell: Shell, args: tuple[str, ...]) -> None:
    await shell.refused(*args, code=2)


@pytest.mark.parametrize("command", [("incidents",), ("incidents", "1"), ("runs", "1"), ("approvals", "1")])
async def test_nothing_from_outside_reaches_the_terminal_as_more_than_text(
    shell: Shell, command: tuple[str, ...]
) -> None:
    run = await shell.desk.fire(alertname=EVIL, **{"e" + EVIL: EVIL})
    await shell.desk.plan(run, logs=f"{LOGS}{EVIL}")
    told = (await shell.run(*command)).stdout
    assert not set(told) & set("\x1b\r\u202e")
    assert "[bold]x[/bold]" in "".join(told.split())
    assert ":smile:" in "".join(told.split())


async def test_nothing_is_wider_than_the_terminal_and_nothing_is_lost(shell: Shell) -> None:
    long = "".join(f"<{number}>" for number in range(100))
    await shell.desk.plan(await shell.desk.fire(service="app", alertname=long))
    for command in (("incidents",), ("incidents", "1"), ("runs", "1"), ("approvals", "1"), ("events",)):
        told = await shell.told(*command)
        assert max(map(len, told.splitlines())) <= 80, command
        squeezed = "".join(told.split())
        assert command[0] == "events" or all(f"<{number}>" in squeezed for number in range(100)), command


async def test_a_line_is_a_line_where_there_is_no_terminal(shell: Shell) -> None:
    long = "".join(f"<{number}>" for number in range(100))
    await shell.desk.plan(await shell.desk.fire(service="app", alertname=long, **{"n" * 50: "x" * 500}))
    for command in (("incidents",), ("incidents", "1"), ("runs", "1"), ("approvals", "1")):
        assert long in await shell.told(*command, COLUMNS=None), command
    assert f"{'n' * 50}  {'x' * 500}\n" in await shell.told("incidents", "1", COLUMNS=None)


async def test_the_rules_in_force_are_shown(shell: Shell) -> None:
    assert await shell.told("rules", "status") == (
        f"Version        {'5' * 64}\n"
        "Rules          1\n"
        "Loaded         2026-03-01 12:00:00 UTC, by alice\n"
        "Refused since  nothing\n"
        "\n"
        "Files (1)\n"
        "SHA256        RULES  FILE\n"
        "aaaaaaaaaaaa  1      rules/apps.yml"
    )
    told = await shell.json("rules", "status")
    assert told["files"] == [{"file": "rules/apps.yml", "sha256": "a" * 64, "rules": 1}]
    assert told["refused"] is None


async def test_rules_that_were_refused_are_shown_with_every_mistake(shell: Shell) -> None:
    mistakes = [Problem(file="rules/a.yml", line=3, column=n, message=f"no {n}") for n in range(1, 103)]
    refused = Refused(at=NOW + timedelta(minutes=5), by="watch", problems=tuple(mistakes))
    shell.desk.in_force = replace(IN_FORCE, refused=refused)
    told = await shell.told("rules", "status", code=1)
    assert "Refused since  2026-03-01 12:05:00 UTC, by watch\n" in told
    lines = told.splitlines()
    assert lines[8:11] == ["", "Why the last reload was refused (102 mistakes)", "rules/a.yml:3:1: no 1"]
    assert lines[-2:] == ["rules/a.yml:3:100: no 100", "and 2 more mistakes; `remediator check` tells all"]
    assert (await shell.json("rules", "status", code=1))["refused"]["problems"][0] == {
        "file": "rules/a.yml",
        "line": 3,
        "column": 1,
        "message": "no 1",
    }
