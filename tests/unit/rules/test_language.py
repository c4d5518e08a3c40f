"""Keys by which rules are ordered, share what they have in common, and say whose they are."""

from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from remediator.model.hours import Hours, When
from remediator.model.rule import Budget, Classification, Guards, Rule, TriageStep
from remediator.model.words import IncidentType, Mode, Severity
from remediator.reading.problems import InputError
from remediator.rules.load import load_rules, rules_schema
from remediator.rules.ruleset import RuleSet
from tests.unit.rules.given import ACTIONS, CHECKS, SERVICES, load, minimal, rule_file

GROUPED = """\
version: 1
groups:
  - name: g
    defaults:
      severity: P2
      type: infrastructure
      service: redis
      mode: approve
      triage: [containers]
      owner: storage team
      guardrails: {cooldown: 10m, budget: [3/1h], changed_by_others: 5m}
    rules:
      - {name: all, steps: [restart: ]}
      - name: own
        severity: P1
        type: data-issue
        service: robo-rlhf
        mode: auto
        triage: []
        owner: alice
        guardrails: {cooldown: 0s, budget: [1/1h]}
        steps: [restart: ]
  - name: h
    rules:
      - {name: other, match: [a=b], steps: [restart: ]}
"""


def loaded(folder: Path, text: str) -> RuleSet:
    file = folder / "rules.yml"
    file.write_text(text)
    return load(file)


def rule_of(rules: RuleSet, name: str) -> Rule:
    rule = rules.find(name)
    assert rule is not None
    return rule


# Defaults


def test_what_a_rule_leaves_out_is_its_groups(tmp_path: Path) -> None:
    rule = rule_of(loaded(tmp_path, GROUPED), "all")
    assert (rule.severity, rule.type) == (Severity.P2, IncidentType.INFRASTRUCTURE)
    assert (rule.service, rule.mode, rule.owner) == ("redis", Mode.APPROVE, "storage team")
    assert rule.triage == (TriageStep(check="containers"),)
    assert rule.guards == Guards(
        cooldown=timedelta(minutes=10),
        budget=(Budget(count=3, window=timedelta(hours=1)),),
        changed_by_others=timedelta(minutes=5),
    )


def test_what_a_rule_says_itself_wins(tmp_path: Path) -> None:
    rule = rule_of(loaded(tmp_path, GROUPED), "own")
    assert (rule.severity, rule.type) == (Severity.P1, IncidentType.DATA_ISSUE)
    assert (rule.service, rule.mode, rule.owner) == ("robo-rlhf", Mode.AUTO, "alice")
    assert rule.triage == ()


def test_a_guardrail_that_a_rule_does_not_set_is_its_groups(tmp_path: Path) -> None:
    assert rule_of(loaded(tmp_path, GROUPED), "own").guards == Guards(
        cooldown=timedelta(0),
        budget=(Budget(count=1, window=timedelta(hours=1)),),
        changed_by_others=timedelta(minutes=5),
    )


def test_a_groups_defaults_end_with_it(tmp_path: Path) -> None:
    rule = rule_of(loaded(tmp_path, GROUPED), "other")
    assert (rule.severity, rule.service, rule.mode, rule.guards) == (None, None, Mode.AUTO, Guards())


def test_a_rule_is_the_same_version_wherever_it_has_its_keys_from(tmp_path: Path) -> None:
    written = rule_file(
        tmp_path,
        "{name: all, severity: P2, type: infrastructure, service: redis, mode: approve, "
        "triage: [containers], "
        "guardrails: {cooldown: 10m, budget: [3/1h], changed_by_others: 5m}, steps: [restart: ]}",
        name="written.yml",
    )
    (alone,) = load(written)
    assert rule_of(loaded(tmp_path, GROUPED), "all").version == alone.rule.version


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("mode: approve", "mode: shadow", False),
        ("cooldown: 10m", "cooldown: 11m", False),
        ("service: redis", "service: robo-rlhf", False),
        ("owner: storage team", "owner: bob", True),
    ],
)
def test_a_change_of_the_defaults_changes_the_version(
    tmp_path: Path, before: str, after: str, same: bool
) -> None:
    first = rule_of(loaded(tmp_path, GROUPED), "all").version
    second = rule_of(loaded(tmp_path, GROUPED.replace(before, after)), "all").version
    assert (first == second) is same


# Whose rule it is


def test_a_rule_tells_its_owner_and_its_runbook(tmp_path: Path) -> None:
    url = "https://wiki.example.com/runbooks/app-down?view=short#restart"
    (matched,) = load(rule_file(tmp_path, minimal(more=f"owner: platform, runbook_url: '{url}'")))
    assert (matched.rule.owner, matched.rule.runbook_url) == ("platform", url)


def test_who_keeps_a_rule_is_not_what_it_means(tmp_path: Path) -> None:
    (bare,) = load(rule_file(tmp_path, minimal()))
    (kept,) = load(rule_file(tmp_path, minimal(more="owner: x, runbook_url: 'http://y'")))
    assert kept.rule.version == bare.rule.version


