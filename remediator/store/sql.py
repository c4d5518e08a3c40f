"""Core builds the statements, once; the driver runs them.

Each statement is turned into text when it is first used. Running that text on the driver's own
connection costs a few microseconds, several times less than going through Core each time, and
a decision reads a dozen statements inside the one write transaction that everybody waits for.
"""

import sqlite3
from collections.abc import Iterable
from functools import cached_property
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BindParameter,
    Select,
    Table,
    Text,
    Update,
    bindparam,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.sqlite import dialect, insert
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.sql.selectable import FromClause, ScalarSelect

from remediator.store.codec import codec

E = TypeVar("E")


class _Compiler(SQLiteCompiler):
    """Writes the hints that a statement carries, which Core leaves out for SQLite."""

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        return text


_BY_NAME = dialect(paramstyle="named")
_BY_NAME.statement_compiler = _Compiler
SQLITE = dialect(paramstyle="qmark")
"""For statements whose values are given by place."""

_NUL = literal_column("char(0)", Text())
_ESCAPE = literal_column("char(1)", Text())


def param(name: str) -> BindParameter[Any]:
    """A value that is given when the statement runs."""
    return bindparam(name)


def each(name: str) -> ScalarSelect[Any]:
    """The numbers of a list that is given when the statement runs, made by `listed`: any number of them."""
    values = func.json_each(bindparam(name)).table_valued("value", name=f"each_{name}")
    return select(values.c.value).scalar_subquery()


def each_text(name: str) -> ScalarSelect[Any]:
    """The same for a list of texts."""
    values = func.json_each(bindparam(name)).table_valued("value", name=f"each_{name}")
    text: Any = values.c.value
    for mark, char in (("nul", _NUL), ("one", _ESCAPE)):
        text = func.replace(text, _ESCAPE.concat(literal_column(f"'{mark}'")), char)
    return select(text).scalar_subquery()


def listed(values: Iterable[int | str]) -> str:
    """A list as a value for a statement with `each` or `each_text`."""
    return f"[{','.join([str(v) if isinstance(v, int) else _quoted(_escaped(v)) for v in values])}]"


def _escaped(text: str) -> str:
    # SQLite ends a text of a JSON list at a NUL character, and labels from outside may hold one.
    if "\x00" in text or "\x01" in text:
        return text.replace("\x01", "\x01one").replace("\x00", "\x01nul")
    return text


def served_by(index: str, core: Select[Any]) -> Select[Any]:
    """The SELECT with a hint which index to use.

    Without statistics SQLite takes a partial index and a full one for equally good, and the full one
    also holds all that is long over.
    """
    (table,) = core.get_final_froms()
    return core.with_hint(table, f"INDEXED BY {index}", "sqlite")


class Statement:
    """A statement with named parameters."""

    def __init__(self, core: Select[Any] | Update) -> None:
        self._core = core

    @cached_property
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        compiled = self._core.compile(dialect=_BY_NAME)
        return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}

    def run(self, connection: sqlite3.Connection, **values: Any) -> sqlite3.Cursor:
        """Run it, and return the rows."""
        text, constants = self._compiled
        return connection.execute(text, constants | values)


class Query(Statement, Generic[E]):
    """A SELECT of whole entities of one type."""

    def __init__(self, kind: type[E], core: Select[Any]) -> None:
        super().__init__(core)
        self._load = codec(kind).from_row

    def all(self, connection: sqlite3.Connection, **values: Any) -> list[E]:
        """Every entity that it finds."""
        load = self._load
        return [load(row) for row in self.run(connection, **values)]

    def first(self, connection: sqlite3.Connection, **values: Any) -> E | None:
        """The first entity that it finds, or None."""
        row = self.run(connection, **values).fetchone()
        return None if row is None else self._load(row)


def insert_text(table: Table) -> str:
    """An INSERT of whole rows, by place."""
    return str(insert(table).compile(dialect=SQLITE))


def upsert_text(table: Table) -> str:
    """An INSERT of whole rows, by place, that replaces the row with the same key."""
    statement = insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
    return str(upsert.compile(dialect=SQLITE))


def delete_text(table: Table) -> str:
    """A DELETE of the row with this key, by place."""
    keys = [column == bindparam(column.name) for column in table.primary_key]
    return str(delete(table).where(*keys).compile(dialect=SQLITE))
