"""Seals: hashes over all chains together, kept in the database and in a file outside of it.

A chain alone cannot show that its last events were cut off, and a table of seals could be cut
with them. The file, `PATH.seals`, can be copied elsewhere, line by line, as it grows.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from sqlalchemy import select

from remediator.model.plan import canonical
from remediator.store.chain import GENESIS, link
from remediator.store.codec import time_text
from remediator.store.errors import StoreError
from remediator.store.sql import Statement, insert_text, param
from remediator.store.tables import events, seals

_LAST = Statement(select(seals).order_by(seals.c.number.desc()).limit(1))
_AFTER = Statement(select(seals).where(seals.c.number > param("number")).order_by(seals.c.number))
_HASHES = Statement(
    select(events.c.seq, events.c.hash).where(events.c.seq > param("seq")).order_by(events.c.seq)
)
_ADD = insert_text(seals)

_TAIL_BYTES = 4096
# More than a line is long.


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal, over the events after the one before up to `last_seq`."""

    number: int
    at: str
    last_seq: int
    digest: str
    """Over the hashes of these events, in their order."""
    hash: str
    """Binds this seal to the one before."""

    @classmethod
    def make(cls, previous: "Seal | None", at: str, last_seq: int, digest: str) -> "Seal":
        """The seal that follows `previous`."""
        number = 1 if previous is None else previous.number + 1
        body = canonical({"number": number, "at": at, "last_seq": last_seq, "digest": digest})
        return cls(number, at, last_seq, digest, link(previous.hash if previous else GENESIS, body))


def digest_of(hashes: Iterable[str]) -> str:
    """What a seal says of the events that it covers."""
    digest = hashlib.sha256()
    for text in hashes:
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()


def read_seals(connection: sqlite3.Connection, after: int = 0) -> Iterator[Seal]:
    """The seals of the database with a number above `after`, in order."""
    return (Seal(*row) for row in _AFTER.run(connection, number=after))


def write_seal(connection: sqlite3.Connection, at: datetime) -> Seal | None:
    """Seal the events that are not sealed yet, inside the open transaction. None if there are none."""
    row = _LAST.run(connection).fetchone()
    previous = None if row is None else Seal(*row)
    last_seq = covered = previous.last_seq if previous else 0

    def hashes() -> Iterator[str]:
        nonlocal last_seq
        for last_seq, text in _HASHES.run(connection, seq=covered):  # noqa: B007 - the last one is kept
            yield text

    digest = digest_of(hashes())
    if last_seq == covered:
        return None
    seal = Seal.make(previous, time_text(at), last_seq, digest)
    connection.execute(_ADD, (seal.number, seal.at, seal.last_seq, seal.digest, seal.hash))
    return seal


class SealFile:
    """The copy of the seals outside the database: one JSON object a line."""

    def __init__(self, path: str) -> None:
        self.path = Path(f"{path}.seals")
        self._lock = Lock()

    def read(self) -> Iterator[Seal]:
        """The seals in the file, without a last line that a crash cut short.

        ValueError if a line is something else, OSError if the file cannot be read; one that is not
        there holds none.
        """
        try:
            with self.path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield _parse(line)
        except FileNotFoundError:
            return

    def count(self) -> int:
        """How many seals the file holds. OSError if it cannot be read."""
        try:
            with self.path.open("rb") as file:
                return sum(1 for line in file if line.endswith(b"\n"))
        except FileNotFoundError:
            return 0

    def catch_up(self, connection: sqlite3.Connection) -> None:
        """Append the committed seals that the file lacks, to disk. StoreError if that fails."""
        try:
            with self._lock, self.path.open("a+b") as file:
                last = self._last(file)
                lacking = list(read_seals(connection, after=last.number if last else 0))
                if lacking:
                    file.writelines(canonical(asdict(seal)).encode() + b"\n" for seal in lacking)
                    file.flush()
                    os.fsync(file.fileno())
        except (OSError, ValueError) as error:
            raise StoreError(
                f"seals {self.path}: {error}; the seals stay in the database and are appended here "
                "when that is mended"
            ) from error

    def _last(self, file: BinaryIO) -> Seal | None:
        """The last seal in the file; what a crash left of an unfinished line after it is removed."""
        start = max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES)
        file.seek(start)
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            file.truncate(start + whole)
        lines = tail[:whole].splitlines()
        return _parse(lines[-1]) if lines else None


def _parse(line: bytes) -> Seal:
    try:
        return Seal(**json.loads(line))
    except (TypeError, ValueError):
        raise ValueError(f"this line is not a seal: {line[:80]!r}") from None