# Order and blocks


def names(rules: RuleSet) -> list[str]:
    return [matched.rule.name for matched in rules]


def test_a_higher_priority_is_tried_first_and_equals_keep_their_order(tmp_path: Path) -> None:
    first = rule_file(
        tmp_path, minimal("a"), minimal("b", "priority: -1"), minimal("c", "priority: 10"), name="1.yml"
    )
    second = rule_file(tmp_path, minimal("d", "priority: 10"), minimal("e"), name="2.yml")
    rules = load(first, second)
    assert names(rules) == ["c", "d", "a", "e", "b"]
    found = rules.match({})
    assert found is not None
    assert found.rule.name == "c"


def test_the_priority_is_part_of_what_all_rules_mean_together(tmp_path: Path) -> None:
    before = load(rule_file(tmp_path, minimal("a"), minimal("b")))
    after = load(rule_file(tmp_path, minimal("a"), minimal("b", "priority: 1")))
    assert before.version != after.version
    assert before.find("b") == after.find("b")


BLOCKS = "match: [env=prod], any: [[alertname=Down, job=api], ['alertname=~\"Slow|Late\"']]"


@pytest.mark.parametrize(
    ("labels", "matches"),
    [
        ({"env": "prod", "alertname": "Down", "job": "api"}, True),
        ({"env": "prod", "alertname": "Slow"}, True),
        ({"env": "prod", "alertname": "Late", "job": "db"}, True),
        ({"env": "prod", "alertname": "Down", "job": "db"}, False),
        ({"env": "test", "alertname": "Slow"}, False),
        ({"env": "prod"}, False),
        ({}, False),
    ],
)
def test_one_block_must_hold_as_a_whole_and_so_must_match(
    tmp_path: Path, labels: dict[str, str], matches: bool
) -> None:
    (rule,) = rules = load(rule_file(tmp_path, minimal(more=BLOCKS)))
    assert (rules.match(labels) is not None) is matches
    assert (rule.failing(labels) is None) is matches


def test_blocks_need_no_match_beside_them(tmp_path: Path) -> None:
    rules = load(rule_file(tmp_path, "{name: r, any: [[a=1], [b=2]], steps: [restart: ]}"))
    assert [rules.match(labels) is not None for labels in ({"a": "1"}, {"b": "2"}, {"a": "2"})] == [
        True,
        True,
        False,
    ]


def block_version(folder: Path, blocks: str) -> str:
    (matched,) = load(rule_file(folder, minimal(more=f"any: {blocks}")))
    return matched.rule.version


def test_the_version_knows_the_blocks_but_not_their_order(tmp_path: Path) -> None:
    one = block_version(tmp_path, "[[a=1, b=2], [c=3]]")
    assert one == block_version(tmp_path, "[['c=3'], ['{b=2, a=1}']]")
    assert one != block_version(tmp_path, "[[a=1], [b=2, c=3]]")
    assert one != block_version(tmp_path, "[[a=1, b=2, c=3]]")


# The classification table

TABLE = """\
classification:
  - {match: ['severity="page"', 'env="prod"'], severity: P0, type: service-outage}
  - {match: ['severity="page"'], severity: P1}
groups: []
"""


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (
            {"severity": "page", "env": "prod"},
            Classification(severity=Severity.P0, type=IncidentType.SERVICE_OUTAGE),
        ),
        ({"severity": "page", "env": "test"}, Classification(severity=Severity.P1)),
        ({"severity": "critical"}, None),
        ({}, None),
    ],
)
def test_the_first_entry_that_matches_classifies(
    tmp_path: Path, labels: dict[str, str], says: Classification | None
) -> None:
    assert loaded(tmp_path, TABLE).classify(labels) == says


def test_the_table_goes_through_all_files_in_their_order(tmp_path: Path) -> None:
    for name, severity in (("b.yml", "P1"), ("a.yml", "P2")):
        (tmp_path / name).write_text(
            f"classification: [{{match: [a=b], severity: {severity}}}]\ngroups: []\n"
        )
    assert load(tmp_path).classify({"a": "b"}) == Classification(severity=Severity.P2)
    assert load(tmp_path / "b.yml", tmp_path).classify({"a": "b"}) == Classification(severity=Severity.P1)


def test_the_version_of_all_rules_is_that_of_the_table_too(tmp_path: Path) -> None:
    versions = {
        loaded(tmp_path, TABLE.replace(*change)).version
        for change in (("", ""), ("P1", "P2"), ("prod", "test"), ("service-outage", "data-issue"))
    }
    assert len(versions) == 4


# Conditions

CONDITIONS = """\
groups:
  - name: g
    rules:
      - name: r
        match: [a=b]
        service: robo-rlhf
        for: 10m
        when:
          active:
            - weekdays: ['monday:friday', Sunday]
              times: [{start_time: '09:00', end_time: '17:30'}, {start_time: '23:00', end_time: '24:00'}]
              location: Europe/Berlin
            - months: ['may:august', '12']
              days_of_month: ['1:5', '-3:-1', '28:-1']
              years: ['2026:2028', '2030']
          mute: [{weekdays: [saturday]}]
          alerts: 3
          promql: up{job="a"} == 0
        unless_open: [redis, wandb]
        steps: [restart: ]
"""


