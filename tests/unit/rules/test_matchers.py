"""Matchers mean what they mean in Alertmanager. The cases were held against amtool 0.28."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.rules.matchers import Matcher, MatcherError, Operator, parse_matchers


def told(text: str) -> list[str]:
    return [str(matcher) for matcher in parse_matchers(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", ['a="b"']),
        ("a != b", ['a!="b"']),
        ('a=~"b.*"', ['a=~"b.*"']),
        ("a!~b", ['a!~"b"']),
        ('{a="b"}', ['a="b"']),
        ('{a="b", c="d",}', ['a="b"', 'c="d"']),
        ('a="b",c="d"', ['a="b"', 'c="d"']),
        ("{}", []),
        ('"a b"="c"', ['"a b"="c"']),
        ("ö=ä", ['"ö"="ä"']),
        ('a="b,c"', ['a="b,c"']),
        ('a="b\\"c"', ['a="b\\"c"']),
        ('a="b\\nc"', ['a="b\\nc"']),
        ('a="\\u00e9"', ['a="\\\\u00e9"']),  # both grammars take it, and the older one's reading holds
        ('"a b"="\\u00e9"', ['"a b"="é"']),  # only the newer one takes it
        # Only the older grammar takes these.
        ("a=", ['a=""']),
        ("a=b c", ['a="b c"']),
        ("a==b", ['a="=b"']),
        ('a=~"b\\d"', ['a=~"b\\\\d"']),
        ("{a=b", ['a="b"']),
        ("a=b}", ['a="b"']),
        ("a=[x]{2}", ['a="[x]{2"']),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, expected: list[str]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a", 2),
        ("=b", 1),
        ("a~b", 2),
        ('a="b', 3),
        ('a="b" c="d"', 7),
        ('{a="b"} c', 9),
        ("a=~(", 4),
        ('a=~"b(?=c)"', 4),
        ("'a'=b", 1),
        ('"a b"="c\nd"', 7),
    ],
)
def test_what_alertmanager_refuses_is_refused_at_its_column(text: str, column: int) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "labels", "holds"),
    [
        ("a=b", {"a": "b"}, True),
        ("a=b", {"a": "c"}, False),
        ("a=b", {}, False),
        ('a=""', {}, True),
        ('a!=""', {}, False),
        ("a!=b", {}, True),
        ('a=~"b.*"', {"a": "bcd"}, True),
        ('a=~"b"', {"a": "abc"}, False),  # anchored
        ('a=~"b|cd"', {"a": "cd"}, True),  # as a whole, not only its first branch
        ('a=~".*"', {}, True),
        ('a=~".+"', {}, False),
        ('a!~"b.*"', {"a": "bcd"}, False),
        ('a!~"b.*"', {}, True),
        ('a=~"b.c"', {"a": "b\nc"}, False),
        ('a=~"b\\\\Sc"', {"a": "béc"}, True),
        ('a=~"(?i)B"', {"a": "b"}, True),
        ('a="b$(rm)"', {"a": "b$(rm)"}, True),
    ],
)
def test_a_matcher_holds_or_not(text: str, labels: dict[str, str], holds: bool) -> None:
    (matcher,) = parse_matchers(text)
    assert matcher.matches(labels) is holds


def test_a_regular_expression_takes_linear_time() -> None:
    (matcher,) = parse_matchers('a=~"(x+x+)+y"')
    assert not matcher.matches({"a": "x" * 65_536})


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_matchers(text)
    except MatcherError as error:
        assert 1 <= error.column <= len(text) + 1
        assert error.message


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
def test_a_matcher_written_out_reads_back(name: str, operator: Operator, value: str) -> None:
    matcher = Matcher(name, operator, value)
    assert parse_matchers(str(matcher)) == (matcher,)
