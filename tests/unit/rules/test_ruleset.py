from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.model.rule import Rule, Step
from remediator.rules.matchers import parse_matchers
from remediator.rules.ruleset import MatchedRule, RuleSet
from tests.unit.rules.given import load, minimal, rule_file


def matched(name: str, match: str, version: str = "1") -> MatchedRule:
    rule = Rule(name=name, group="g", version=version, source="f:1", steps=(Step(action="restart"),))
    return MatchedRule(rule, parse_matchers(match))


def found(rules: RuleSet, **labels: str) -> str | None:
    match = rules.match(labels)
    return match.rule.name if match else None


def test_the_first_rule_that_matches_is_used() -> None:
    rules = RuleSet(
        [
            matched("only-prod", 'alertname="Down",env="prod"'),
            matched("any-name", 'team="core"'),
            matched("down", 'alertname="Down"'),
            matched("rest", ""),
        ]
    )
    assert found(rules, alertname="Down", env="prod", team="core") == "only-prod"
    assert found(rules, alertname="Down", team="core") == "any-name"
    assert found(rules, alertname="Down") == "down"
    assert found(rules, alertname="Slow") == "rest"
    assert found(rules) == "rest"


def test_no_rule_may_match() -> None:
    assert RuleSet().match({"alertname": "Down"}) is None
    assert RuleSet([matched("a", 'alertname="Down"')]).match({"alertname": "Slow"}) is None


MATCHES = [
    'alertname="A"',
    'alertname="B"',
    'alertname=""',
    'alertname!="A"',
    'alertname=~"A|B"',
    'alertname="A",alertname="B"',
    'alertname="A",x="1"',
    'alertname="B",x!="1"',
    'x="1"',
    'x=~".+"',
]
LABELS = st.fixed_dictionaries(
    {}, optional={"alertname": st.sampled_from(["", "A", "B", "C"]), "x": st.sampled_from(["", "1", "2"])}
)


@given(st.lists(st.sampled_from(MATCHES), max_size=8), LABELS)
def test_the_index_finds_what_trying_each_rule_in_turn_finds(
    matches: list[str], labels: dict[str, str]
) -> None:
    rules = RuleSet(matched(f"r{number}", match) for number, match in enumerate(matches))
    expected = next((m.rule.name for m in rules if all(c.matches(labels) for c in m.matchers)), None)
    assert found(rules, **labels) == expected


def test_a_rule_tells_which_of_its_conditions_fails() -> None:
    rule = matched("r", 'a="1",b="2",c="3"')
    assert str(rule.failing({"a": "1", "c": "0"})) == 'b="2"'
    assert rule.failing({"a": "1", "b": "2", "c": "3"}) is None


def test_a_rule_is_found_by_its_name() -> None:
    rules = RuleSet([matched("a", "x=1"), matched("b", "x=2")])
    assert rules.find("b") is rules.rules[1].rule
    assert rules.find("c") is None


def test_two_rules_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="share a name"):
        RuleSet([matched("a", "x=1"), matched("a", "x=2")])


def test_the_version_is_that_of_all_rules_and_their_order() -> None:
    a, b = matched("a", "x=1"), matched("b", "x=2")
    assert RuleSet([a, b]).version == RuleSet([a, b]).version
    versions = {
        RuleSet(rules).version
        for rules in ([], [a], [b], [a, b], [b, a], [matched("a", "x=1", version="2"), b])
    }
    assert len(versions) == 6


def test_the_same_rules_in_other_files_are_the_same_version(tmp_path: Path) -> None:
    one = load(rule_file(tmp_path, minimal("a"), minimal("b"), name="one.yml"))
    two = load(
        rule_file(tmp_path, minimal("a"), name="a.yml"),
        rule_file(tmp_path, minimal("b"), name="b.yml"),
    )
    assert one.version == two.version
