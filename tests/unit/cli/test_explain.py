"""`explain`: how an alert is given, and what is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from remediator.cli.explain import _why
from remediator.engine.face import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Shell

DOWN = {"alertname": "Down", "service": "app"}


async def test_what_would_be_done_is_told_at_80_columns(shell: Shell) -> None:
    told = await shell.told("explain", "alertname=Down")
    assert max(map(len, told.splitlines())) <= 80
    for words in (
        "P0, by rule",
        "taken as if it began to fire now",
        "used",
        "matches, but comes later",
        'service="db"',
        "6 more do not match; --all shows them.",
        "Step 1: restart",
        "container.restart",
        "cooldown",
        "Now it would wait (cooldown: acted on a minute ago)",
    ):
        assert words in told


async def test_labels_are_given_one_by_one(shell: Shell) -> None:
    await shell.run("explain", "alertname=Down", "expr=a=b", "empty=")
    assert shell.desk.asked == [([{"alertname": "Down", "expr": "a=b", "empty": ""}], 5)]


@pytest.mark.parametrize("args", [["--live", 'job="a"'], ["--incident", "7"], ["a=b", "--all"]])
async def test_other_ways_to_ask(shell: Shell, args: list[str]) -> None:
    await shell.run("explain", *args)
    assert shell.desk.asked in ([('job="a"', 5)], [(7, 5)], [([{"a": "b"}], None)])


@pytest.mark.parametrize(
    "content",
    [
        {"labels": DOWN},
        [{"labels": DOWN, "startsAt": "2026-03-01T12:00:00Z", "fingerprint": "ab"}],
        {"version": "4", "alerts": [{"status": "firing", "labels": DOWN}]},
    ],
)
async def test_a_file_holds_an_alert_a_list_or_a_notification(
    shell: Shell, tmp_path: Path, content: Any
) -> None:
    file = tmp_path / "alert.json"
    file.write_text(json.dumps(content))
    await shell.run("explain", "--file", str(file))
    assert shell.desk.asked == [([DOWN], 5)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "this is not JSON"),
        ("[]", "a list of alerts"),
        ('[{"labels": {"a": 1}}]', "alert 1 has no `labels`"),
        ("[" * 100_000, "this is not JSON"),
        ('{"status": "firing"}', "alert 1 has no `labels`"),
    ],
)
async def test_a_file_that_holds_none_is_refused(
    shell: Shell, tmp_path: Path, content: str, why: str
) -> None:
    file = tmp_path / "alert.json"
    file.write_text(content)
    told = await shell.refused("explain", "--file", str(file))
    assert why in told
    assert str(file) in told


@pytest.mark.parametrize("args", [[], ["a=b", "--incident", "1"], ["a"], ["a!=b"], ["a=~b"], ["a=b", "a=c"]])
async def test_wrong_usage(shell: Shell, args: list[str]) -> None:
    assert "Error" in await shell.refused("explain", *args, code=2)


async def test_an_incident_is_told_with_its_record(shell: Shell) -> None:
    told = await shell.told("explain", "--incident", "7")
    assert "What was decided about incident 7" in told
    assert "run.decided" in told
    assert "overall allow; rule app-down" in told


async def test_no_guardrail_decides_where_all_allow() -> None:
    data = {"overall": "allow", "decisive": "shadow", "rule": "x"}
    assert _why(data) == "overall allow; rule x"
    assert _why({**data, "overall": "hold"}) == "overall hold; decisive shadow; rule x"


async def test_resolved_alerts_of_a_file_are_left_out(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "alert.json"
    over = {"status": "resolved", "labels": {"alertname": "Over"}}
    file.write_text(json.dumps([over, {"status": "firing", "labels": DOWN}]))
    result = await shell.run("explain", "--file", str(file))
    assert "they are resolved: 1" in result.stderr
    assert shell.desk.asked == [([DOWN], 5)]
    file.write_text(json.dumps(over))
    assert "all of its alerts are resolved" in await shell.refused("explain", "--file", str(file))


async def test_a_label_that_is_no_text_is_refused(shell: Shell, config: Path, tmp_path: Path) -> None:
    offline = ("explain", "--config", str(config))
    assert "UTF-8" in await shell.refused(*offline, "alertname=\udcff", code=2)
    file = tmp_path / "alert.json"
    for labels in ({"a": "\ud800"}, {"\ud800": "a"}):
        file.write_text(json.dumps({"labels": labels}))
        assert "alert 1 has a label" in await shell.refused(*offline, "--file", str(file))


async def test_a_refusal_is_told(shell: Shell) -> None:
    shell.desk.refuse = NotFound("there is no incident 7")
    assert "there is no incident 7" in await shell.refused("explain", "--incident", "7")


async def test_as_json(shell: Shell) -> None:
    told = await shell.json("explain", "a=b")
    assert told["explanations"][0]["overall"] == "hold"
    assert told["found"] == 12


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with two rules; there is no daemon."""
    (tmp_path / "token").write_text("a-token-of-sixteen-characters-or-more\n")
    (tmp_path / "token2").write_text("another-token-of-sixteen-characters\n")
    (tmp_path / "rules.yml").write_text(RULES)
    file = tmp_path / "remediator.yml"
    file.write_text(CONFIG)
    return file


RULES = """
classification: [{match: ['page="yes"'], severity: P0, type: data-issue}]
groups:
  - name: g
    rules:
      - {name: down, match: [alertname=Down], service: "{{ labels.job }}", steps: [restart: ]}
      - {name: slow, match: [alertname=Slow, job=~"a|b"], severity: P2, service: app, steps: [restart: ]}
"""
CONFIG = """
store: remediator.db
rules: [rules.yml]
services: {app: {target: {compose_service: app}}}
tokens:
  ingest: [{name: am, file: token}]
  operators: [{name: alice, file: token2}]
"""


async def test_without_a_daemon_rules_and_classification_are_told(shell: Shell, config: Path) -> None:
    args = ("explain", "--config", str(config), "alertname=Down", "job=app", "page=yes")
    told = await shell.told(*args, token=None)
    assert max(map(len, told.splitlines())) <= 80
    for words in (
        "P0, by table",
        "data-issue",
        "used",
        'alertname="Slow"',
        "Only the daemon",
    ):
        assert words in told
    (one,) = (await shell.json(*args, token=None))["explanations"]
    assert (one["rule"], one["service"], one["severity"], one["overall"]) == ("down", "app", "P0", "unknown")
    assert shell.desk.asked == []


async def test_without_a_daemon_a_template_without_a_value_is_told(shell: Shell, config: Path) -> None:
    told = await shell.json("explain", "--config", str(config), "alertname=Down", token=None)
    assert told["explanations"][0]["service"] is None
    assert "has no label `job`" in told["explanations"][0]["detail"]


async def test_mistakes_in_the_files_are_told(shell: Shell, config: Path) -> None:
    (config.parent / "rules.yml").write_text("groups: [{name: g, rules: [{name: x}]}]")
    told = await shell.refused("explain", "--config", str(config), "a=b", token=None)
    assert "rules.yml:1:" in told


@pytest.mark.parametrize("args", [["--live", "a=b"], ["--incident", "1"]])
async def test_what_needs_the_daemon_does_not_go_without(shell: Shell, config: Path, args: list[str]) -> None:
    await shell.refused("explain", "--config", str(config), *args, code=2)
