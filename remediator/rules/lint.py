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
from remediator.model.service import Service, all_needed
from remediator.model.words import Mode, Severity
from remediator.reading.problems import Problem
from remediator.rules.index import Alternatives, Index, beginning, only_values
from remediator.rules.matchers import Matcher, Operator
from remediator.rules.ruleset import Class, MatchedRule, RuleSet

_NOT = {
    Operator.EQUAL: Operator.NOT_EQUAL,
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.REGEX: Operator.NOT_REGEX,
    Operator.NOT_REGEX: Operator.REGEX,
}
_Values = Mapping[str, Sequence[str]]
"""For some labels the only values that they can have; empty text stands for a label that is missing."""


def lint(
    rules: RuleSet,
    *,
    modes: Mapping[Severity, Mode],
    reconcile_interval: timedelta,
    services: Mapping[str, Service] | None = None,
) -> list[Problem]:
    """The findings in the order of the rules, each at its rule, and then those of the classification table.

    `modes` is the strictest mode that the configuration sets for each severity, `reconcile_interval` how
    often Alertmanager is asked for all alerts, `services` the catalogue.
    """
    found: list[Problem] = []
    wide = _Wide([matched.alternatives for matched in rules])
    for number, matched in enumerate(rules):
        messages = list(_contradictions(matched))
        if not messages:
            messages += _shadows(rules, wide, number)
        messages += _deadlocks(matched.rule, services or {})
        messages += _unasked(matched.rule, modes)
        messages += _hasty(matched.rule, reconcile_interval)
        found += (_at(matched.rule, message) for message in messages)
    return [*found, *_of_table(rules.table)]


def _at(rule: Rule, message: str) -> Problem:
    return _problem(rule.source, f"rule `{rule.name}` {message}")


def _problem(source: str, message: str) -> Problem:
    file, _, line = source.rpartition(":")
    return Problem(file=file, line=int(line), message=message)


def _of_table(table: Sequence[Class]) -> Iterator[Problem]:
    """Entries of the classification table that say nothing of any alert."""
    wide = _Wide([(entry.matchers,) for entry in table])
    for number, entry in enumerate(table):
        if contradiction := _contradiction(entry.matchers):
            message = f"this entry can never match: no value fulfils {contradiction}"
            yield _problem(entry.source, message)
        elif (early := wide.covering(number)) is not None:
            first = f"the one in {table[early].source} comes first and matches all the same alerts"
            yield _problem(entry.source, f"this entry is never used: {first}")


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
    """Finds the first of several that matches all that another one matches."""

    def __init__(self, all_of_them: Sequence[Alternatives]) -> None:
        self._all = all_of_them
        self._index = Index(all_of_them)
        self._always: list[int] = []
        self._same: dict[Matcher, list[int]] = {}
        self._label: dict[str, list[int]] = {}
        for number in self._index.rest:
            for matchers in all_of_them[number]:
                if matchers:
                    self._same.setdefault(matchers[0], []).append(number)
                    self._label.setdefault(matchers[0].name, []).append(number)
                else:
                    self._always.append(number)

    def covering(self, number: int) -> int | None:
        """The first one before this one that matches all that this one matches, as far as can be seen."""
        narrow = [
            (matchers, _possible(matchers))
            for matchers in self._all[number]
            if _contradiction(matchers) is None
        ]
        # What matches all that this one matches also matches all that its first block matches.
        for candidate in takewhile(lambda candidate: candidate < number, self._candidates(*narrow[0])):
            if all(any(_implied(wide, *late) for wide in self._all[candidate]) for late in narrow):
                return candidate
        return None

    def _candidates(self, narrow: Sequence[Matcher], possible: _Values) -> Iterator[int]:
        """Those, in their order, of which a block may be implied by `narrow`; see `_implied`."""
        some = {matcher.name: begin for matcher in narrow if (begin := beginning(matcher))}
        some |= {name: values[0] for name, values in possible.items()}
        found = [self._always, *self._index.filed(some)]
        found += (self._same.get(matcher, []) for matcher in narrow)
        found += (self._label.get(name, []) for name in possible)
        return merge(*found)


def _shadows(rules: RuleSet, wide: _Wide, number: int) -> Iterator[str]:
    """The first rule before this one that matches whatever this one matches."""
    early = wide.covering(number)
    if early is not None:
        rule = rules.rules[early].rule
        yield f"is never used: rule `{rule.name}` ({rule.source}) comes first and matches all the same alerts"


def _deadlocks(rule: Rule, services: Mapping[str, Service]) -> Iterator[str]:
    """Services that the rule waits for, and whose rules by default wait for those of the rule's own."""
    for name in rule.unless_open or ():
        if rule.service is not None and rule.service in all_needed(name, services):
            yield (
                f"waits for the incidents of `{name}`, which depends on `{rule.service}` and by default "
                "waits for those of that: while both have one, neither is acted on"
            )


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
