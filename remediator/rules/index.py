"""Which rules can match an alert at all, found by its labels, so that a match costs the same among 10,000.

Most rules demand one exact value of some label, one of a few (`job=~"api|worker"`), or one that begins in
some way (`job=~"api-.*"`). Each is filed under those of its demands that the fewest rules share; rules
without any are looked at for every alert.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge

from remediator.rules.matchers import Matcher, Operator

Alternatives = Sequence[Sequence[Matcher]]
"""All matchers of at least one of these must hold."""
_Key = tuple[str, int, str]
"""A label, how many characters of its value count (0: all), and what they are."""

_PLAIN = r"[\w :/@-]"
_WORDS = re.compile(rf"{_PLAIN}+(?:\|{_PLAIN}+)*")
"""A regular expression that is only a choice of plain words."""
MAX_WORDS = 32
"""With more of them a matcher is as good as one that demands nothing."""
_BEGIN = re.compile(rf"{_PLAIN}{{1,32}}(?![*+?{{])")
"""What begins every value that a regular expression matches, if there is no choice in it."""


class Index:
    """Numbers of rules by the labels that they demand. Never changes."""

    def __init__(self, rules: Iterable[Alternatives]) -> None:
        demands = [[_demands(matchers) for matchers in alternatives] for alternatives in rules]
        shared = Counter(key for rule in demands for found in rule for keys in found for key in keys)
        self._filed: dict[tuple[str, int], dict[str, list[int]]] = {}
        self.rest: list[int] = []
        """Those that are looked at for every alert."""
        for number, rule in enumerate(demands):
            if not all(rule):
                self.rest.append(number)
                continue
            rarest = (min(found, key=lambda keys: sum(map(shared.__getitem__, keys))) for found in rule)
            for name, length, text in {key for keys in rarest for key in keys}:
                self._filed.setdefault((name, length), {}).setdefault(text, []).append(number)

    def candidates(self, labels: Mapping[str, str]) -> Iterator[int]:
        """The rules that could match these labels, in their order; one may come more than once."""
        found = self.filed(labels)
        return merge(*found, self.rest) if found else iter(self.rest)

    def filed(self, labels: Mapping[str, str]) -> list[list[int]]:
        """The candidates, without `rest`, by what they were found by."""
        found = []
        for (name, length), filed in self._filed.items():
            value = labels.get(name)
            if value and (numbers := filed.get(value[:length] if length else value)):
                found.append(numbers)
        return found


def _demands(matchers: Iterable[Matcher]) -> list[list[_Key]]:
    """For each matcher that demands a value, or one of a few, or how it begins: the keys for that."""
    found: list[list[_Key]] = []
    for matcher in matchers:
        if values := only_values(matcher):
            found.append([(matcher.name, 0, value) for value in values])
        elif begin := beginning(matcher):
            found.append([(matcher.name, len(begin), begin)])
    return found


def only_values(matcher: Matcher) -> list[str]:
    """The only values that fulfil the matcher; none if there may be others, or a missing label fulfils it."""
    if matcher.operator is Operator.EQUAL and matcher.value:
        return [matcher.value]
    if matcher.operator is Operator.REGEX and _WORDS.fullmatch(matcher.value):
        words = list(dict.fromkeys(matcher.value.split("|")))
        return words if len(words) <= MAX_WORDS else []
    return []


def beginning(matcher: Matcher) -> str:
    """How every value that fulfils the matcher begins; empty text if that is not known."""
    if matcher.operator is not Operator.REGEX or "|" in matcher.value:
        return ""
    found = _BEGIN.match(matcher.value)
    return found[0] if found else ""
