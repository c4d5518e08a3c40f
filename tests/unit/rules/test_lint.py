from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.model.rule import Classification, Rule, Step, VerifySpec
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Mode, Severity
from remediator.rules.lint import lint
from remediator.rules.matchers import parse_matchers
from remediator.rules.ruleset import Class, MatchedRule, RuleSet


def rule(
    name: str, match: str, *blocks: str, severity: Severity | None = None, within: int = 60
) -> MatchedRule:
    step = Step(action="restart", verify=VerifySpec(resolved_within=timedelta(seconds=within)))
    source = f"f.yml:{ord(name[0]) - ord('a') + 1}"
    written = Rule(name=name, group="g", version="1", source=source, severity=severity, steps=(step,))
    return MatchedRule(written, parse_matchers(match), tuple(map(parse_matchers, blocks)))


def found(*rules: MatchedRule, p0: Mode = Mode.APPROVE) -> list[str]:
    problems = lint(RuleSet(rules), modes={Severity.P0: p0}, reconcile_interval=timedelta(seconds=30))
    return [f"{problem.place}: {problem.message}" for problem in problems]


SHADOWED = [
    ("", 'a="1"'),
    ('a="1"', 'a="1"'),
    ('a="1"', 'b="2",a="1"'),
    ('a=~"1|2"', 'a="1"'),
    ('a=~"1.*"', 'a="12",b="1"'),
    ('a!="2"', 'a="1"'),
    ('a!~"2.*"', 'a="1"'),
    ('a=~"1|2|3"', 'a=~"3|1"'),
    ('a=~"x.*"', 'a=~"x.*",b="1"'),
    ('a=~"1|2"', 'a=~"1|2"'),
    ('a=~"1|2"', 'a=~"2|1",a!="1"'),
    ('a=""', 'a="",b="1"'),
    ('a=~".*"', 'a=""'),
]


@pytest.mark.parametrize(("wide", "narrow"), SHADOWED)
def test_a_rule_that_gets_nothing_because_another_comes_first_is_told(wide: str, narrow: str) -> None:
    assert found(rule("a", wide), rule("b", narrow)) == [
        "f.yml:2: rule `b` is never used: rule `a` (f.yml:1) comes first and matches all the same alerts"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('a="1",b="1"', 'a="1"'),
        ('a="1"', 'a="2"'),
        ('a="1"', 'a=~"1|2"'),
        ('a="1"', 'a!="2"'),
        ('a=~"1|2"', 'a=~"1|3"'),
        ('a=~"x.+"', 'a=~"x.*"'),
        ('a="1"', ""),
        ('a=~".+"', 'b="1"'),
        ('a=""', 'b="1"'),
    ],
)
def test_of_rules_that_only_overlap_nothing_is_told(first: str, second: str) -> None:
    assert found(rule("a", first), rule("b", second)) == []


def test_blocks_are_shadowed_only_if_each_of_them_is() -> None:
    first = rule("a", 'x="1"', 'a="1"', 'b=~"1|2"')
    assert found(first, rule("b", 'x="1"', 'b="2"', 'a="1",c="3"'))
    assert not found(first, rule("b", 'x="1"', 'b="2"', 'c="3"'))
    assert found(first, rule("b", 'x="1",b="1"'))
    assert not found(rule("c", 'x="1",b="1"'), first)


def test_the_first_of_several_is_named_and_order_counts() -> None:
    rules = [rule("a", 'a="1"'), rule("b", 'a=~"1|2"'), rule("c", 'a="1",b="1"')]
    assert [line.split("(")[1][:7] for line in found(*rules)] == ["f.yml:1"]
    assert found(rule("a", 'a="1",b="1"'), rule("b", 'a="1"')) == []


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ('a="1",a="2"', 'a="1" and a="2"'),
        ('a="1",b="1",a!="1"', 'a="1" and a!="1"'),
        ('a=~"x.*",a!~"x.*"', 'a=~"x.*" and a!~"x.*"'),
        ('a="1",a=~"2.*"', 'a="1" and a=~"2.*"'),
        ('a=~"1|2",a=~"3|4"', 'a=~"1|2" and a=~"3|4"'),
        ('a=~"1|2",a!="1",a!="2"', 'a=~"1|2" and a!="1" and a!="2"'),
        ('a="",a=~".+"', 'a="" and a=~".+"'),
    ],
)
def test_matchers_that_exclude_each_other_are_told(match: str, told: str) -> None:
    assert found(rule("a", match)) == [f"f.yml:1: rule `a` can never match: no value fulfils {told}"]


