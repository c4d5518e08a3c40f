from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from remediator.model.rule import Budget, Guards, Step, TriageStep, VerifySpec
from remediator.model.words import IncidentType, Mode, Severity
from remediator.reading.problems import InputError
from remediator.rules.load import rules_schema
from tests.unit.rules.given import ACTIONS, CHECKS, load, minimal, rule_file

RESTART = ACTIONS["restart"].params().model_dump(mode="json", by_alias=True)
"""Its parameters where a rule gives none."""

FULL = """\
groups:
  - name: group
    rules:
      - name: full
        match: ['alertname="Down"', '{job=~"api.*", env!="dev"}']
        severity: P1
        type: service-outage
        service: robo-rlhf
        mode: approve
        triage: [containers, {logs: {tail: 50}}, {command: {name: flush, args: {level: soft}}}]
        steps:
          - restart: {timeout: 30s}
            verify: {healthy: true, resolved_within: 10m, stays: 1m, steady: 5s}
          - command: look
        guardrails: {cooldown: 10m, budget: [3/1h, 7/24h], changed_by_others: 0}
"""


@pytest.fixture
def full(tmp_path: Path) -> Path:
    file = tmp_path / "full.yml"
    file.write_text(FULL)
    return file


def test_a_rule_is_read_with_all_its_parts(full: Path) -> None:
    (matched,) = load(full)
    rule = matched.rule
    assert (rule.name, rule.group, rule.source) == ("full", "group", f"{full}:4")
    assert (rule.severity, rule.type) == (Severity.P1, IncidentType.SERVICE_OUTAGE)
    assert (rule.service, rule.mode) == ("robo-rlhf", Mode.APPROVE)
    assert rule.triage == (
        TriageStep(check="containers"),
        TriageStep(check="logs", params={"tail": 50}),
        TriageStep(check="command", params={"name": "flush", "args": {"level": "soft"}}),
    )
    assert rule.steps == (
        Step(
            action="restart",
            params=RESTART | {"timeout": "30s"},
            verify=VerifySpec(
                healthy=True,
                resolved_within=timedelta(minutes=10),
                stays=timedelta(minutes=1),
                steady=timedelta(seconds=5),
            ),
        ),
        Step(action="command", params={"name": "look", "args": {}}),
    )
    assert rule.guards == Guards(
        cooldown=timedelta(minutes=10),
        budget=(
            Budget(count=3, window=timedelta(hours=1)),
            Budget(count=7, window=timedelta(hours=24)),
        ),
        changed_by_others=timedelta(0),
    )
    assert [str(matcher) for matcher in matched.matchers] == [
        'alertname="Down"',
        'job=~"api.*"',
        'env!="dev"',
    ]


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    ((rule, matchers),) = [(m.rule, m.matchers) for m in load(rule_file(tmp_path, minimal()))]
    assert matchers == ()
    assert (rule.severity, rule.type, rule.mode, rule.triage) == (None, None, Mode.AUTO, ())
    assert rule.steps == (Step(action="restart", params=RESTART),)
    assert rule.guards == Guards()


def test_the_name_of_an_action_alone_is_a_step(tmp_path: Path) -> None:
    (matched,) = load(rule_file(tmp_path, "{name: r, service: redis, steps: [restart]}"))
    assert matched.rule.steps == (Step(action="restart", params=RESTART),)


def version(folder: Path, text: str) -> str:
    file = folder / "one.yml"
    file.write_text(text)
    (matched,) = load(file)
    return matched.rule.version


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: group", "name: another"),
        ("        severity: P1\n", "        # a comment\n        severity: 'P1'\n"),
        ("groups:\n", "# moved\n\n\ngroups:\n"),
        ("cooldown: 10m", "cooldown: 600s"),
        ("7/24h", "7/1d"),
        (
            """['alertname="Down"', '{job=~"api.*", env!="dev"}']""",
            """['env!=dev, job=~"api.*",', alertname=Down]""",
        ),
        ("command: look", "command: {name: look, args: {}}"),
        ("[containers,", "[{containers: },"),
        ("steady: 5s}", "steady: 5000ms}"),
    ],
)
def test_the_version_is_that_of_the_meaning(tmp_path: Path, before: str, after: str) -> None:
    assert before in FULL
    assert version(tmp_path, FULL.replace(before, after)) == version(tmp_path, FULL)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: full", "name: other"),
        ("Down", "Up"),
        ("P1", "P2"),
        ("service-outage", "data-issue"),
        ("service: robo-rlhf", "service: redis"),
        ("mode: approve", "mode: auto"),
        ("tail: 50", "tail: 51"),
        ("timeout: 30s", "timeout: 31s"),
        ("healthy: true, ", ""),
        ("stays: 1m, ", ""),
        ("          - command: look\n", ""),
        ("cooldown: 10m, ", ""),
        ("3/1h, ", ""),
        (", changed_by_others: 0", ""),
    ],
)
def test_every_change_of_meaning_changes_the_version(tmp_path: Path, before: str, after: str) -> None:
    assert before in FULL
    assert version(tmp_path, FULL.replace(before, after)) != version(tmp_path, FULL)


