"""Which matchers keep a rule from matching, and which rules come nearest."""

from dataclasses import replace

from remediator.rules.matchers import parse_matchers
from remediator.rules.nearest import look_at_rules
from remediator.rules.ruleset import MatchedRule, RuleSet
from tests.unit.rules.test_ruleset import matched as plain


def matched(name: str, match: str, *blocks: str) -> MatchedRule:
    return replace(plain(name, match), blocks=tuple(map(parse_matchers, blocks)))


RULES = RuleSet(
    [
        matched("far", 'a="x", b="x", c="x"'),
        matched("near", 'a="1", b="2", c=~"x|y"'),
        matched("plain", 'a="1"'),
        matched("short", 'c="x"'),
        matched("blocks", 'a="1"', 'b="x", c="x"', 'b="2", d!=""'),
        matched("later", 'b=~"2|3"'),
    ]
)
LABELS = {"a": "1", "b": "2", "c": ""}


def test_all_that_match_are_told_in_their_order() -> None:
    assert [look.name for look in look_at_rules(RULES, LABELS, 0).matched] == ["plain", "later"]


def test_the_nearest_fail_by_the_fewest_matchers_and_fulfil_the_most() -> None:
    look = look_at_rules(RULES, LABELS, None)
    assert [(one.name, one.fulfilled, len(one.unmet)) for one in look.missed] == [
        ("near", 2, 1),
        ("blocks", 2, 1),
        ("short", 0, 1),
        ("far", 0, 3),
    ]


def test_what_fails_is_told_with_what_the_label_holds() -> None:
    far = look_at_rules(RULES, {"a": "1", "c": ""}, None)
    values = {one.name: [(u.matcher, u.value) for u in one.unmet] for one in far.missed}
    assert values["far"] == [('a="x"', "1"), ('b="x"', None), ('c="x"', "")]


def test_only_the_nearest_are_told_and_all_are_counted() -> None:
    look = look_at_rules(RULES, LABELS, 1)
    assert ([one.name for one in look.missed], look.missed_total, look.total) == (["near"], 4, 6)
