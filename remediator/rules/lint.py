"""What is allowed in rule files, but can hardly be meant: told as warnings, beside the mistakes.

Only what can be proven is told: a rule that is said to be never used really gets no alert. Of others that
overlap nothing is said.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from heapq import merge
from itertools import takewhile

from remediator.model.duration import format_duration
from remediator.model.rule import Rule
from remediator.model.words import Mode, Severity
from remediator.reading.problems import Problem
from remediator.rules.index import Index, beginning, only_values
from remediator.rules.matchers import Matcher, Operator
from remediator.rules.ruleset import MatchedRule, RuleSet

_NOT = {
    Operator.EQUAL: Operator.NOT_EQUAL,
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.REGEX: Operator.NOT_REGEX,
    Operator.NOT_REGEX: Operator.REGEX,
}
_Values = Mapping[str, Sequence[str]]
"""For some labels the only values that they can have; empty text stands for a label that is missing."""


def lint(rules: RuleSet, *, modes: Mapping[Severity, Mode], reconcile_interval: timedelta) -> list[Problem]:
    """The findings in the order of the rules, each at its rule.

    `modes` is the strictest mode that the configuration sets for each severity, `reconcile_interval` how
    often Alertmanager is asked for all alerts.
    """
    found: list[Problem] = []
    wide = _Wide(rules)
    for number, matched in enumerate(rules):
        messages = list(_contradictions(matched))
        if not messages:
            messages += _shadows(rules, wide, number)
        messages += _unasked(matched.rule, modes)
        messages += _hasty(matched.rule, reconcile_interval)
        found += (_at(matched.rule, message) for message in messages)
    return found


def _at(rule: Rule, message: str) -> Problem:
    file, _, line = rule.source.rpartition(":")
    return Problem(file=file, line=int(line), message=f"rule `{rule.name}` {message}")


def _contradictions(matched: MatchedRule) -> Iterator[str]:
    """Matchers of one label of which one must fail, whatever its value."""
    found = [_contradiction(matchers) for matchers in matched.alternatives]
    if all(found):
        yield f"can never match: no value fulfils {found[0]}"
        return
    for number, contradiction in enumerate(found, 1):
        if contradiction:
            yield f"can never match by block {number} of `any`: no value fulfils {contradiction}"


def _contradiction(matchers: Sequence[Matcher]) -> str | None:
    """The matchers that contradict each other, as far as that can be seen."""
    impossible = {name for name, values in _possible(matchers).items() if not values}
    denied = {(matcher.name, _NOT[matcher.operator], matcher.value) for matcher in matchers}
    impossible |= {m.name for m in matchers if (m.name, m.operator, m.value) in denied}
    for name in (matcher.name for matcher in matchers if matcher.name in impossible):
        return " and ".join(str(matcher) for matcher in matchers if matcher.name == name)
    return None


def _possible(matchers: Iterable[Matcher]) -> _Values:
    """The values of each label of which the matchers leave only a few."""
    matchers = list(matchers)
    found: dict[str, Sequence[str]] = {}
    for matcher in matchers:
        values = [""] if matcher.operator is Operator.EQUAL and not matcher.value else only_values(matcher)
        if values and matcher.name not in found:
            same = [other for other in matchers if other.name == matcher.name]
            found[matcher.name] = [
                value for value in values if all(other.matches({matcher.name: value}) for other in same)
            ]
    return found


class _Wide:
    """Finds the rules that may match all that others match."""

    def __init__(self, rules: RuleSet) -> None:
        self._index = Index(matched.alternatives for matched in rules)
        self._always: list[int] = []
        self._same: dict[Matcher, list[int]] = {}
        self._label: dict[str, list[int]] = {}
        for number in self._index.rest:
            for matchers in rules.rules[number].alternatives:
                if matchers:
                    self._same.setdefault(matchers[0], []).append(number)
                    self._label.setdefault(matchers[0].name, []).append(number)
                else:
                    self._always.append(number)

    def candidates(self, narrow: Sequence[Matcher], possible: _Values) -> Iterator[int]:
        """The rules in their order of which a block may be implied by `narrow`; see `_implied`."""
        some = {matcher.name: begin for matcher in narrow if (begin := beginning(matcher))}
        some |= {name: values[0] for name, values in possible.items()}
        found = [self._always, *self._index.filed(some)]
        found += (self._same.get(matcher, []) for matcher in narrow)
        found += (self._label.get(name, []) for name in possible)
        return merge(*found)


def _shadows(rules: RuleSet, index: _Wide, number: int) -> Iterator[str]:
    """The first rule before this one that matches whatever this one matches."""
    narrow = [
        (matchers, _possible(matchers))
        for matchers in rules.rules[number].alternatives
        if _contradiction(matchers) is None
    ]
    # What matches all that this rule matches also matches all that its first block matches.
    for candidate in takewhile(lambda candidate: candidate < number, index.candidates(*narrow[0])):
        early = rules.rules[candidate]
        if all(any(_implied(wide, *late) for wide in early.alternatives) for late in narrow):
            yield (
                f"is never used: rule `{early.rule.name}` ({early.rule.source}) comes first "
                "and matches all the same alerts"
            )
            return


def _implied(wide: Iterable[Matcher], narrow: Sequence[Matcher], possible: _Values) -> bool:
    """Whether labels that fulfil all of `narrow` fulfil all of `wide`, as far as that can be seen."""
    return all(
        matcher in narrow
        or (
            matcher.name in possible
            and all(matcher.matches({matcher.name: value}) for value in possible[matcher.name])
        )
        for matcher in wide
    )


def _unasked(rule: Rule, modes: Mapping[Severity, Mode]) -> Iterator[str]:
    if rule.severity is Severity.P0 and Mode.AUTO is rule.mode is modes[Severity.P0]:
        yield "acts on P0 incidents without anybody's approval: its mode and that of P0 are both `auto`"


def _hasty(rule: Rule, reconcile_interval: timedelta) -> Iterator[str]:
    for number, step in enumerate(rule.steps, 1):
        within = step.verify.resolved_within
        if within < reconcile_interval:
            yield (
                f"gives step {number} only {format_duration(within)} to help: `resolved_within` "
                f"is shorter than the `reconcile_interval` of {format_duration(reconcile_interval)}"
            )
