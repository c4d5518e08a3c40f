from hypothesis import given
from hypothesis import strategies as st

from remediator.rules.index import MAX_WORDS, Index
from remediator.rules.matchers import Matcher, parse_matchers


def index(*rules: str) -> Index:
    """Rules of one list of matchers each."""
    return Index([[parse_matchers(rule)] for rule in rules])


def test_a_rule_is_a_candidate_only_for_alerts_with_a_value_that_it_demands() -> None:
    rules = index('alertname="A"', 'job="api"', 'alertname=~"A|B"', 'x=~"[A].*"', 'x!="1"', 'x=""')
    assert list(rules.candidates({"alertname": "A", "job": "api"})) == [0, 1, 2, 3, 4, 5]
    assert list(rules.candidates({"alertname": "B"})) == [2, 3, 4, 5]
    assert list(rules.candidates({})) == [3, 4, 5]


def test_a_rule_is_filed_under_what_the_fewest_share() -> None:
    rules = index(*(f'alertname="Down",service="s{number}"' for number in range(100)))
    assert list(rules.candidates({"alertname": "Down", "service": "s7"})) == [7]
    assert list(rules.candidates({"alertname": "Down"})) == []


def test_a_rule_with_several_blocks_is_filed_under_each() -> None:
    blocks = [parse_matchers('a="1",b="1"'), parse_matchers('a="2"')]
    rules = Index([blocks, [*blocks, parse_matchers('c!="1"')]])
    assert list(rules.candidates({"a": "2"})) == [0, 1]
    assert list(rules.candidates({"a": "3"})) == [1]


def test_how_a_value_must_begin_counts_too() -> None:
    rules = index('a=~"app-1.*"', 'a=~"app-12?"', 'a=~"app-2(x|y)"', 'a=~"app.+|db.+"', 'a=~"ap{2}-9"')
    assert list(rules.candidates({"a": "app-1"})) == [0, 1, 2, 3, 4]  # into a choice it does not look
    assert list(rules.candidates({"a": "app-3"})) == [2, 3, 4]
    assert list(rules.candidates({"a": "x"})) == [2, 3]


def test_a_choice_of_very_many_words_is_looked_at_for_every_alert() -> None:
    rules = index(f'a=~"{"|".join(map(str, range(MAX_WORDS + 1)))}"')
    assert list(rules.candidates({})) == [0]


MATCHERS = [
    *('a="1"', 'a="2"', 'a=""', 'a!="1"', 'a=~"1|2"', 'a=~"|1"', 'a=~"1|1"', 'a=~"[12]"', 'a!~"1|2"'),
    *('a=~"é|1"', 'a=~"1.*"', 'a=~"12?"', 'a=~"1{0}2"', 'a=~"1*"', 'a=~"é(x)?"', 'a!~"1.*"', 'a=~"12+"'),
    *('b="1"', 'b=~"1 |2"', 'b=~"(?i)x"', 'b=~"x"', 'b=~".*"', 'b=~"2|.+"', 'b=~"x.|"', 'b=~"x.?"'),
]
VALUES = st.sampled_from(["", "1", "2", "12", "1 ", "é", "éx", "x", "X", "xy"])
ALTERNATIVES = st.lists(
    st.lists(st.sampled_from(MATCHERS), max_size=3).map(lambda texts: [parse_matchers(t)[0] for t in texts]),
    min_size=1,
    max_size=3,
)


@given(st.lists(ALTERNATIVES, max_size=8), st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES}))
def test_no_rule_that_matches_is_left_out(rules: list[list[list[Matcher]]], labels: dict[str, str]) -> None:
    candidates = list(Index(rules).candidates(labels))
    assert candidates == sorted(candidates)
    matching = {
        number
        for number, alternatives in enumerate(rules)
        if any(all(m.matches(labels) for m in matchers) for matchers in alternatives)
    }
    assert matching <= set(candidates)
