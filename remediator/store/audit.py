"""Whether the record is whole, and the tables are what it says: `remediator audit verify`.

Trusts nothing that it can work out: hashes are taken anew, and the tables are folded anew from the
events. It only reads, from one moment of the store, and may do so beside a running daemon.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from sqlalchemy import Column, Table, func, select

from remediator.model.words import Json
from remediator.store.database import MEMORY, open_audited, open_writer, read_identity
from remediator.store.errors import StoreError, explain
from remediator.store.fold import Fold, shown
from remediator.store.seal import SealFile, read_seals
from remediator.store.sql import Statement
from remediator.store.tables import TABLES, chains, evidence, notifications, seals
from remediator.store.walk import Walk

_GUARDS = (
    "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') ORDER BY type DESC, name"
)

MOST_PROBLEMS = 20
"""After so many the audit stops looking: the first is what matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an audit found."""

    ok: bool
    problem: str | None
    """The first thing that is wrong: it names table and row, or chain, number and seq of an event."""
    problems: tuple[str, ...] = ()
    """That and the next ones, up to MOST_PROBLEMS."""
    identity: str = ""
    """Of the database."""
    last_seal: Json = None
    """Number, time and hash of the last seal, to be compared with a copy that was kept elsewhere."""
    counts: dict[str, int] = field(default_factory=dict)
    """How much of everything was looked at; `unsealed` are the events after the last seal."""


def verify(path: str) -> Report:
    """Check the store at `path` from its first event to its last row.

    Raises StoreError if there is none, if it is of another version, or if it cannot be read.
    """
    file = SealFile(path)
    try:
        # Seals go into the database first. So what is in the file now has to be in the moment of the
        # database that is looked at from here on, and what comes into the file later may not be.
        in_file = file.count()
        with closing(open_audited(path)) as connection:
            return _report(connection, file, in_file)
    except sqlite3.Error as error:
        raise explain(path, error) from error
    except OSError as error:
        raise StoreError(f"seals {file.path}: {error.strerror}") from error


def _report(connection: sqlite3.Connection, file: SealFile, in_file: int) -> Report:
    fold = Fold(connection)
    walk = Walk(connection, fold)
    looks = chain(
        _damage(connection),
        walk.problems(),
        fold.differences(),
        walk.other_bodies(),
        _contents(connection, notifications, notifications.c.body),
        _contents(connection, evidence, evidence.c.content),
        _seal_file(connection, file, in_file),
        _schema(connection),
    )
    problems = tuple(islice(looks, MOST_PROBLEMS))
    last = walk.last_seal
    return Report(
        ok=not problems,
        problem=problems[0] if problems else None,
        problems=problems,
        identity=read_identity(connection) or "",
        last_seal=None if last is None else {"number": last.number, "at": last.at, "hash": last.hash},
        counts={
            "events": walk.events,
            "chains": _count(connection, chains),
            "seals": _count(connection, seals),
            "unsealed": walk.events - walk.sealed,
            "rows": sum(_count(connection, table) for table in TABLES.values()),
            "notifications": _count(connection, notifications),
            "evidence": _count(connection, evidence),
        },
    )


def _count(connection: sqlite3.Connection, table: Table) -> int:
    number: int = Statement(select(func.count()).select_from(table)).run(connection).fetchone()[0]
    return number


def _damage(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite itself finds wrong with the file."""
    for (found,) in connection.execute("PRAGMA quick_check(1)"):
        if found != "ok":
            yield f"database: {shown(found)}"


def _contents(connection: sqlite3.Connection, table: Table, content: Column[Any]) -> Iterator[str]:
    """Rows whose content is not what their hash says."""
    (key,) = table.primary_key
    for name, hashed, data in Statement(select(key, table.c.sha256, content)).run(connection):
        if hashlib.sha256(data if isinstance(data, bytes) else b"").hexdigest() != hashed:
            yield f"{table.name} {key.name}={name}: {content.name} does not fit its sha256"


def _seal_file(connection: sqlite3.Connection, file: SealFile, in_file: int) -> Iterator[str]:
    """The seals of the database and those of the file, side by side."""
    copies = file.read()
    seen = 0
    try:
        for seal in read_seals(connection):
            seen += 1
            copy = next(copies, None)
            if copy is None:
                yield (
                    f"seals file {file.path}: seal {seal.number} is missing, the database has it; the file "
                    "was cut, or the daemon was killed before it wrote there: then starting it mends this"
                )
                return
            if copy != seal:
                yield f"seals file {file.path}: seal {copy.number} is not seal {seal.number} of the database"
                return
        if in_file > seen:
            copy = next(copies)
            yield (
                f"seals: seal {copy.number}, over the events up to seq {copy.last_seq}, is in the file "
                f"{file.path} and not in the database: its tail was cut"
            )
    except ValueError as error:
        yield f"seals file {file.path}: {error}"


def _schema(connection: sqlite3.Connection) -> Iterator[str]:
    """The triggers and indexes that keep the record and the state from being changed wrongly."""
    with closing(open_writer(MEMORY)) as fresh:
        wanted = fresh.execute(_GUARDS).fetchall()
    there = {(kind, name): text for kind, name, text in connection.execute(_GUARDS)}
    for kind, name, text in wanted:
        if (kind, name) not in there:
            yield f"schema: the {kind} {name} is missing"
        elif kind == "trigger" and there[kind, name] != text:
            yield f"schema: the trigger {name} is not what it has to be"
