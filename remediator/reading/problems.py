"""What is wrong with a file that somebody wrote: where, why, and what was perhaps meant."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from remediator.model.text import did_you_mean as did_you_mean
from remediator.model.text import harmless

MAX_SHOWN = 160
"""Longest part of a source line that is shown with a problem."""

_KEY = r"\w*(?:token|secret|password|passphrase|credential)\w*(?<!_file)(?<!_env)"
_SECRET = re.compile(rf"""(\b{_KEY}["']?\s*:\s*)\S.*""", re.IGNORECASE)
_URL_USER = re.compile(r"://[^/\s@]*@")
_URL_PATH = re.compile(r"""(\b\w+://[^/\s"']+/)[^\s"']+""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in one file. `line` and `column` count from 1; 0 means the file or the line as a whole."""

    file: str
    line: int = 0
    column: int = 0
    message: str
    source: str = ""
    """The line itself, for people; what looks like a secret in it is left out."""

    @property
    def place(self) -> str:
        """`file:line:column`, `file:line`, or the file alone."""
        counted = [str(number) for number in (self.line, self.line and self.column) if number]
        return ":".join([harmless(self.file), *counted])

    def __str__(self) -> str:
        return self.told()

    def told(self, kind: str = "") -> str:
        """The problem for people, with its line and a mark below the place; `kind` may be `warning`."""
        text = f"{self.place}: {f'{kind}: ' if kind else ''}{harmless(self.message)}"
        if not self.line or not self.source.strip():
            return text
        shown = _without_secrets(self.source)
        before = harmless(shown[: self.column - 1])
        begin = max(0, len(before) - MAX_SHOWN // 2)
        line = harmless(shown)[begin : begin + MAX_SHOWN]
        return f"{text}\n    {line}\n    {' ' * (len(before) - begin)}^"


class InputError(Exception):
    """Files that people wrote cannot be used. Carries every problem found, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def names_secret(key: str) -> bool:
    """Whether what stands under a key of this name may be secret; not so for `token_file`."""
    return re.fullmatch(_KEY, key, re.IGNORECASE) is not None


def _without_secrets(line: str) -> str:
    """The line without what stands after a key such as `token:`, and with only the host of a URL.

    The path of a URL can be a secret, too: many webhooks have no other.
    """
    line = _URL_USER.sub("://***@", _SECRET.sub(r"\1***", line))
    return _URL_PATH.sub(r"\1***", line)
