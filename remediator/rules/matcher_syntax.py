"""The two grammars of Alertmanager's matchers: text in, names, operators and values out.

Alertmanager from 0.27 on tries its newer grammar (UTF-8) and falls back to the older one (classic);
where both accept a text but read it differently, the older reading holds. Rule files must mean what
the same text means in Alertmanager's own configuration, so both grammars are kept here.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class MatcherError(ValueError):
    """A matcher cannot be read. `column` counts characters of its text from 1."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class Operator(StrEnum):
    """How a label is compared with a matcher's value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Parts:
    """A matcher as written, its quotes and escapes undone."""

    name: str
    operator: Operator
    value: str
    column: int = field(compare=False, default=1)
    """Where the value stands."""


# Go's unicode.IsSpace. Python's str.isspace knows more characters, and its `\s` others again.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_RESERVED = _SPACE + r"{}!=~,\\\"'`"
_TOKEN = re.compile(
    rf"(?P<space>[{_SPACE}]+)|(?P<mark>[{{}},])|(?P<operator>=~|!=|!~|=)"
    rf'|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<bare>[^{_RESERVED}]+)',
    re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    """`operator`, `quoted`, `bare`, `end`, or the mark itself."""
    text: str
    column: int

    def __str__(self) -> str:
        return f"`{self.text}`" if self.text else "the end"


def read_utf8(text: str) -> list[Parts]:
    """Read matchers by the newer grammar: names and values bare or in double quotes, Go's escapes."""
    tokens = _tokens(text)
    found: list[Parts] = []
    braced = tokens[0].kind == "{"
    at = 1 if braced else 0
    while tokens[at].kind not in ("}", "end"):
        name = _label_text(tokens[at], "a label name")
        operator = tokens[at + 1]
        if operator.kind != "operator":
            raise MatcherError(f"expected one of = != =~ !~, found {operator}", operator.column)
        value = _label_text(tokens[at + 2], "a value (in double quotes, if it is empty)")
        found.append(Parts(name, Operator(operator.text), value, tokens[at + 2].column))
        at += 3
        if tokens[at].kind != ",":
            break
        at += 1
    if braced:
        if tokens[at].kind != "}":
            raise MatcherError(f"expected a comma or }}, found {tokens[at]}", tokens[at].column)
        at += 1
    elif tokens[at].kind == "}":
        raise MatcherError("found } without a { before it", tokens[at].column)
    if tokens[at].kind != "end":
        wanted = "the end" if braced else "a comma or the end"
        raise MatcherError(f"expected {wanted}, found {tokens[at]}", tokens[at].column)
    return found


def _tokens(text: str) -> list[_Token]:
    """The tokens of a text, then three that say it has ended, so that reading ahead is safe."""
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise MatcherError(_why_no_token(text[at]), at + 1)
        if match.lastgroup != "space":
            kind = match[0] if match.lastgroup == "mark" else str(match.lastgroup)
            tokens.append(_Token(kind, match[0], at + 1))
        at = match.end()
    return [*tokens, *[_Token("end", "", len(text) + 1)] * 3]


def _why_no_token(char: str) -> str:
    if char == '"':
        return "this double quote is never closed"
    if char == "!":
        return "expected != or !~"
    return f"a bare {char} cannot stand here: put the value in double quotes"


def _label_text(token: _Token, wanted: str) -> str:
    if token.kind == "bare":
        return token.text
    if token.kind == "quoted":
        return _unquote(token)
    raise MatcherError(f"expected {wanted}, found {token}", token.column)


_SIMPLE = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "\\": 92, '"': 34}
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abtnvfr\\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})"
    r"|u(?P<four>[0-9a-fA-F]{4})|U(?P<eight>[0-9a-fA-F]{8}))"
)


def _unquote(token: _Token) -> str:
    """Undo double quotes as Go does; bytes written in hex or octal must make up valid UTF-8."""
    inner = token.text[1:-1]
    if "\n" in inner:
        raise MatcherError(r"a line break in double quotes is written \n", token.column)
    out = bytearray()
    at = 0
    while at < len(inner):
        if inner[at] != "\\":
            out += inner[at].encode()
            at += 1
            continue
        match = _ESCAPE.match(inner, at)
        encoded = None if match is None else _escaped(match)
        if match is None or encoded is None:
            column = token.column + 1 + at
            raise MatcherError(
                f"{inner[at : at + 2]} is no escape; a backslash in double quotes is written \\\\", column
            )
        out += encoded
        at = match.end()
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise MatcherError("the escapes in these quotes are not valid UTF-8", token.column) from None


def _escaped(match: re.Match[str]) -> bytes | None:
    """What an escape stands for; None if no character has that number."""
    if match["simple"]:
        return bytes([_SIMPLE[match["simple"]]])
    if match["byte"]:
        return bytes([int(match["byte"], 16)])
    if match["octal"]:
        code = int(match["octal"], 8)
        return bytes([code]) if code < 256 else None
    code = int(match["four"] or match["eight"], 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return None
    return chr(code).encode()


_CLASSIC_SPACE = "\t\n\f\r "
_CLASSIC_HEAD = re.compile(
    rf"[{_CLASSIC_SPACE}]*([a-zA-Z_:][a-zA-Z0-9_:]*)[{_CLASSIC_SPACE}]*(=~|=|!=|!~)[{_CLASSIC_SPACE}]*"
)
_CLASSIC_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_CLASSIC_BARE = re.compile(r'((?:[^"\\]|\\.)*\\?)', re.DOTALL)
_CLASSIC_ESCAPE = re.compile(r'\\([n"\\])')


def read_classic(text: str) -> list[Parts]:
    """Read matchers by the older grammar, with all that it lets pass.

    Braces need not pair, values may be empty, and a backslash that begins no escape is itself.
    """
    text = text.removeprefix("{").removesuffix("}")
    pieces: list[str] = []
    begin, quoted, escaped = 0, False, False
    for at, char in enumerate(text):
        if char == ",":  # leaves `escaped` as it is: so does Alertmanager
            if not quoted:
                pieces.append(text[begin:at])
                begin = at + 1
        elif char == "\\":
            escaped = not escaped
        else:
            if char == '"' and not escaped:
                quoted = not quoted
            escaped = False
    last = text[begin:].strip(_SPACE)
    if last:
        pieces.append(last)
    return [_read_classic_one(piece) for piece in pieces]


def _read_classic_one(piece: str) -> Parts:
    head = _CLASSIC_HEAD.match(piece)
    if head is None:
        raise MatcherError("expected a label name and one of = != =~ !~")
    raw = piece[head.end() :].rstrip(_CLASSIC_SPACE)
    value = (_CLASSIC_QUOTED if raw.startswith('"') else _CLASSIC_BARE).fullmatch(raw)
    if value is None:
        raise MatcherError('a double quote inside a value is written \\"')
    return Parts(
        head[1],
        Operator(head[2]),
        _CLASSIC_ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], value[1]),
    )
