"""A YAML document held against a pydantic model: the typed value, or every mistake at its place.

The document gives text only, so a value is read as the type that its key expects: `NO` is text
where text is expected, `5` is a number where a number is.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from remediator.reading.problems import InputError, Problem, did_you_mean, names_secret
from remediator.reading.yamlfile import Document, Node

M = TypeVar("M", bound=BaseModel)
Location = tuple[str | int, ...]


class Strict(BaseModel):
    """Base of what a file may hold: a key that is not known is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    KEYS_ARE: ClassVar[str] = "key"
    """What a key of this mapping is called in messages, e.g. `action`."""
    LATER: ClassVar[frozenset[str]] = frozenset()
    """Keys that are known but not built yet."""


@dataclass(frozen=True, slots=True)
class ReadAs:
    """Marks a field that is written as one type and kept as another.

    `build` gets the value as written and the validation's info, and returns the value to keep.
    """

    written: Any
    build: Callable[[Any, ValidationInfo], Any]

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(
            self.build,
            handler.generate_schema(self.written),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda kept: kept),
        )


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that a validator found wrong below the value that it was given."""

    message: str
    at: Location = ()
    """Where, as keys and indexes from that value."""
    on_key: bool = False
    """Point at the key, not at its value."""
    offset: int = 0
    """Characters into the text, if the mistake is inside it."""


def mistaken(*mistakes: Mistake) -> PydanticCustomError:
    """The exception with which a validator reports mistakes; they all are shown."""
    return PydanticCustomError("mistakes", "{first}", {"first": mistakes[0].message, "mistakes": mistakes})


def read_as(document: Document, model: type[M], context: Mapping[str, Any] | None = None) -> M:
    """The document as a `model`. InputError carries every mistake; validators can ask `context`."""
    try:
        return model.model_validate(document.root.plain(), strict=False, context=dict(context or {}))
    except ValidationError as error:
        problems = {
            problem: None
            for detail in error.errors(include_url=False)
            for problem in _problems(document, model, detail)
        }
        raise InputError(sorted(problems, key=lambda problem: (problem.line, problem.column))) from None


def node_at(root: Node, location: Location) -> Node:
    """The deepest node on the way to a location: a default or a short form has no node of its own."""
    node = root
    for part in location:
        child: Node | None = None
        if isinstance(node.value, dict):
            child = node.value.get(part)
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
        if child is None:
            break
        node = child
    return node


def _problems(document: Document, model: type[BaseModel], detail: ErrorDetails) -> Iterator[Problem]:
    for mistake in _mistakes(model, detail):
        yield problem_at(document, detail["loc"], mistake)


def problem_at(document: Document, location: Location, mistake: Mistake) -> Problem:
    """A mistake as a problem at its place. A line that may hold a secret is not shown."""
    location = location + mistake.at
    node = node_at(document.root, location)
    if mistake.on_key and node.key_line:
        problem = document.problem(mistake.message, node.key_line, node.key_column)
    else:
        problem = document.problem(mistake.message, node.line, _column(document, node, mistake.offset))
    return replace(problem, source="") if _is_secret(location) else problem


def _is_secret(location: Location) -> bool:
    return any(names_secret(part) for part in location if isinstance(part, str))


def _column(document: Document, node: Node, offset: int) -> int:
    """The column `offset` characters into a scalar, where the line shows its text as it is."""
    rest = document.lines[node.line - 1][node.column - 1 :] if offset else ""
    for quote in ("", '"', "'"):
        if offset and rest.startswith(f"{quote}{node.value}"):
            return node.column + len(quote) + offset
    return node.column


def _mistakes(model: type[BaseModel], detail: ErrorDetails) -> Sequence[Mistake]:
    """An error of pydantic's in our words; none for those that only follow from another."""
    kind, location, context = detail["type"], detail["loc"], detail.get("ctx", {})
    on_key = location[-1:] == ("[key]",)
    if kind == "mistakes":
        mistakes: tuple[Mistake, ...] = context["mistakes"]
        return mistakes
    if kind == "default_factory_not_called":
        return ()
    if kind == "too_short" and len(detail["input"]) >= context["min_length"]:
        return ()  # only those without mistakes of their own were counted
    if kind == "extra_forbidden":
        return (Mistake(_unknown_key(_models(model, location[:-1]), str(location[-1])), on_key=True),)
    if kind == "missing":
        return (Mistake(f"the key `{location[-1]}` is missing here"),)
    if kind == "value_error":
        return (Mistake(str(context["error"]), on_key=on_key),)
    return (Mistake(_told(detail), on_key=on_key),)


