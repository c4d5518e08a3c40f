import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from remediator.cli import main
from tests.unit.config.given import secret

CONFIG = """\
tokens:
  ingest: [{name: am, file: ingest}]
  operators: [{name: alice, file: alice}]
alertmanagers: [{url: http://127.0.0.1:9093}]
channels: {oncall: {webhook: {url: http://127.0.0.1, secret_file: alice}}}
services: {app: {}}
commands: {look: {argv: [/bin/sh]}}
"""
RULES = """\
groups:
  - name: g
    rules:
      - {name: one, match: [a=b], service: app, steps: [restart]}
      - {name: two, match: [c=d], steps: [command: look]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything that the daemon needs, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REMEDIATOR_CONFIG", raising=False)
    for name in ("ingest", "alice"):
        secret(tmp_path, name)
    (tmp_path / "remediator.yml").write_text(CONFIG)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "app.yml").write_text(RULES)
    return tmp_path


def check(*args: str) -> Result:
    return CliRunner().invoke(main, ["check", *args])


def as_json(*args: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(check(*args, "-o", "json").output)
    return found


def test_files_that_are_right_are_listed(folder: Path) -> None:
    result = check()
    assert result.exit_code == 0, result.output
    assert result.output == (
        "remediator.yml: fine, with 2 rules\n  one  rules/app.yml:4\n  two  rules/app.yml:5\n"
    )


def test_the_file_may_be_named_by_an_option_or_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "remediator.yml").rename(folder / "other.yml")
    assert check().exit_code == 1
    assert check("--config", "other.yml").exit_code == 0
    monkeypatch.setenv("REMEDIATOR_CONFIG", "other.yml")
    assert check().exit_code == 0


def test_a_configuration_that_is_not_there_is_a_mistake(folder: Path) -> None:
    result = check("--config", "none.yml")
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "none.yml: cannot be read: no such file or directory",
        "1 mistake in the configuration; the rules were not checked",
    ]


def test_mistakes_in_rules_are_shown_with_their_lines(folder: Path) -> None:
    (folder / "rules" / "app.yml").write_text(RULES.replace("restart", "restrat"))
    result = check()
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "rules/app.yml:4:57: unknown action `restrat`; did you mean `restart`?",
        "          - {name: one, match: [a=b], service: app, steps: [restrat]}",
        " " * 60 + "^",
        "1 mistake",
    ]


def test_certificates_of_no_use_are_told_before_anybody_starts(folder: Path) -> None:
    (folder / "ca.pem").write_text("nothing")
    (folder / "remediator.yml").write_text(CONFIG + "prometheus: {url: https://p, ca_file: ca.pem}\n")
    result = check()
    assert result.exit_code == 1
    line = CONFIG.count("\n") + 1
    assert result.output.splitlines()[0] == (
        f"remediator.yml:{line}:39: ca.pem holds no certificates; give a file of them in PEM form"
    )


def test_warnings_are_shown_and_do_no_harm(folder: Path) -> None:
    (folder / "remediator.yml").write_text(CONFIG.replace("{app: {}}", "{app: {min_healthy: 2}}"))
    result = check()
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == (
        "remediator.yml:6:31: warning: `min_healthy` is kept, but not yet enforced"
    )


def test_other_rules_can_be_held_against_the_configuration(folder: Path) -> None:
    candidate = folder / "candidate.yml"
    candidate.write_text(RULES.replace("service: app", "service: ap"))
    result = check("candidate.yml")
    assert result.exit_code == 1
    assert "there is no service `ap` in the configuration; did you mean `app`?" in result.output
    candidate.write_text(RULES)
    assert "candidate.yml:4" in check("candidate.yml").output
    assert len(as_json("candidate.yml", "rules/app.yml")["problems"]) == 2  # the same names twice


def test_json_of_files_that_are_right(folder: Path) -> None:
    found = as_json()
    assert found["ok"] is True
    assert found["problems"] == []
    assert [rule["name"] for rule in found["rules"]["rules"]] == ["one", "two"]
    assert found["rules"]["rules"][0]["source"] == "rules/app.yml:4"
    assert len({rule["version"] for rule in found["rules"]["rules"]} | {found["rules"]["version"]}) == 3


def test_json_of_files_with_mistakes_and_warnings(folder: Path) -> None:
    (folder / "remediator.yml").write_text(CONFIG.replace("{app: {}}", "{app: {min_healthy: 2}}"))
    (folder / "rules" / "app.yml").write_text(RULES.replace("a=b", "a"))
    result = check("-o", "json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert (found["ok"], found["rules"]) == (False, None)
    assert [(p["kind"], p["file"], p["line"], p["column"]) for p in found["problems"]] == [
        ("error", "rules/app.yml", 4, 30),
        ("warning", "remediator.yml", 6, 31),
    ]


def test_a_secret_is_neither_shown_nor_told(folder: Path) -> None:
    (folder / "remediator.yml").write_text(CONFIG.replace("file: ingest", "file: ingest, token: hunter2"))
    for form in ("text", "json"):
        assert "hunter2" not in check("-o", form).output


@pytest.mark.parametrize("args", [["-o", "xml"], ["--konfig", "x"]])
def test_wrong_usage_is_exit_code_2(folder: Path, args: list[str]) -> None:
    assert check(*args).exit_code == 2


def test_the_exit_codes_are_documented() -> None:
    text = check("--help").output
    for line in (
        "0  the daemon would start with these files; there may be warnings",
        "1  there are mistakes, or with --strict warnings",
        "2  the command was used wrongly",
    ):
        assert f"    {line}" in text


UNUSED = """\
      - {name: three, match: ['a="b"', 'e="f"'], service: app, steps: [restart]}