def test_rules_keep_the_order_of_paths_files_and_text(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    rule_file(folder, minimal("b1"), minimal("b2"), name="b.yaml")
    rule_file(folder, minimal("a1"), name="a.yml")
    first = rule_file(tmp_path, minimal("z"), name="z.yml")
    assert [matched.rule.name for matched in load(first, folder)] == ["z", "a1", "b1", "b2"]


def test_a_directory_gives_its_rule_files_and_nothing_else(tmp_path: Path) -> None:
    rule_file(tmp_path, minimal("a"), name="a.yml")
    rule_file(tmp_path, minimal("hidden"), name=".a.yml")
    rule_file(tmp_path, minimal("backup"), name="a.yml~")
    rule_file(tmp_path, minimal("text"), name="a.txt")
    rule_file(tmp_path, minimal("test"), name="a.test.yml")
    rule_file(tmp_path, minimal("swap"), name=".a.yml.swp")
    rule_file(tmp_path, minimal("lock"), name=".#a.yml")
    (tmp_path / "folder").mkdir()
    rule_file(tmp_path / "folder", minimal("below"))
    assert [matched.rule.name for matched in load(tmp_path)] == ["a"]


def test_patterns_are_followed_and_a_file_counts_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        rule_file(tmp_path / name, minimal(name), name=f"{name}.yml")
    found = load(tmp_path / "*" / "*.yml", tmp_path / "a", tmp_path / "b" / ".." / "b" / "b.yml")
    assert [matched.rule.name for matched in found] == ["a", "b"]


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    # Kubernetes: files are links into ..data, which is a link to the present version's directory.
    (tmp_path / "..v1").mkdir()
    rule_file(tmp_path / "..v1", minimal())
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "rules.yml").symlink_to(Path("..data") / "rules.yml")
    assert len(load(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.yml", "cannot be read: no such file or directory"),
        ("empty", r"there is no rule file \(\*.yml, \*.yaml\) here"),
        ("no*.yml", r"there is no rule file \(\*.yml, \*.yaml\) here"),
    ],
)
def test_a_path_that_leads_to_no_rules_is_a_mistake(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        load(tmp_path / path)


def test_no_rules_at_all_are_allowed_where_a_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("groups: []\n")
    assert len(load(file)) == 0


def test_a_name_that_two_files_use_is_told_where_it_stands_again(tmp_path: Path) -> None:
    first = rule_file(tmp_path, minimal("other"), minimal("same"), name="a.yml")
    second = rule_file(tmp_path, minimal("same"), name="b.yml")
    with pytest.raises(InputError) as caught:
        load(first, second)
    (problem,) = caught.value.problems
    assert problem.place == f"{second}:4:12"
    assert problem.message == f"there is a rule `same` already, in {first}:5"


def test_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    first = rule_file(tmp_path, minimal("same", "mode: fast"), name="a.yml")
    second = rule_file(tmp_path, minimal("same", "severity: P7"), name="b.yml")
    third = tmp_path / "c.yml"
    third.write_text("a: [")
    with pytest.raises(InputError) as caught:
        load(first, second, third)
    assert [(Path(p.file).name, p.message.split(" ")[0]) for p in caught.value.problems] == [
        ("a.yml", "expected"),
        ("b.yml", "there"),
        ("b.yml", "expected"),
        ("c.yml", "not"),
    ]


def test_a_rule_for_a_service_without_containers_may_only_run_commands(tmp_path: Path) -> None:
    rule = "{name: r, service: wandb, match: [a=b], triage: [command: look], steps: [command: look]}"
    assert len(load(rule_file(tmp_path, rule))) == 1


def test_the_schema_is_valid_and_accepts_what_the_loader_does(full: Path) -> None:
    schema = rules_schema(ACTIONS, CHECKS)
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema)
    validator(schema).validate(yaml.safe_load(full.read_text()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("severity: P1", "severity: P9"),
        ("mode: approve", "mod: approve"),
        ("restart:", "restrt:"),
        ("tail: 50", "tail: many"),
        ("cooldown: 10m", "cooldown: 10"),
        ("3/1h", "3"),
        ("command: look", "{}"),
    ],
)
def test_the_schema_refuses_what_the_loader_does(full: Path, before: str, after: str) -> None:
    text = full.read_text().replace(before, after)
    assert text != full.read_text()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), rules_schema(ACTIONS, CHECKS))
    full.write_text(text)
    with pytest.raises(InputError):
        load(full)
