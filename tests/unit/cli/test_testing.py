"""`remediator test`: what it prints, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from remediator.actions.restart import Restart
from remediator.cli import main
from tests.simulation.given import rules

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

SUITE = """\
settings: {services: {web: {}}}
tests:
  - name: it is restarted
    timeline:
      - at: 0s
        fire: {alertname: Down, service: web}
        expect: {run: {rule: web-down, action: restart}}
  - name: it is left alone
    timeline:
      - at: 0s
        fire: {alertname: Down, service: web}
      - at: 1h
        expect: {run: {rule: web-down, outcome: SUCCEEDED}, acts: 1}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "web.yml").write_text(rules())
    file = tmp_path / "web.test.yml"
    file.write_text(SUITE.replace("SUCCEEDED", "failed"))
    return file


def breaks(suite: Path) -> None:
    suite.write_text(SUITE.replace("SUCCEEDED", "succeeded"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["test", *map(str, arguments)])


def test_what_passes_is_counted(suite: Path) -> None:
    result = run(suite.parent)
    assert result.output.splitlines() == [
        "2 tests passed",
        "2 of 2 guardrails that the rules set never object in a test",
    ]
    assert result.exit_code == 0


def test_a_failure_tells_what_was_expected_and_what_had_happened(suite: Path) -> None:
    breaks(suite)
    result = run(suite)
    lines = result.output.splitlines()
    assert lines[:5] == [
        f"{suite}:12: FAILED: it is left alone",
        "  at 1h: run of web-down: outcome",
        "      expected  succeeded",
        "      got       failed",
        "  what had happened by then:",
    ]
    assert "5m run.finished rule=web-down action=restart reason=still_firing" in " ".join(
        result.output.split()
    )
    assert max(map(len, lines[5:])) <= 80
    assert "1 test passed, 1 failed" in lines
    assert result.exit_code == 1


def test_part_of_a_name_chooses_tests(suite: Path) -> None:
    breaks(suite)
    result = run(suite, "-k", "Restarted")
    assert result.output.startswith("1 test passed\n")
    assert result.exit_code == 0


def test_a_name_that_no_test_has_is_told(suite: Path) -> None:
    result = run(suite, "-k", "nothing")
    assert result.output == "Error: no test has `nothing` in its name\n"
    assert result.exit_code == 1


def test_what_is_not_shown_is_named(suite: Path) -> None:
    result = run(suite, "--coverage")
    assert f"{suite.parent}/web.yml:4: in no test cooldown objects to web-down" in result.output
    assert result.exit_code == 0
    assert run(suite, "--fail-uncovered").exit_code == 1


def test_a_rule_file_without_tests_is_named(suite: Path) -> None:
    (suite.parent / "more.yml").write_text("groups: []\n")
    result = run(suite.parent, "--coverage")
    assert f"{suite.parent}/more.yml: no file of tests is about these rules" in result.output
    assert "1 rule file without any tests" in result.output
    assert "more.yml" not in run(suite, "--coverage").output


def test_tests_below_a_directory_are_run(suite: Path) -> None:
    below = suite.parent / "team" / "a"
    below.mkdir(parents=True)
    (suite.parent / "web.yml").rename(below / "web.yml")
    suite.rename(below / suite.name)
    (suite.parent / "team" / "more.yml").write_text("groups: []\n")
    result = run(suite.parent, "--coverage")
    assert "2 tests passed" in result.output
    assert "team/more.yml: no file of tests is about these rules" in result.output


def test_a_rule_is_not_shown_by_one_of_the_same_name_in_another_file(suite: Path) -> None:
    (suite.parent / "b.yml").write_text(rules())
    suite.with_name("b.test.yml").write_text(
        "settings: {services: {web: {}}}\n"
        "tests: [{name: quiet, timeline: [{at: 0s, expect: {no_run: [web-down]}}]}]\n"
    )
    output = run(suite.parent, "--coverage").output
    assert f"{suite.parent}/b.yml:4: no test expects a run of web-down" in output
    assert f"{suite.parent}/web.yml:4: no test expects a run of web-down" not in output


def test_a_failed_test_shows_nothing(suite: Path) -> None:
    suite.write_text(SUITE.replace("action: restart", "action: scale").replace("SUCCEEDED", "succeeded"))
    assert "no test expects a run of web-down" in run(suite, "--coverage").output


def test_json(suite: Path) -> None:
    breaks(suite)
    result = run(suite, "-o", "json")
    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert [test["ok"] for test in told["tests"]] == [True, False]
    assert told["tests"][1]["failure"]["differences"] == [
        {"what": "run of web-down: outcome", "expected": "succeeded", "got": "failed"}
    ]
    assert told["coverage"]["untested"] == []
    assert result.exit_code == 1


def test_junit(suite: Path, tmp_path: Path) -> None:
    breaks(suite)
    run(suite, "--junit", tmp_path / "junit.xml")
    (found,) = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (found.get("tests"), found.get("failures")) == ("2", "1")
    assert [case.get("name") for case in found] == ["it is restarted", "it is left alone"]
    (failure,) = found[1]
    assert failure.get("message") == "at 1h: run of web-down: outcome"


def test_every_mistake_is_told_and_nothing_is_run(suite: Path) -> None:
    suite.write_text(SUITE.replace("SUCCEEDED", "failed").replace("fire:", "fier:"))
    result = run(suite)
    assert f"{suite}:6:9: unknown key of a time line `fier`; did you mean `fire`?" in result.output
    assert f"{suite}:11:9:" in result.output
    assert result.exit_code == 1


def test_a_directory_without_tests_is_told(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert (
        result.output
        == f"Error: {tmp_path}: there is no file of tests (*.test.yml) in or below this directory\n"
    )
    assert result.exit_code == 1


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run(tmp_path / "no.test.yml")
    assert "no such file" in result.output
    assert result.exit_code == 1


def test_a_fault_of_the_engine_fails_the_test_that_expects_nothing_of_it(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks_down(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(Restart, "apply", breaks_down)
    suite.write_text(SUITE.replace("web-down, action: restart", "web-down").split("  - name: it is left")[0])
    result = run(suite)
    lines = result.output.splitlines()
    assert lines[0] == f"{suite}:5: FAILED: it is restarted"
    assert lines[1] == (
        "  at 0s at the latest: a fault in the engine: an action failed in a way that it does not know"
    )
    assert "      RuntimeError: boom" in lines
    assert result.exit_code == 1
    (told,) = json.loads(run(suite, "-o", "json").stdout)["tests"]
    assert told["failure"]["faults"][0].endswith("RuntimeError: boom")
