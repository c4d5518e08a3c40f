"""Any entity at all: a strategy for each type that the store keeps, made from the type's own fields."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from remediator.model.snapshot import KEYS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)  # half a surrogate pair is no text
NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))])).filter(
    # Those that UTC has no year for.
    lambda at: 1 < at.year < 9999
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


def _of(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is UnionType:
        return st.one_of([st.none() if part is type(None) else _of(part) for part in get_args(hint)])
    if get_origin(hint) is tuple:
        return st.lists(JSON, max_size=3).map(tuple)
    if get_origin(hint) is dict:
        values = TEXT if get_args(hint)[1] is str else JSON
        return st.dictionaries(TEXT, values, max_size=3)
    if hint is Any:
        return JSON
    if issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    return {str: TEXT, int: NUMBERS, float: FLOATS, bool: st.booleans(), datetime: MOMENTS}[hint]


def entities(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any entity of one type."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: _of(hints[field.name]) for field in fields(kind)})


ENTITIES = st.one_of([entities(kind) for kind in KEYS])
"""Any entity of any type."""
