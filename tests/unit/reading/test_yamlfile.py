from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.reading.problems import InputError
from remediator.reading.yamlfile import MAX_BYTES, MAX_DEPTH, parse_yaml, read_yaml


def plain(text: str) -> Any:
    return parse_yaml(text.encode(), "f.yml").root.plain()


def problems(text: str | bytes) -> list[tuple[int, int, str]]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(InputError) as caught:
        parse_yaml(data, "f.yml")
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


def test_a_plain_scalar_stays_what_it_looks_like() -> None:
    assert plain("a: NO\nb: 1.10\nc: 0x1F\nd: 2024-01-01\ne: on\nf: 1_000\n") == {
        "a": "NO",
        "b": "1.10",
        "c": "0x1F",
        "d": "2024-01-01",
        "e": "on",
        "f": "1_000",
    }


def test_only_a_plain_null_is_none() -> None:
    assert plain("a: ~\nb: null\nc: 'null'\nd:\n") == {"a": None, "b": None, "c": "null", "d": ""}


def test_nodes_know_where_they_and_their_keys_stand() -> None:
    root = parse_yaml(b"a:\n  - b: x\n    c: [1, 2]\n", "f.yml").root
    entry = root.value["a"].value[0]
    assert (entry.value["b"].line, entry.value["b"].column) == (2, 8)
    assert (entry.value["b"].key_line, entry.value["b"].key_column) == (2, 5)
    assert (entry.value["c"].value[1].line, entry.value["c"].value[1].column) == (3, 12)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(line_break: str) -> None:
    assert problems(line_break.join(["a: 1", "b: 2", "a: 3", ""]))[0][:2] == (3, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", (3, 1, "duplicate key `a`; it stands in line 1 already")),
        ("a: &x 1\n", (1, 4, "anchors such as &x are not supported")),
        ("a: *x\n", (1, 4, "aliases such as *x are not supported; write the value out")),
        ("a: {<<: {b: 1}}\n", (1, 5, "merge keys are not supported; write the keys out")),
        (
            "a: !!python/name:os.system x\n",
            (1, 4, "tags such as tag:yaml.org,2002:python/name:os.system are not "),
        ),
        ("a: 1\n---\nb: 2\n", (2, 1, "a second document begins here; a file holds one")),
        ("? [a, b]\n: 1\n", (1, 3, "a key must be text")),
        ("~: 1\n", (1, 1, "a key must be text")),
        ("a:\n\tb: 1\n", (2, 1, "a tab in the indentation; YAML wants spaces")),
        ("", (1, 1, "the file is empty")),
        ("# only a comment\n", (1, 1, "the file is empty")),
        (
            "a: b: c\n",
            (1, 5, "not YAML: mapping values are not allowed in this context; is the indentation right?"),
        ),
        (
            "a: @x\n",
            (1, 4, "not YAML: found character that cannot start any token; a value that begins with this"),
        ),
        (
            "a: [1, 2\nb: 3\n",
            (2, 2, "not YAML: did not find expected ',' or ']' (while parsing a flow sequence"),
        ),
        (
            "a: 'x\n",
            (2, 1, "not YAML: found unexpected end of stream (while scanning a quoted scalar, which began"),
        ),
        ("a: \x07\n", (1, 4, "the character U+0007 is not allowed in YAML")),
    ],
)
def test_what_could_surprise_is_refused_at_its_place(text: str, expected: tuple[int, int, str]) -> None:
    line, column, message = problems(text)[0]
    assert (line, column) == expected[:2]
    assert message.startswith(expected[2])


def test_all_mistakes_are_told_at_once() -> None:
    assert [found[:2] for found in problems("a: &x 1\nb: *x\na: 2\n")] == [(1, 4), (2, 4), (3, 1)]


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_are_refused_at_their_place(begin: bytes) -> None:
    found = problems(begin + "ä: 1\nb: ".encode() + b"\xff\n")
    assert found == [(2, 4, "not UTF-8: the byte 0xff; save the file as UTF-8")]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse_yaml(b"\xef\xbb\xbfa: 1\n", "f.yml").root.plain() == {"a": "1"}


def test_deep_nesting_is_refused_before_it_hurts() -> None:
    assert plain("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    deep = problems("[" * 100_000 + "]" * 100_000)
    assert deep == [(1, MAX_DEPTH + 1, f"nested more than {MAX_DEPTH} levels deep")]


def test_a_bomb_of_aliases_is_refused() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdef", "bcdefg", strict=True)
    )
    assert all("not supported" in message for _, _, message in problems(bomb))


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "huge.yml"
    file.write_bytes(b"a: 1\n" + b"#" * MAX_BYTES)
    with pytest.raises(InputError, match="is larger than 10 MB"):
        read_yaml(file)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yml: cannot be read: no such file or directory"):
        read_yaml(tmp_path / "none.yml")
    with pytest.raises(InputError, match="cannot be read: it is a directory, not a file"):
        read_yaml(tmp_path)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        document = parse_yaml(data, "f.yml")
    except InputError as error:
        assert error.problems
        assert all(str(problem).startswith("f.yml:") for problem in error.problems)
    else:
        assert document.root.value
