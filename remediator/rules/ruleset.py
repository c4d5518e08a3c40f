"""All rules as one value: which of them an alert calls for, and which one has a name.

An index leaves out most rules that cannot match; what matches stays what it would be if each rule were
tried in turn.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from remediator.model.plan import canonical
from remediator.model.rule import Classification, Rule, RuleSource
from remediator.rules.index import Index
from remediator.rules.matchers import Matcher, alternatives
from remediator.rules.templates import MissingError, Template


@dataclass(frozen=True, slots=True)
class MatchedRule:
    """A rule with the conditions under which it applies."""

    rule: Rule
    matchers: tuple[Matcher, ...]
    """All must hold."""
    blocks: tuple[tuple[Matcher, ...], ...] = ()
    """If there are any, all of at least one of these blocks must hold, too."""
    service: Template | None = None
    """What names the service, if it is the alert's labels that do."""

    def applied(self, labels: Mapping[str, str]) -> "MatchedRule":
        """The rule as it is for an alert with these labels: with the service that its template gives."""
        if self.service is None:
            return self
        try:
            return replace(self, rule=replace(self.rule, service=self.service.render(labels)))
        except MissingError as missing:
            why = f"the template `{self.service.text}` names no service: {missing}"
            return replace(self, rule=replace(self.rule, no_service=why))

    @property
    def alternatives(self) -> tuple[tuple[Matcher, ...], ...]:
        """The conditions as lists of matchers, of one of which all must hold."""
        return alternatives(self.matchers, self.blocks)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels calls for the rule."""
        return self.failing(labels) is None

    def failing(self, labels: Mapping[str, str]) -> Matcher | None:
        """The first condition that these labels do not fulfil; None if the rule matches.

        Where it is the blocks of which none matches, that is one of the last block.
        """
        failing = _first_failing(self.matchers, labels)
        if failing is None and self.blocks:
            for block in self.blocks:
                failing = _first_failing(block, labels)
                if failing is None:
                    break
        return failing


@dataclass(frozen=True, slots=True)
class Class:
    """An entry of the classification table: which alerts it is about, and what it says of them."""

    matchers: tuple[Matcher, ...]
    """All must hold."""
    says: Classification
    source: str = ""
    """`file:line`, for people."""


class RuleSet:
    """Rules in their order, and the classification table. Never changes; a reload makes a new one."""

    def __init__(
        self,
        rules: Iterable[MatchedRule] = (),
        table: Iterable[Class] = (),
        files: Iterable[RuleSource] = (),
    ) -> None:
        """`files` is where they come from. ValueError if two rules share a name."""
        self.files = tuple(files)
        self.table = tuple(table)
        self.rules = tuple(rules)
        self._by_name = {matched.rule.name: matched.rule for matched in self.rules}
        if len(self._by_name) != len(self.rules):
            raise ValueError("two rules share a name")
        self._index = Index(matched.alternatives for matched in self.rules)
        self.version = _digest(
            [
                [[matched.rule.name, matched.rule.version] for matched in self.rules],
                [
                    [[str(matcher) for matcher in entry.matchers], entry.says.severity, entry.says.type]
                    for entry in self.table
                ],
            ]
        )
        """Hash of all rules and of their order, and of the table."""

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Iterator[MatchedRule]:
        return iter(self.rules)

    def match(self, labels: Mapping[str, str]) -> MatchedRule | None:
        """The first rule that matches an alert's labels, in their order, as applied to that alert."""
        candidates = map(self.rules.__getitem__, self._index.candidates(labels))
        return next((matched.applied(labels) for matched in candidates if matched.matches(labels)), None)

    def classify(self, labels: Mapping[str, str]) -> Classification | None:
        """What the first entry of the table that matches an alert's labels says of it."""
        return next(
            (entry.says for entry in self.table if _first_failing(entry.matchers, labels) is None), None
        )

    def find(self, name: str) -> Rule | None:
        """The rule of this name, or None."""
        return self._by_name.get(name)


def _first_failing(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> Matcher | None:
    return next((matcher for matcher in matchers if not matcher.matches(labels)), None)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