def test_a_block_that_can_never_match_is_told() -> None:
    assert found(rule("a", 'a="1"', 'b="1"', 'a="2"')) == [
        'f.yml:1: rule `a` can never match by block 2 of `any`: no value fulfils a="1" and a="2"'
    ]
    assert found(rule("a", 'a="1"', 'a!="1"', 'a="2"')) == [
        'f.yml:1: rule `a` can never match: no value fulfils a="1" and a!="1"'
    ]


def test_a_p0_rule_is_told_if_nobody_is_asked() -> None:
    p0 = rule("a", 'a="1"', severity=Severity.P0)
    assert found(p0) == []
    assert found(p0, p0=Mode.AUTO) == [
        "f.yml:1: rule `a` acts on P0 incidents without anybody's approval: "
        "its mode and that of P0 are both `auto`"
    ]
    assert found(rule("a", 'a="1"', severity=Severity.P1), p0=Mode.AUTO) == []


def test_a_step_with_too_little_time_to_help_is_told() -> None:
    assert found(rule("a", 'a="1"', within=30)) == []
    assert found(rule("a", 'a="1"', within=29)) == [
        "f.yml:1: rule `a` gives step 1 only 29s to help: `resolved_within` "
        "is shorter than the `reconcile_interval` of 30s"
    ]


def classes(*matchers: str) -> list[str]:
    says = Classification(severity=Severity.P2)
    table = [Class(parse_matchers(text), says, f"f.yml:{line}") for line, text in enumerate(matchers, 1)]
    problems = lint(RuleSet((), table), modes={}, reconcile_interval=timedelta(0))
    return [str(problem) for problem in problems]


def test_an_entry_of_the_table_that_says_nothing_is_told() -> None:
    assert classes('a="1"', 'b="1"', 'a=~"1|2"', 'b="2"') == []
    assert classes('a=~"1|2"', 'b="1"', 'b="1",a="2"', 'a="1",a="3"') == [
        "f.yml:3: this entry is never used: the one in f.yml:1 comes first and matches all the same alerts",
        'f.yml:4: this entry can never match: no value fulfils a="1" and a="3"',
    ]


def test_rules_that_would_wait_for_each_other_are_told() -> None:
    none = Target(kind=TargetKind.NONE)
    catalogue = {
        name: Service(name=name, target=none, depends_on=needed)
        for name, needed in {"app": ("cache",), "cache": ("db",), "db": (), "mail": ()}.items()
    }
    waiting = rule("a", 'a="1"')
    for service, unless_open, told in (
        ("db", ("mail", "app"), True),
        ("app", ("db",), False),
        (None, ("app",), False),
    ):
        written = replace(waiting.rule, service=service, unless_open=unless_open)
        found = lint(
            RuleSet([replace(waiting, rule=written)]),
            modes={Severity.P0: Mode.APPROVE},
            reconcile_interval=timedelta(0),
            services=catalogue,
        )
        assert [str(problem) for problem in found] == [
            "f.yml:1: rule `a` waits for the incidents of `app`, which depends on `db` and by default waits "
            "for those of that: while both have one, neither is acted on"
        ] * told


VALUES = ["", "1", "2", "12"]
OF_ALL = {"=": VALUES, "!=": VALUES, "=~": ["1|2", "1.*", ".+", "2"], "!~": ["1|2", ".+", "1.*"]}
MATCHERS = [
    f'{name}{operator}"{value}"' for name in "ab" for operator, values in OF_ALL.items() for value in values
]
TEXTS = st.lists(st.sampled_from(MATCHERS), max_size=3).map(",".join)


@given(st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=2)), min_size=1, max_size=3))
def test_a_rule_that_is_said_to_get_nothing_gets_nothing(rules: list[tuple[str, list[str]]]) -> None:
    ruleset = RuleSet(rule(name, match, *blocks) for name, (match, blocks) in zip("abc", rules, strict=False))
    problems = lint(ruleset, modes={Severity.P0: Mode.AUTO}, reconcile_interval=timedelta(0))
    unused = {p.message.split("`")[1] for p in problems if "by block" not in p.message}
    for a in VALUES:
        for b in VALUES:
            used = ruleset.match({"a": a, "b": b})
            assert used is None or used.rule.name not in unused