"""


def test_what_can_hardly_be_meant_in_rules_is_a_warning(folder: Path) -> None:
    (folder / "rules" / "app.yml").write_text(RULES + UNUSED)
    result = check()
    assert result.exit_code == 0
    assert result.output.splitlines()[:4] == [
        "rules/app.yml:6:9: warning: rule `three` is never used: rule `one` (rules/app.yml:4) comes first "
        "and matches all the same alerts",
        "    " + UNUSED.rstrip(),
        "            ^",
        "remediator.yml: fine, with 3 rules and 1 warning",
    ]
    assert [problem["kind"] for problem in as_json()["problems"]] == ["warning"]


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_strict_lets_warnings_fail(folder: Path, form: str) -> None:
    assert check("--strict", "-o", form).exit_code == 0
    (folder / "rules" / "app.yml").write_text(RULES + UNUSED)
    assert check("-o", form).exit_code == 0
    assert check("--strict", "-o", form).exit_code == 1


def test_the_mode_of_the_configuration_counts_for_warnings(folder: Path) -> None:
    (folder / "rules" / "app.yml").write_text(RULES.replace("service: app", "service: app, severity: P0"))
    assert "P0" not in check().output
    (folder / "remediator.yml").write_text(CONFIG + "severities: {P0: {mode: auto}}\n")
    assert "warning: rule `one` acts on P0 incidents without anybody's approval" in check().output
    (folder / "remediator.yml").write_text(CONFIG + "severities: {P0: {mode: auto}}\nmode: shadow\n")
    assert "P0" not in check().output


def test_annotations_for_github(folder: Path) -> None:
    odd = folder / "a,b:c%.yml"
    odd.write_text(RULES.replace("restart", "restrat").replace("name: two", 'name: "x%\\n::set-env"'))
    (folder / "remediator.yml").write_text(CONFIG.replace("{app: {}}", "{app: {min_healthy: 2}}"))
    result = check("-o", "github", odd.name, "none.yml")
    assert result.exit_code == 1
    name = (
        "`x%25%0A::set-env` cannot be a name: use letters, digits, `_`, `.` and `-`, a letter or digit first"
    )
    assert result.output.splitlines() == [
        "::error file=a%2Cb%3Ac%25.yml,line=4,col=57::unknown action `restrat`; did you mean `restart`?",
        f"::error file=a%2Cb%3Ac%25.yml,line=5,col=16::{name}",
        "::error file=none.yml::cannot be read: no such file or directory",
        "::warning file=remediator.yml,line=6,col=31::`min_healthy` is kept, but not yet enforced",
        "3 mistakes and 1 warning",
    ]


def test_annotations_of_files_that_are_right_are_none(folder: Path) -> None:
    assert check("-o", "github").output == "remediator.yml: fine, with 2 rules\n"
