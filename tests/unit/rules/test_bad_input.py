"""What no rule file should be: each costs nothing but a clear word, whoever wrote it and why."""

from collections.abc import Callable
from pathlib import Path

import pytest

from remediator.reading.problems import InputError
from remediator.reading.yamlfile import MAX_BYTES
from tests.unit.rules.given import load, minimal, rule_file


def written(service: str = "redis", match: str = "[a=b]", more: str = "") -> bytes:
    rule = f"{{name: r, match: {match}, service: {service}, steps: [restart: ]{more}}}"
    return f"groups:\n- name: g\n  rules:\n  - {rule}\n".encode()


BOMB = "a: &a [x, x]\n" + "".join(
    f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("data", "first"),
    [
        (BOMB.encode(), ":1:4: anchors such as &a are not supported"),
        (b"[" * 1_000_000, ":1:33: nested more than 32 levels deep"),
        (b"groups: []\ngroups: []\n", ":2:1: duplicate key `groups`; it stands in line 1 already"),
        (b"groups:\n\t- name: g\n", ":2:1: a tab in the indentation; YAML wants spaces"),
        (b"#" * (MAX_BYTES + 1), ": is larger than 10 MB"),
        (written().decode().encode("utf-16"), ":1:1: not UTF-8: the byte 0xff; save the file as UTF-8"),
        (b"groups: [] # \xe4\n", ":1:14: not UTF-8: the byte 0xe4; save the file as UTF-8"),
        (written() + b"\0", ":5:1: the character U+0000 is not allowed in YAML"),
        (
            written(match="""['a=~"x(?!y)"']"""),
            ":4:27: the regular expression x(?!y) is not RE2: invalid perl operator: (?!",
        ),
        (written('"{{ {{ labels.a }} }}"'), ":4:38: not a template: expected token ':', got '}'"),
        (
            written('"{% macro x() %}{{ x() }}{% endmacro %}{{ x() }}"'),
            ":4:38: only text, labels and filters may stand in a template, no `macro`",
        ),
        (
            written("\"{% extends 'x' %}\""),
            ":4:38: only text, labels and filters may stand in a template, no `extends`",
        ),
        (written('"{{ self }}"'), ":4:42: `self` is not known here; there is only `labels`"),
        (written('"{{ labels.a.upper() }}"'), ":4:38: nothing can be called in a template"),
        (
            written(f'"{{{{ {"(" * 5000}labels.a{")" * 5000} }}}}"'),
            ":4:38: a template has at most 500 characters; this has 10014",
        ),
        (written(more=f", priority: {'9' * 5000}"), ":4:75: expected a whole number, found `999"),
    ],
    ids=range(16),
)
def test_it_is_refused_in_these_words(tmp_path: Path, data: bytes, first: str) -> None:
    file = tmp_path / "rules.yml"
    file.write_bytes(data)
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert str(caught.value).splitlines()[0].startswith(f"{file}{first}")


@pytest.mark.parametrize(
    "saved",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r"),
    ],
    ids=["byte order mark", "CRLF", "CR"],
)
def test_how_an_editor_saves_it_does_not_matter(tmp_path: Path, saved: Callable[[bytes], bytes]) -> None:
    file = rule_file(tmp_path, minimal("a"), minimal("b"))
    before = load(file)
    file.write_bytes(saved(file.read_bytes()))
    assert load(file).version == before.version
    assert [matched.rule.source for matched in load(file)] == [matched.rule.source for matched in before]
