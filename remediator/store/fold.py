"""The state told anew: the tables as the events say that they must be, and where they differ.

Folds into temporary tables, which SQLite keeps on disk, so that a record of any length can be
checked in little memory.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, MetaData, Select, Table, and_, exists, or_, select
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.elements import ColumnElement

from remediator.model.text import harmless
from remediator.model.words import Json
from remediator.store.codec import codec
from remediator.store.sql import SQLITE, Statement, delete_text, upsert_text
from remediator.store.tables import TABLES

_SHOWN_CHARS = 80


def _folded(table: Table) -> Table:
    columns: list[Column[Any]] = [
        Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable, autoincrement=False)
        for c in table.c
    ]
    return Table(f"folded_{table.name}", MetaData(), *columns, prefixes=["TEMPORARY"])


_KINDS = {table.name: kind for kind, table in TABLES.items()}
_FOLDED = {table.name: _folded(table) for table in TABLES.values()}
_UPSERTS = {name: upsert_text(table) for name, table in _FOLDED.items()}
_DELETES = {name: delete_text(table) for name, table in _FOLDED.items()}


class Fold:
    """The tables that events make, beside those of the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for table in _FOLDED.values():
            connection.execute(str(CreateTable(table).compile(dialect=SQLITE)))

    def apply(self, told: Mapping[str, Json]) -> None:
        """Fold the body of one event in. ValueError if it does not tell of rows as events do."""
        try:
            for name, form in told["puts"]:
                self._connection.execute(_UPSERTS[name], codec(_KINDS[name]).row(form))
            for name, key in told["deletes"]:
                self._connection.execute(_DELETES[name], key)
        except (
            LookupError,
            TypeError,
            sqlite3.ProgrammingError,
            sqlite3.InterfaceError,
            sqlite3.IntegrityError,
        ) as error:
            raise ValueError(f"the rows that it tells of cannot be read: {error!r}") from error

    def differences(self) -> Iterator[str]:
        """Every row that is not as the record says, by table and key."""
        for stored in TABLES.values():
            yield from self._of_table(stored, _FOLDED[stored.name])

    def _of_table(self, stored: Table, folded: Table) -> Iterator[str]:
        for row in _absent(stored, folded).run(self._connection):
            yield f"{_name(stored, row)}: the row is there, but no event of the record put it there"
        for row in _absent(folded, stored).run(self._connection):
            yield f"{_name(stored, row)}: the row is missing; the record has it"
        for row in _differing(stored, folded).run(self._connection):
            column, is_now, told = _first_difference(stored, row)
            yield f"{_name(stored, row)}: column {column} is {shown(is_now)}, the record says {shown(told)}"


def _same_key(one: Table, other: Table) -> ColumnElement[bool]:
    return and_(*[one.c[key.name] == other.c[key.name] for key in one.primary_key])


def _absent(here: Table, there: Table) -> Statement:
    """The keys of `here` that `there` lacks."""
    keys = list(here.primary_key)
    found: Select[Any] = select(*keys).where(~exists().where(_same_key(there, here)))
    return Statement(found.order_by(*keys))


def _differing(stored: Table, folded: Table) -> Statement:
    """Rows of both, side by side, where they are not the same."""
    differ = or_(*[column.is_distinct_from(folded.c[column.name]) for column in stored.c])
    keys = [key.label(f"key_{key.name}") for key in stored.primary_key]
    found = select(*keys, stored, folded).join_from(stored, folded, _same_key(stored, folded))
    return Statement(found.where(differ).order_by(*stored.primary_key))


def _first_difference(table: Table, row: Sequence[Any]) -> tuple[str, Any, Any]:
    here = row[-2 * len(table.c) : -len(table.c)]
    told = row[-len(table.c) :]
    names = table.c.keys()
    return next(
        difference for difference in zip(names, here, told, strict=True) if difference[1] != difference[2]
    )


def _name(table: Table, row: Sequence[Any]) -> str:
    """Table and key of a row that begins with its key."""
    return f"{table.name} " + " ".join(
        f"{key.name}={shown(value) if isinstance(value, str) else value}"
        for key, value in zip(table.primary_key, row, strict=False)
    )


def shown(value: object) -> str:
    """A value as a message quotes it."""
    return harmless(repr(value), limit=_SHOWN_CHARS)
