"""How an entity becomes a row of its table, and its JSON form inside an event; and back.

One set of rules for all: times are text of fixed width in UTC, so that they sort; enums are
their values; dicts, tuples and free JSON are canonical JSON text. What a type needs is worked
out once, because every decision passes here many times.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter, itemgetter
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic_core import from_json

from remediator.model.plan import canonical
from remediator.model.words import Json

E = TypeVar("E")
Row = tuple[Any, ...]
"""Values as the database keeps them, in the order of the columns."""
Convert = Callable[[Any], Any]


@lru_cache(maxsize=1024)  # one decision writes the same moment many times
def time_text(at: datetime) -> str:
    """A moment as text of fixed width, which sorts as time does. ValueError without a time zone."""
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise ValueError(f"the time {at} has no time zone")
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")[:-6] + "Z"


def text_time(text: str) -> datetime:
    """The moment that `time_text` wrote."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Field:
    """How one field of an entity is kept."""

    name: str
    type: type
    """`dict` stands for everything that is kept as JSON text."""
    optional: bool
    dump: Convert | None
    """To its JSON form; None where the value is that already."""
    load: Convert | None
    """From its JSON form."""

    @property
    def is_json(self) -> bool:
        """True when the column holds JSON text. Such a column is never NULL: None is `null`."""
        return self.type is dict


def _field(name: str, hint: Any) -> Field:
    arguments = get_args(hint)
    optional = get_origin(hint) is UnionType and type(None) in arguments
    if optional:
        (hint,) = (argument for argument in arguments if argument is not type(None))
    kept: type
    dump: Convert | None = None
    load: Convert | None = None
    if get_origin(hint) is tuple:
        kept, dump, load = dict, list, tuple
    elif get_origin(hint) is dict or hint is Any:
        kept = dict
    elif hint is datetime:
        kept, dump, load = str, time_text, text_time
    elif issubclass(hint, StrEnum):
        kept, dump, load = str, attrgetter("_value_"), {member.value: member for member in hint}.__getitem__
    elif hint is bool:
        kept, load = bool, bool
    elif hint in (int, float, str):
        kept = hint
    else:
        raise TypeError(f"the store cannot keep the field {name}: {hint}")
    if optional:
        dump, load = dump and _unless_none(dump), load and _unless_none(load)
    return Field(name, kept, optional and kept is not dict, dump, load)


def _unless_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _parse(load: Convert | None) -> Convert:
    return _json if load is None else lambda text: load(_json(text))


def _json(text: str) -> Json:
    try:
        return from_json(text)  # many times faster than json.loads, which reads what it refuses as too deep
    except ValueError:
        return json.loads(text)


class Codec(Generic[E]):
    """The way of one entity type to its row and to JSON, and back. Get it from `codec`."""

    def __init__(self, kind: type[E]) -> None:
        hints = get_type_hints(kind)
        self.kind = kind
        self.fields = tuple(_field(f.name, hints[f.name]) for f in fields(kind))  # type: ignore[arg-type]  # E is a dataclass
        self.names = tuple(field.name for field in self.fields)
        self._attributes = attrgetter(*self.names)
        self._items = itemgetter(*self.names)
        self._set = [getattr(kind, name).__set__ for name in self.names]
        numbered = list(enumerate(self.fields))
        self._dumps = [(i, f.dump) for i, f in numbered if f.dump]
        self._loads = [(f.name, f.load) for f in self.fields if f.load]
        self._texts = [i for i, f in numbered if f.is_json]
        columns = [(i, _parse(f.load) if f.is_json else f.load) for i, f in numbered]
        self._columns = [(i, load) for i, load in columns if load]

    def to_json(self, entity: E) -> dict[str, Json]:
        """The fields as values that `json` can write."""
        values = list(self._attributes(entity))
        for index, dump in self._dumps:
            values[index] = dump(values[index])
        return dict(zip(self.names, values, strict=True))

    def from_json(self, form: Mapping[str, Json]) -> E:
        """The entity of a JSON form. KeyError if a field is missing."""
        values = dict(zip(self.names, self._items(form), strict=True))
        for name, load in self._loads:
            values[name] = load(values[name])
        return self.kind(**values)

    def row(self, form: Mapping[str, Json]) -> Row:
        """The row of a JSON form. KeyError if a field is missing."""
        values = list(self._items(form))
        for index in self._texts:
            values[index] = canonical(values[index])
        return tuple(values)

    def to_row(self, entity: E) -> Row:
        """The row of an entity."""
        return self.row(self.to_json(entity))

    def from_row(self, row: Row) -> E:
        """The entity of a row."""
        values = list(row)
        for index, load in self._columns:
            values[index] = load(values[index])
        # The __init__ of a frozen dataclass looks each field up again; this takes half the time.
        entity = object.__new__(self.kind)
        for put, value in zip(self._set, values, strict=True):
            put(entity, value)
        return entity


_codecs: dict[type, Codec[Any]] = {}


def codec(kind: type[E]) -> Codec[E]:
    """The codec of an entity type."""
    known = _codecs.get(kind)
    if known is None:
        known = _codecs[kind] = Codec(kind)
    return known
