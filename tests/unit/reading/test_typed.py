from enum import StrEnum
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field, ValidationInfo, model_validator

from remediator.reading.fields import Name
from remediator.reading.problems import InputError
from remediator.reading.typed import Mistake, ReadAs, Strict, describe, mistaken, read_as
from remediator.reading.yamlfile import parse_yaml


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def _doubled(number: int, info: ValidationInfo) -> str:
    return str(number * (info.context or {}).get("times", 2))


class Leaf(Strict):
    LATER: ClassVar[frozenset[str]] = frozenset({"someday"})

    size: int = 0
    on: bool = False
    colour: Colour = Colour.RED
    double: Annotated[str, ReadAs(int, _doubled)] = ""
    text: str = ""


class Tree(Strict):
    name: str
    leaves: tuple[Leaf, ...] = Field(default=(), min_length=0)
    by_name: dict[Name, Leaf] = Field(default_factory=dict)
    at_least: tuple[int, ...] = Field(default=(1, 2), min_length=2)
    token: str = ""
    other: int | None = None
    aliased: int = Field(default=0, alias="written")

    @model_validator(mode="after")
    def _no_rot(self) -> "Tree":
        rotten = [n for n, leaf in enumerate(self.leaves) if "rot" in leaf.text]
        if rotten:
            raise mistaken(
                *(
                    Mistake("rotten", ("leaves", n, "text"), offset=self.leaves[n].text.index("rot"))
                    for n in rotten
                )
            )
        return self


def read(text: str, **context: Any) -> Tree:
    return read_as(parse_yaml(text.encode(), "f"), Tree, context)


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(text)
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in caught.value.problems]


def test_text_is_read_as_the_type_that_its_key_expects() -> None:
    tree = read("name: NO\nleaves:\n- {size: 5, on: true, colour: green, text: 1.10}\nother: ~\nwritten: 3\n")
    assert (tree.name, tree.other, tree.aliased) == ("NO", None, 3)
    assert tree.leaves == (Leaf(size=5, on=True, colour=Colour.GREEN, text="1.10"),)


def test_a_field_may_be_kept_as_another_type_than_it_is_written() -> None:
    assert read("name: x\nleaves: [{double: 4}]").leaves[0].double == "8"
    assert read("name: x\nleaves: [{double: 4}]", times=10).leaves[0].double == "40"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("leaves: []", "1:1 the key `name` is missing here"),
        ("name: x\nleavs: []", "2:1 unknown key `leavs`; did you mean `leaves`?"),
        (
            "name: x\nzzz: 1",
            "2:1 unknown key `zzz`; expected one of `name`, `leaves`, `by_name`, `at_least`, `token`, ",
        ),
        ("name: x\naliased: 1", "2:1 unknown key `aliased`; expected one of"),
        ("name: x\nleaves: [{sise: 1}]", "2:11 unknown key `sise`; did you mean `size`?"),
        ("name: x\nby_name: {a: {colr: red}}", "2:15 unknown key `colr`; did you mean `colour`?"),
        ("name: x\nleaves: [{someday: 1}]", "2:11 `someday` is not supported in this version"),
        ("name: x\nleaves: [{size: many}]", "2:17 expected a whole number, found `many`"),
        ("name: x\nleaves: [{size: 1.5}]", "2:17 expected a whole number, found `1.5`"),
        ("name: x\nleaves: [{on: maybe}]", "2:15 expected true or false, found `maybe`"),
        (
            "name: x\nleaves: [{colour: gren}]",
            "2:19 expected one of `red`, `green`, found `gren`; did you mean `green`?",
        ),
        ("name: x\nleaves: {}", "2:9 expected a list, found a mapping"),
        ("name: x\nleaves: [x]", "2:10 expected a mapping, found `x`"),
        ("name: [x]", "1:7 expected text, found a list"),
        ("name:", None),
        ("name: x\nleaves:", "2:8 expected a list, found nothing"),
        ("name: x\nby_name: {-a: {}}", "2:11 `-a` cannot be a name"),
        ("name: x\nat_least: [1]", "2:11 expected at least 2 of them, found a list"),
        ("- name: x", "1:1 expected a mapping, found a list"),
    ],
)
def test_each_mistake_is_told_in_plain_words_at_its_place(text: str, expected: str | None) -> None:
    if expected is None:
        assert read(text).name == ""
        return
    (found,) = problems(text)
    assert found.startswith(expected)


def test_a_list_with_wrong_entries_is_not_called_too_short_as_well() -> None:
    assert problems("name: x\nat_least: [a, b]") == [
        "2:12 expected a whole number, found `a`",
        "2:15 expected a whole number, found `b`",
    ]


def test_all_mistakes_are_told_in_the_order_of_the_text() -> None:
    found = problems("leaves:\n- {size: x}\n- {on: perhaps}\nzzz: 1\n")
    assert [line.split(" ")[0] for line in found] == ["1:1", "2:10", "3:8", "4:1"]


@pytest.mark.parametrize(("quote", "column"), [("", 8), ("'", 9), ('"', 9)])
def test_a_mistake_inside_a_text_is_pointed_at(quote: str, column: int) -> None:
    (found,) = problems(f"name: x\nleaves:\n- text: {quote}a rotten{quote}\n")
    assert found == f"3:{column + 3} rotten"


def test_several_mistakes_of_one_validator_are_all_told() -> None:
    assert problems("name: x\nleaves: [{text: rot}, {text: ok}, {text: rot}]") == [
        "2:17 rotten",
        "2:42 rotten",
    ]


def test_neither_a_secret_nor_its_line_is_shown() -> None:
    with pytest.raises(InputError) as caught:
        read("name: x\ntoken:\n- hunter2\nother: 2\n")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InputError) as caught:
        read("name: x\ntoken: {a: hunter2}\n")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "nothing"),
        (None, "null"),
        ([], "an empty list"),
        (["a"], "a list"),
        ({}, "a mapping"),
        ("a", "`a`"),
    ],
)
def test_what_was_found_is_described_in_words(value: object, words: str) -> None:
    assert describe(value) == words


def test_a_long_value_is_cut_in_a_message() -> None:
    assert len(describe("x" * 1000)) == 62
