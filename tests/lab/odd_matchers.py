"""Matchers that people might write, right and wrong, and labels to hold them against; made by chance.

Texts are put together from parts that the two grammars of Alertmanager treat each in its way: quotes,
escapes, braces, commas, characters beyond ASCII, and regular expressions at the edges of RE2. About half of
them can be read. Label sets draw on the same values, so that matchers do find something.
"""

# ruff: noqa: E501, RUF001, RUF005, SIM905 - lists of odd words are easiest to read and to add to as plain text

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

NAMES = ("a", "b", "_c", "d:e", "alertname", "ö", "a b", "x-y", "日本", "9a", "a\nb", "q\"'", "\\")
VALUES = (
    *("", "b", "B", "bc", "cb", "bb", "b\nc", "b c", " b", "b,c", "=b", "b}", "{b", "é", "É", "\u212a"),
    *("\\", "\\n", 'b"', '"b"', "'b'", "`b`", "1", "12", "\t", "\x00", "\u2028", "\U0001f600", "$b", "^b$"),
    *(".*", "b|c", "b.c", "(b)", "\ufeff", "\x7f", "\u0301", "\x85b", "k", "ſ"),
)
LABEL_VALUES = tuple(value for value in VALUES if "\x00" not in value)
"""No program can be given the character 0 on its command line."""
# Most of these can be read.
REGEX_FINE = r"""
b c B é k s . .* .+ b* b+? b?? b|c | (b|c) (?:b)c? [bc] [^b] [b-d] []b] [^]b] [[:alpha:]] [[:^alpha:]] [[:word:]]
\d \D \w \W \s \S \b \B \A \z \pL \PL \p{Greek} \p{^Greek} \p{Lu} \p{Any} \Qb.c\E \Qb \Q\E* \x62 \x{62} \x{1F600}
\07 \142 \n \t \v \a \f \r \_ \- \\ \. \" \, \{ (?i) (?i)b (?s). (?m)^ (?U)b* (?i:B) (?-i)b (?is-m:.)
(?P<n>b) (?<n>b) () (?:) b??? b{2} b{1,2} b{2,} b{,2} b{1000} (b{10}){100} b{ b{} (b{0}){3} ((b{2}){2}){2}
b{0,1000} ^ $ ^b$ b$c (?:^b)* [\d] [\pL] [\Qb] [b-] [-b] [b&&c] [^\n] [é-ü] [\x{e9}] (?s:.) (?i)é (?i)K
(?i)[k] \pN* \P{^L} (|b) (b|)* (b*)* (b|b)+ b{0} (?i)(?-i)B b*b*b* (((((b)))))
""".split()
# Few of these can, or only by one library for regular expressions.
REGEX_DOUBTFUL = (
    r"""
[d-b] [] [b [[:foo:]] \Z \G \C \R \X \K \p{Foo} \pé \p \p{L \p{Letter} \p{Han}{2} \E \x{110000} \x6 \x{ \u0062 \0 \1
\8 \e \cA \é (?x)b (?P<n>b)(?P<n>c) (?P<é>b) (?P<>b) (?P=n) (?P<n (?'n'b) (?#b) (?>b) (?=b) (?!b) (?<=b) (?<!b)
(?i (? ( ) (*) * + ? b** b*+ b+* b{2,1} b{1001} (b{100}){11} {2} b{2}{3} b{01} ^* $* [\C] [\b] [b-\d] [\Qb\E] [--b]
\Q\C\E \\C [b-\pL] (?i:b (?z) (?-) (?i-) (?--i) (?^b) (?P<1>b) (?P<n-m>b) \p{^} \p{} [[.b.]] [[=b=]] [:alpha:] $? \b* \b+
""".split()
    + ["b{ 2}", "(?x) b", "\n", "[\n]", "\\\n", "b \\Q \\E"]
)
REGEX_LARGE = (
    *(r"\pL{1000}", "[^b]{1000}", r"(?i)\pL{500}", r"(\pL{30}){30}", r"\PL{1000}?", "(.{1000}|b)"),
    *("(" * 900 + "b" + ")" * 900, "b" * 3000, "b|" * 500),
)
"""At the limits of libraries. (Go's also refuses more than 1000 groups, one in the other; RE2 does not.)"""
ESCAPES = r"""
\n \" \\ \t \a \x62 \xe9 \xc3\xa9 \142 \351 \400 \777 \u00e9 \u00 \ud83d \U0001F600 \U00110000 \' \d \. \, \} \ \é \x \0
\00 \xc3 \xff \v \{
""".split()
SPACES = (
    "",
    "",
    "",
    "",
    " ",
    "  ",
    "\t",
    "\n",
    "\v",
    "\f",
    "\r",
    "\x85",
    "\xa0",
    "\u2003",
    "\u3000",
    "\u200b",
    "\x1c",
)
OPERATORS = ("=", "=", "!=", "=~", "=~", "=~", "!~", "!~")
WRONG_OPERATORS = ("==", "=!", "~", "~=", "!", "=~~", "!!", "<", "", "= =", "=~=", "!=~", "!==")
STRAYS = (
    '"',
    "'",
    "`",
    "\\",
    "{",
    "}",
    ",",
    "=",
    "!",
    "~",
    " ",
    "\n",
    "\x00",
    "é",
    "\ufeff",
    "a",
    "(",
    "\u2028",
    "#",
)