_WANTED = (
    ("string_", "text"),
    ("path_", "a path"),
    ("int_", "a whole number"),
    ("float_", "a number"),
    ("bool_", "true or false"),
    ("list_", "a list"),
    ("tuple_", "a list"),
    ("set_", "a list"),
    ("dict_", "a mapping"),
    ("model_", "a mapping"),
    ("greater_than_equal", "at least {ge}"),
    ("greater_than", "more than {gt}"),
    ("less_than_equal", "at most {le}"),
    ("less_than", "less than {lt}"),
    ("too_short", "at least {min_length} of them"),
)


def _told(detail: ErrorDetails) -> str:
    """What was expected, and what was found; a secret that was found is not told."""
    kind, context, found = detail["type"], detail.get("ctx", {}), detail["input"]
    shown = "text" if isinstance(found, str) and found and _is_secret(detail["loc"]) else describe(found)
    if kind in ("enum", "literal_error"):
        choices = re.findall(r"'([^']*)'", context["expected"])
        near = did_you_mean(str(found), choices)
        return f"expected one of {_listed(choices)}, found {shown}{near}"
    for begin, wanted in _WANTED:
        if kind.startswith(begin):
            return f"expected {wanted.format(**context)}, found {shown}"
    return f"{detail['msg']}, found {shown}"


def describe(value: object) -> str:
    """What was found, for a message."""
    if value == "":
        return "nothing"
    if value is None:
        return "null"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping"
    text = str(value)
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _unknown_key(models: Sequence[type[BaseModel]], key: str) -> str:
    noun = next((model.KEYS_ARE for model in models if issubclass(model, Strict)), "key")
    if any(key in getattr(model, "LATER", ()) for model in models):
        return f"`{key}` is not supported in this version"
    known = [field.alias or name for model in models for name, field in model.model_fields.items()]
    return f"unknown {noun} `{key}`" + (did_you_mean(key, known) or f"; expected one of {_listed(known)}")


def _models(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    """The models that may stand at a location."""
    types: list[Any] = [model]
    for part in location:
        types = [inner for outer in types for inner in _inside(outer, part)]
    found = [inner for outer in types for inner in _unwrapped(outer)]
    return [inner for inner in found if isinstance(inner, type) and issubclass(inner, BaseModel)]


def _inside(outer: Any, part: str | int) -> Iterator[Any]:
    """The types of what stands under one key or index of a type."""
    for plain in _unwrapped(outer):
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            for name, field in plain.model_fields.items():
                if part == (field.alias or name):
                    yield field
        elif get_origin(plain) in (list, tuple, dict) and get_args(plain):
            yield get_args(plain)[1 if get_origin(plain) is dict else 0]


def _unwrapped(outer: Any) -> Iterator[Any]:
    """A type without annotations and alternatives, as it is written in the file."""
    if isinstance(outer, FieldInfo):
        base, marks = outer.annotation, tuple(outer.metadata)
    elif get_origin(outer) is Annotated:
        base, *rest = get_args(outer)
        marks = tuple(rest)
    elif get_origin(outer) in (Union, UnionType):
        for choice in get_args(outer):
            yield from _unwrapped(choice)
        return
    else:
        yield outer
        return
    written = [mark.written for mark in marks if isinstance(mark, ReadAs)]
    yield from _unwrapped(written[0] if written else base)
