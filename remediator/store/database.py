"""The SQLite file: how it is opened, migrated and checkpointed.

Exactly one connection writes and checkpoints: SQLite before 3.51.3 can lose commits when two do
so at once. The statements elsewhere are portable; what is SQLite's own stands here.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import Connection, create_engine, event, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from remediator.store.errors import StoreError, explain
from remediator.store.schema import HEAD, prepare, revision_of
from remediator.store.sql import SQLITE, Statement, param
from remediator.store.tables import meta

T = TypeVar("T")

MEMORY = ":memory:"

WAL_LIMIT = 64 * 1024 * 1024
"""Bytes of write-ahead log at which a checkpoint is made even under load."""

# A log that starts over is cut to this. It is below WAL_LIMIT, so that the size of the file
# tells when the log has grown past the limit once more.
_WAL_KEPT = 16 * 1024 * 1024

_BUSY_SECONDS = 5.0

_META = Statement(select(meta.c.value).where(meta.c.key == param("key")))
_ADD_IDENTITY = str(insert(meta).on_conflict_do_nothing().compile(dialect=SQLITE))


def open_writer(path: str) -> sqlite3.Connection:
    """The writing connection, with the schema up to date. StoreError says what is in the way."""
    try:
        connection = _connect(path, "rwc")
        _on_core(connection, path, lambda core: revision_of(core, path))  # before anything of it is changed
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal" and path != MEMORY:
            raise StoreError(f"store {path}: its file system shares no memory; put it on a local disk")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        _on_core(connection, path, lambda core: prepare(core, path))
    except sqlite3.Error as error:
        raise explain(path, error) from error
    return connection


def open_reader(path: str) -> sqlite3.Connection:
    """A connection that can change nothing. StoreError says what is in the way."""
    try:
        return _connect(path, "ro")
    except sqlite3.Error as error:
        raise explain(path, error) from error


def open_audited(path: str) -> sqlite3.Connection:
    """A connection for an audit: it reads one moment, and can write temporary tables and nothing else.

    StoreError if there is nothing to audit, or nothing that this version can.
    """
    if not Path(path).is_file():
        raise StoreError(f"store {path}: there is no such file")
    try:
        connection = _connect(path, "ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            if Path(f"{path}-wal").exists():
                raise
            # A copy in a place that cannot be written, where no daemon can be at work either.
            connection = _connect(path, "ro&immutable=1")
        connection.execute("PRAGMA temp_store = FILE")
        revision = _on_core(connection, path, lambda core: revision_of(core, path), begin="BEGIN")
        if revision != HEAD:
            raise StoreError(
                f"store {path}: its schema has the revision {revision}, and this version of Remediator "
                f"audits {HEAD}; use the version that wrote it, or have a daemon of this one migrate it"
            )
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        connection.execute("BEGIN")
    except sqlite3.Error as error:
        raise explain(path, error) from error
    return connection


def check_place(path: str) -> None:
    """StoreError unless the database's directory is there and may be written to."""
    directory = Path(path).absolute().parent
    if not directory.is_dir():
        raise StoreError(f"store {path}: there is no directory {directory}; create it for the daemon's user")
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
        raise StoreError(f"store {path}: the directory {directory} cannot be written by the daemon's user")


def _connect(path: str, mode: Literal["ro", "ro&immutable=1", "rwc"]) -> sqlite3.Connection:
    address = path if path == MEMORY else f"{Path(path).absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        address,
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # transactions are begun and ended by statements of ours
        check_same_thread=False,
        cached_statements=512,
    )


def _on_core(
    connection: sqlite3.Connection, path: str, job: Callable[[Connection], T], begin: str = "BEGIN IMMEDIATE"
) -> T:
    """Run a job in a transaction of Core on this connection."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql(begin))
    try:
        with engine.begin() as transaction:
            return job(transaction)
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise explain(path, error.orig) from error
        raise


def identity_of(connection: sqlite3.Connection) -> str:
    """What tells this database from every other; made when it is first asked for."""
    values = ("identity", secrets.token_hex(16))
    connection.execute(_ADD_IDENTITY, values)
    return str(read_identity(connection))


def read_identity(connection: sqlite3.Connection) -> str | None:
    """The same, if it has been made."""
    row = _META.run(connection, key="identity").fetchone()
    return None if row is None else str(row[0])


def wal_bytes(path: str) -> int:
    """Size of the write-ahead log's file; 0 where there is none."""
    try:
        return os.stat(f"{path}-wal").st_size  # noqa: PTH116 - asked after every commit
    except OSError:
        return 0


def checkpoint(connection: sqlite3.Connection, *, truncate: bool = False) -> None:
    """Move the log into the database as far as no reader is in the way; `truncate`: and empty it."""
    connection.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if truncate else 'PASSIVE'})").fetchall()