def texts(chance: Random, number: int) -> list[str]:
    """So many texts, no two of them equal."""
    found: dict[str, None] = {}
    while len(found) < number:
        found[_spoilt(chance, _matchers(chance))] = None
    return list(found)


def label_sets(chance: Random, number: int) -> list[dict[str, str]]:
    """So many sets of labels. The first is empty; a value may be empty, too."""
    sets: list[dict[str, str]] = [{}]
    while len(sets) < number:
        names = {*chance.sample(NAMES, chance.randint(1, 4)), "a", "b"}
        sets.append({name: chance.choice(LABEL_VALUES) for name in sorted(names)})
    return sets


def _matchers(chance: Random) -> str:
    """Some matchers, mostly one, with or without braces and a comma at the end."""
    count = chance.choice((0, 1, 1, 1, 1, 1, 2, 2, 3))
    text = ",".join(_space(chance) + _matcher(chance) + _space(chance) for _ in range(count))
    text += chance.choice(("", "", "", "", ",", ", ", ",,"))
    opening, closing = chance.choice(
        (("", ""),) * 6 + (("{", "}"),) * 4 + (("{", ""), ("", "}"), ("{{", "}}"))
    )
    return f"{_space(chance)}{opening}{text}{closing}{_space(chance)}"


def _matcher(chance: Random) -> str:
    name = chance.choice(NAMES if chance.random() < 0.3 else ("a", "b"))
    bare = name if chance.random() < 0.85 else _quoted(chance, name)
    operator = chance.choice(OPERATORS if chance.random() < 0.96 else WRONG_OPERATORS)
    value = _value(chance, operator)
    written = value if chance.random() < 0.25 else _quoted(chance, value)
    return f"{bare}{_space(chance)}{operator}{_space(chance)}{written}"


def _value(chance: Random, operator: str) -> str:
    if operator in ("=~", "!~") and chance.random() < 0.85:
        return "".join(_regex_part(chance) for _ in range(chance.choice((1, 1, 2, 3))))
    return chance.choice(VALUES)


def _regex_part(chance: Random) -> str:
    kind = chance.random()
    return chance.choice(REGEX_LARGE if kind < 0.01 else REGEX_DOUBTFUL if kind < 0.15 else REGEX_FINE)


def _quoted(chance: Random, text: str) -> str:
    """In quotes, its backslashes doubled or not, perhaps with an escape more."""
    if chance.random() < 0.8:
        text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    if chance.random() < 0.15:
        at = chance.randint(0, len(text))
        text = text[:at] + chance.choice(ESCAPES) + text[at:]
    quote = '"' if chance.random() < 0.95 else chance.choice(("'", "`"))
    return f"{quote}{text}{quote}"


def _space(chance: Random) -> str:
    return chance.choice(SPACES) if chance.random() < 0.15 else ""


def _spoilt(chance: Random, text: str) -> str:
    """The text, one time in ten with a character more or less."""
    if chance.random() >= 0.1:
        return text
    at = chance.randint(0, len(text))
    return text[:at] + (chance.choice(STRAYS) if chance.random() < 0.6 else "") + text[at + 1 :]
