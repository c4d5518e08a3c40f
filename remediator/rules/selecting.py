"""Which alerts a rule, or an entry of the classification table, is for: as a file writes it."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, ValidationInfo

from remediator.model.words import IncidentType, Severity
from remediator.reading.fields import Name, Text
from remediator.reading.typed import Mistake, ReadAs, Strict, mistaken
from remediator.rules.matchers import Matcher, MatcherError, alternatives, parse_matchers


def _matchers(value: str, _: ValidationInfo) -> tuple[Matcher, ...]:
    try:
        return parse_matchers(value)
    except MatcherError as error:
        raise mistaken(Mistake(error.message, offset=error.column - 1)) from None


def _flat(block: Iterable[tuple[Matcher, ...]]) -> tuple[Matcher, ...]:
    return tuple(matcher for text in block for matcher in text)


_Block = tuple[Annotated[tuple[Matcher, ...], ReadAs(Text, _matchers)], ...]
"""Texts with one matcher or several each; all must hold."""


class Selecting(Strict):
    """Which alerts a rule is for, and when it is tried."""

    name: Name = Field(description="Unique in all files; metrics and the record carry it.")
    match: _Block = Field(default=(), description="Matchers in Alertmanager's grammar. All must hold.")
    any: tuple[Annotated[_Block, Field(min_length=1)], ...] | None = Field(
        default=None,
        min_length=1,
        description="Several lists of matchers: all of one list must hold, and all of `match`.",
    )
    priority: int = Field(
        default=0, ge=-1000, le=1000, description="Rules with a higher one are tried first."
    )

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        """All that must hold."""
        return _flat(self.match)

    @property
    def blocks(self) -> tuple[tuple[Matcher, ...], ...]:
        """If there are any, all of one of them must hold, too."""
        return tuple(map(_flat, self.any or ()))

    def matches_everything(self) -> bool:
        """Whether it asks for no label at all."""
        return any(
            all(matcher.matches({}) for matcher in block)
            for block in alternatives(self.matchers, self.blocks)
        )


class ClassEntry(Strict):
    """How bad the alerts are that match, and of which kind."""

    match: Annotated[_Block, Field(min_length=1, description="All must hold.")]
    severity: Severity
    type: IncidentType | None = None

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        """All that must hold."""
        return _flat(self.match)
