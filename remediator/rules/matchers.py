"""Matchers: what a rule says of an alert's labels, read and applied exactly as Alertmanager does."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import re2

from remediator.rules.matcher_syntax import MatcherError, Operator, Parts, read_classic, read_utf8

__all__ = ["Matcher", "MatcherError", "Operator", "alternatives", "parse_matchers"]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
# Alertmanager's library counts a class such as \pL as one instruction, RE2 as hundreds; so what is too large
# for RE2's usual 8 MB gets a second chance. What needs more than this is refused.
_LARGE = re2.Options()
_LARGE.log_errors = False
_LARGE.max_mem = 64 << 20

_BARE_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_QUOTED_OR_ESCAPE = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. MatcherError if its regular expression is not RE2."""

    name: str
    operator: Operator
    value: str
    _regex: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.operator in (Operator.REGEX, Operator.NOT_REGEX):
            object.__setattr__(self, "_regex", _compile(self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil the condition; a label that is missing counts as empty."""
        text = labels.get(self.name, "")
        if self._regex is None:
            return (text == self.value) == (self.operator is Operator.EQUAL)
        found = self._regex.search(text.encode("utf-8", "replace")) is not None
        return found == (self.operator is Operator.REGEX)

    def __str__(self) -> str:
        name = self.name if _BARE_NAME.fullmatch(self.name) else _quoted(self.name)
        return f"{name}{self.operator}{_quoted(self.value)}"


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read the matchers in a text such as `alertname="Down", job=~"api.*"`; there may be none.

    Accepts, refuses and means what Alertmanager's configuration does in its default mode.
    MatcherError says what is wrong by the newer grammar, and at which column.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise MatcherError("this is no character of Unicode", error.start + 1) from None
    try:
        parts = read_utf8(text)
        matchers = _matchers(parts)
    except MatcherError as refused:
        try:
            return _matchers(read_classic(text))
        except MatcherError:
            raise refused from None
    try:
        classic = read_classic(text)
        return matchers if classic == parts else _matchers(classic)
    except MatcherError:
        return matchers


def _matchers(parts: Iterable[Parts]) -> tuple[Matcher, ...]:
    return tuple(_matcher(part) for part in parts)


def _matcher(parts: Parts) -> Matcher:
    try:
        return Matcher(parts.name, parts.operator, parts.value)
    except MatcherError as error:
        raise MatcherError(error.message, parts.column) from None


def _compile(pattern: str) -> Any:
    """The whole-value form of a pattern, as Alertmanager puts it together."""
    whole = f"^(?:{pattern})$"
    try:
        try:
            regex = re2.compile(whole, _OPTIONS)
        except re2.error as error:
            if "too large" not in _reason(error):
                raise
            regex = re2.compile(whole, _LARGE)
    except re2.error as error:
        reason = _reason(error)
        raise MatcherError(f"the regular expression {pattern} is not RE2: {reason}") from None
    # Two things that RE2 takes and Go's regexp, which Alertmanager uses, does not.
    if any(found == r"\C" for found in _QUOTED_OR_ESCAPE.findall(pattern)):
        raise MatcherError(f"the regular expression {pattern} is not RE2: invalid escape sequence: \\C")
    if not all(name.isascii() for name in regex.groupindex):
        raise MatcherError(f"the regular expression {pattern} has a group whose name is not ASCII")
    return regex


def _reason(error: re2.error) -> str:
    reason = error.args[0]
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def alternatives(
    matchers: tuple[Matcher, ...], blocks: Sequence[tuple[Matcher, ...]]
) -> tuple[tuple[Matcher, ...], ...]:
    """What `match` and `any` mean together: lists of matchers, of one of which all must hold."""
    return tuple(matchers + block for block in blocks) or (matchers,)


def _quoted(text: str) -> str:
    """Double quotes with the three escapes that mean the same in both grammars."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