@pytest.mark.parametrize(("written", "services"), [("", None), ("unless_open: []", ())])
def test_no_service_to_wait_for_is_not_the_same_as_none_said(
    tmp_path: Path, written: str, services: tuple[str, ...] | None
) -> None:
    (matched,) = load(rule_file(tmp_path, minimal(more=written)))
    assert matched.rule.unless_open == services


def test_conditions_are_read(tmp_path: Path) -> None:
    rule = rule_of(loaded(tmp_path, CONDITIONS), "r")
    assert rule.firing_for == timedelta(minutes=10)
    assert rule.unless_open == ("redis", "wandb")
    assert rule.when == When(
        active=(
            Hours(weekdays=((1, 5), (0, 0)), times=((540, 1050), (1380, 1440)), location="Europe/Berlin"),
            Hours(
                months=((5, 8), (12, 12)),
                days_of_month=((1, 5), (-3, -1), (28, -1)),
                years=((2026, 2028), (2030, 2030)),
            ),
        ),
        mute=(Hours(weekdays=((6, 6),)),),
        alerts=3,
        promql='up{job="a"} == 0',
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("for: 10m", "for: 11m"),
        ("'09:00'", "'09:01'"),
        ("Berlin", "London"),
        ("[saturday]", "[sunday]"),
        ("alerts: 3", "alerts: 4"),
        ("== 0", "== 1"),
        ("[redis, wandb]", "[redis]"),
    ],
)
def test_conditions_are_part_of_what_a_rule_means(tmp_path: Path, before: str, after: str) -> None:
    assert before in CONDITIONS
    changed = loaded(tmp_path, CONDITIONS.replace(before, after))
    assert rule_of(changed, "r").version != rule_of(loaded(tmp_path, CONDITIONS), "r").version


def test_an_expression_needs_a_prometheus(tmp_path: Path) -> None:
    file = rule_file(tmp_path, minimal(more="when: {promql: up}"))
    assert len(load(file)) == 1
    with pytest.raises(
        InputError, match=r"rules.yml:4:70: there is no Prometheus to ask: `prometheus` is not in"
    ):
        load_rules([file], services=SERVICES, actions=ACTIONS, checks=CHECKS, prometheus=False)


# Templates in the parameters of steps


def stepping(tmp_path: Path, step: str) -> Path:
    return rule_file(tmp_path, minimal().replace("[restart: ]", f"[{step}]"))


@pytest.mark.parametrize(
    ("step", "params"),
    [
        (
            "{command: {name: flush, args: {level: '{{ labels.level }}'}}}",
            {"name": "flush", "args": {"level": "{{ labels.level }}"}},
        ),
        ("{restart: {timeout: '{{ labels.wait }}'}}", {"timeout": "{{ labels.wait }}"}),
        ("{scale: {replicas: '{{ labels.n }}'}}", {"replicas": "{{ labels.n }}"}),
    ],
)
def test_parameters_of_steps_keep_their_templates(
    tmp_path: Path, step: str, params: dict[str, object]
) -> None:
    (one,) = load(stepping(tmp_path, step)).rules[0].rule.steps
    assert one.params == params
    written = yaml.safe_load(stepping(tmp_path, step).read_text())
    jsonschema.validate(written, rules_schema(ACTIONS, CHECKS))


def test_a_template_is_part_of_what_a_rule_means(tmp_path: Path) -> None:
    versions = {
        load(stepping(tmp_path, f"{{restart: {{timeout: '{text}'}}}}")).rules[0].rule.version
        for text in ("{{ labels.a }}", "{{ labels.b }}", "10s")
    }
    assert len(versions) == 3


# The schema


def test_the_schema_accepts_all_this(tmp_path: Path) -> None:
    schema = rules_schema(ACTIONS, CHECKS)
    jsonschema.validate(yaml.safe_load(GROUPED), schema)
    jsonschema.validate(yaml.safe_load(TABLE), schema)
    jsonschema.validate(yaml.safe_load(CONDITIONS), schema)
    more = f"priority: 5, owner: x, runbook_url: 'http://y', {BLOCKS}"
    jsonschema.validate(yaml.safe_load(rule_file(tmp_path, minimal(more=more)).read_text()), schema)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: 1", "version: 2"),
        ("owner: alice", "keeper: alice"),
        ("triage: [containers]", "steps: [restart]"),
        ("mode: auto", "priority: 2000"),
        ("mode: auto", "any: []"),
    ],
)
def test_the_schema_refuses_what_is_not_so(before: str, after: str) -> None:
    assert before in GROUPED
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(GROUPED.replace(before, after)), rules_schema(ACTIONS, CHECKS))
