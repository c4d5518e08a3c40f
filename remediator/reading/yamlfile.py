"""YAML with places: a file into nodes that know where they stand, and nothing that could surprise.

Built from the parser's events, not from composed nodes: a file that nests too deeply is refused
before it can exhaust the stack, and aliases are seen before they can multiply. A plain scalar stays
text (`NO`, `on` and `1.10` are what they look like); what it means is decided by who expects it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from remediator.reading.files import read_bytes
from remediator.reading.problems import InputError, Problem

MAX_BYTES = 10_000_000
"""Largest file that is read."""
MAX_DEPTH = 32
"""Deepest nesting of lists and mappings."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = ("~", "null", "Null", "NULL")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_HINTS = {
    "mapping values are not allowed": "; is the indentation right? a value that holds `: ` needs quotes",
    "expected '-' indicator": "; is the indentation right? a value with quotes in it needs others around it",
    "cannot start any token": "; a value that begins with this character needs quotes",
}


@dataclass(slots=True, eq=False)
class Node:
    """A value and its place, counted from 1. A value that was left out is empty text."""

    value: Any
    """Text, None, a list of nodes, or a dict of nodes."""
    line: int
    column: int
    key_line: int = 0
    """Where its key stands, if it is a mapping's value."""
    key_column: int = 0

    def plain(self) -> Any:
        """The value without places: text, None, lists and dicts."""
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One file, read."""

    file: str
    lines: list[str]
    root: Node

    def problem(self, message: str, line: int, column: int) -> Problem:
        """A problem at a place of this file."""
        return _problem(self.file, self.lines, message, line, column)


def read_yaml(path: Path) -> Document:
    """Read the one YAML document in a file. InputError carries every problem that can be told."""
    return parse_yaml(read_bytes(path, MAX_BYTES + 1), str(path))


def parse_yaml(data: bytes, file: str) -> Document:
    """Read the one YAML document in `data`; `file` is what problems call it."""
    if len(data) > MAX_BYTES:
        message = f"is larger than {MAX_BYTES // 1_000_000} MB"
        raise InputError([Problem(file=file, message=message)])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = _LINE_BREAK.split(error.object[: error.start].decode())
        message = f"not UTF-8: the byte 0x{error.object[error.start]:02x}; save the file as UTF-8"
        raise InputError(
            [Problem(file=file, message=message, line=len(before), column=len(before[-1]) + 1)]
        ) from None
    return _Reader(text, file).document()


class _Reader:
    """Builds nodes from events, and collects what is wrong on the way."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.text = text
        self.lines = _LINE_BREAK.split(text)
        self.problems: list[Problem] = []
        self.events: Any = iter(())

    def document(self) -> Document:
        strange = _NOT_YAML.search(self.text)
        if strange is not None:
            before = _LINE_BREAK.split(self.text[: strange.start()])
            message = f"the character U+{ord(strange[0]):04X} is not allowed in YAML"
            self.refuse(message, len(before), len(before[-1]) + 1)
            raise InputError(self.problems)
        root = None
        try:
            self.events = yaml.parse(self.text, Loader=_Loader)
            for event in self.events:
                if isinstance(event, yaml.DocumentStartEvent):
                    if root is not None:
                        self.refuse_at(event, "a second document begins here; a file holds one")
                        break
                    root = self.node(next(self.events), 1)
        except yaml.YAMLError as error:
            self.refuse(*self.syntax(error))
        if not self.problems and (root is None or root.value in ("", None)):
            self.refuse("the file is empty", 1, 1)
        if self.problems:
            raise InputError(self.problems)
        assert root is not None  # noqa: S101 - for the type checker: no root is a problem
        return Document(self.file, self.lines, root)

    def node(self, event: Any, depth: int) -> Node:
        node = Node("", event.start_mark.line + 1, event.start_mark.column + 1)
        if depth > MAX_DEPTH:
            self.refuse_at(event, f"nested more than {MAX_DEPTH} levels deep")
            raise InputError(self.problems)
        if isinstance(event, yaml.AliasEvent):
            self.refuse_at(event, f"aliases such as *{event.anchor} are not supported; write the value out")
            return node
        if event.anchor is not None:
            self.refuse_at(event, f"anchors such as &{event.anchor} are not supported")
        if event.tag is not None:
            self.refuse_at(event, f"tags such as {event.tag} are not supported")
        if isinstance(event, yaml.ScalarEvent):
            null = event.implicit[0] and event.value in _NULLS
            node.value = None if null else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            node.value = []
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                node.value.append(self.node(event, depth + 1))
        else:
            node.value = self.mapping(depth)
        return node

    def mapping(self, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            node = self.node(next(self.events), depth + 1)
            node.key_line, node.key_column = key.line, key.column
            if not isinstance(key.value, str) or not key.value:
                self.refuse("a key must be text", key.line, key.column)
            elif key.value == "<<":
                self.refuse("merge keys are not supported; write the keys out", key.line, key.column)
            elif key.value in entries:
                first = entries[key.value].key_line
                self.refuse(
                    f"duplicate key `{key.value}`; it stands in line {first} already", key.line, key.column
                )
            else:
                entries[key.value] = node
        return entries

    def syntax(self, error: yaml.YAMLError) -> tuple[str, int, int]:
        """Message, line and column of an error of the parser."""
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        source = self.lines[line - 1] if line <= len(self.lines) else ""
        indent = source[: len(source) - len(source.lstrip())]
        if "\t" in indent:
            return "a tab in the indentation; YAML wants spaces", line, indent.index("\t") + 1
        reason = getattr(error, "problem", None) or "this cannot be read"
        context, began = getattr(error, "context", None), getattr(error, "context_mark", None)
        if context and began and began.line + 1 < line:
            reason += f" ({context}, which began in line {began.line + 1})"
        hint = next((hint for said, hint in _HINTS.items() if said in reason), "")
        return f"not YAML: {reason}{hint}", line, column

    def refuse_at(self, event: Any, message: str) -> None:
        self.refuse(message, event.start_mark.line + 1, event.start_mark.column + 1)

    def refuse(self, message: str, line: int, column: int) -> None:
        self.problems.append(_problem(self.file, self.lines, message, line, column))


def _problem(file: str, lines: list[str], message: str, line: int, column: int) -> Problem:
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return Problem(file=file, line=line, column=column, message=message, source=source)
