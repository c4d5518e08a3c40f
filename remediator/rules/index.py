"""Which rules can match an alert at all, found by its labels, so that a match costs the same among 10,000.

Most rules demand one exact value of some label, or one of a few (`job=~"api|worker"`). Each is filed under
those of its demands that the fewest rules share; rules without any are looked at for every alert.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge

from remediator.rules.matchers import Matcher, Operator

Alternatives = Sequence[Sequence[Matcher]]
"""All matchers of at least one of these must hold."""
_Pair = tuple[str, str]

_WORDS = re.compile(r"[\w :/@-]+(?:\|[\w :/@-]+)*")
"""A regular expression that is only a choice of plain words."""
MAX_WORDS = 32
"""With more of them a matcher is as good as one that demands nothing."""


class Index:
    """Numbers of rules by the labels that they demand. Never changes."""

    def __init__(self, rules: Iterable[Alternatives]) -> None:
        demands = [[_demands(matchers) for matchers in alternatives] for alternatives in rules]
        shared = Counter(pair for rule in demands for found in rule for pairs in found for pair in pairs)
        self._filed: dict[str, dict[str, list[int]]] = {}
        self._rest: list[int] = []
        for number, rule in enumerate(demands):
            if not all(rule):
                self._rest.append(number)
                continue
            rarest = (min(found, key=lambda pairs: sum(map(shared.__getitem__, pairs))) for found in rule)
            for name, value in {pair for pairs in rarest for pair in pairs}:
                self._filed.setdefault(name, {}).setdefault(value, []).append(number)

    def candidates(self, labels: Mapping[str, str]) -> Iterator[int]:
        """The rules that could match these labels, in their order; one may come more than once."""
        found = [filed[labels[name]] for name, filed in self._filed.items() if labels.get(name) in filed]
        return merge(*found, self._rest) if found else iter(self._rest)


def _demands(matchers: Iterable[Matcher]) -> list[list[_Pair]]:
    """For each matcher that only a few values of its label fulfil: the label with each of them."""
    values = ((matcher.name, only_values(matcher)) for matcher in matchers)
    return [[(name, value) for value in found] for name, found in values if found]


def only_values(matcher: Matcher) -> list[str]:
    """The only values that fulfil the matcher; none if there may be others, or a missing label fulfils it."""
    if matcher.operator is Operator.EQUAL and matcher.value:
        return [matcher.value]
    if matcher.operator is Operator.REGEX and _WORDS.fullmatch(matcher.value):
        words = list(dict.fromkeys(matcher.value.split("|")))
        return words if len(words) <= MAX_WORDS else []
    return []
