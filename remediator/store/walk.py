"""The walk along the record, event by event, that an audit makes: chains, seals, and the fold.

Text is taken as it lies on the disk, also where it is no text any more: a changed byte must be named
by its event, whatever it made of it.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from remediator.model.words import Json
from remediator.store.chain import EMPTY, Head, link
from remediator.store.fold import Fold, shown
from remediator.store.seal import Seal, read_seals
from remediator.store.sql import Statement
from remediator.store.tables import events

_EVENTS = Statement(select(events).order_by(events.c.seq))
_IN_BODY = ("chain", "number", "kind", "at", "actor")

_CREATE = (
    "CREATE TEMPORARY TABLE heads (chain TEXT PRIMARY KEY, number INTEGER, hash TEXT) WITHOUT ROWID",
    "CREATE TEMPORARY TABLE taken_in (id INTEGER PRIMARY KEY, sha256 TEXT)",
)
_HEAD = "SELECT number, hash FROM heads WHERE chain = ?"
_SET_HEAD = "INSERT OR REPLACE INTO heads VALUES (?, ?, ?)"
_TAKE_IN = "INSERT OR REPLACE INTO taken_in VALUES (?, ?)"
_OTHER_CHAINS = """
    SELECT chain, c.number, c.hash, h.number, h.hash FROM chains c LEFT JOIN heads h USING (chain)
    WHERE c.number IS NOT h.number OR c.hash IS NOT h.hash ORDER BY chain
"""
_LOST_CHAINS = "SELECT chain FROM heads h WHERE chain NOT IN (SELECT chain FROM chains) ORDER BY chain"
_OTHER_BODIES = """
    SELECT id, n.sha256, t.sha256 FROM notifications n JOIN taken_in t USING (id)
    WHERE n.sha256 IS NOT t.sha256 ORDER BY id
"""


class Walk:
    """Goes through all events once, and keeps what must be compared afterwards."""

    def __init__(self, connection: sqlite3.Connection, fold: Fold) -> None:
        for statement in _CREATE:
            connection.execute(statement)
        self._connection = connection
        self._fold = fold
        self.seq = 0
        """The last event's."""
        self.events = 0
        self.sealed = 0
        """How many of the events are sealed."""
        self.last_seal: Seal | None = None
        self._seals = read_seals(connection)
        self._seal: Seal | None = None
        self._digest = hashlib.sha256()

    def problems(self) -> Iterator[str]:
        """What is wrong with events, chains and seals; afterwards the fold is complete."""
        yield from self._next_seal()
        for row in _EVENTS.run(self._connection):
            if row[0] != self.seq + 1:
                yield f"events: after seq {self.seq} comes seq {row[0]}: what was between them is missing"
            self.seq = row[0]
            self.events += 1
            yield from self._event(*row)
            yield from self._sealing(row[-1])
        yield from self._end()
        yield from self._chains()

    def _event(
        self, seq: int, chain: str, number: int, kind: str, at: str, actor: str, body: str, hashed: str
    ) -> Iterator[str]:
        name = f"events: chain {_plain(chain)}, event {number} (seq {seq})"
        head = self._head(chain)
        whole = _fits(head.hash, body, hashed)
        told = _parsed(body)
        if number != head.number + 1:
            yield f"{name}: it follows event {head.number} of its chain"
        elif not whole:
            yield f"{name}: hash does not fit"
        elif told is None:
            yield f"{name}: its body is not that of an event"
        if told is not None:
            for column, value in zip(_IN_BODY, (chain, number, kind, at, actor), strict=True):
                in_body = told.get(column)
                if in_body != value:
                    yield f"{name}: column {column} is {shown(value)}, its body says {shown(in_body)}"
            try:
                self._fold.apply(told)
                self._note(told["data"])
            except ValueError as error:
                if whole:
                    yield f"{name}: {error}"
        following = number if isinstance(number, int) else head.number + 1
        self._connection.execute(_SET_HEAD, (_plain(chain), following, _plain(hashed)))

    def _head(self, chain: str) -> Head:
        row = self._connection.execute(_HEAD, (_plain(chain),)).fetchone()
        return Head(*row) if row else EMPTY

    def _note(self, data: Json) -> None:
        """Keep which body was taken in as which notification."""
        if isinstance(data, dict) and {"notification", "sha256"} <= data.keys():
            self._connection.execute(_TAKE_IN, (data["notification"], data["sha256"]))

    def _sealing(self, hashed: str) -> Iterator[str]:
        """Take the event just seen into the digest, and compare it where a seal ends."""
        while self._seal is not None and self.seq > self._seal.last_seq:
            yield f"seals: seal {self._seal.number}: its last event, seq {self._seal.last_seq}, is missing"
            yield from self._next_seal()
        self._digest.update(f"{_plain(hashed)}\n".encode())
        if self._seal is not None and self.seq == self._seal.last_seq:
            if self._digest.hexdigest() != self._seal.digest:
                yield f"seals: seal {self._seal.number}: it was not over these events up to seq {self.seq}"
            self.sealed = self.events
            yield from self._next_seal()

    def _next_seal(self) -> Iterator[str]:
        """Go on to the next seal, and check that it is bound to the one before."""
        self.last_seal = self._seal or self.last_seal
        self._seal = next(self._seals, None)
        self._digest = hashlib.sha256()
        if self._seal is not None and not _is_bound(self._seal, self.last_seal):
            yield f"seals: seal {self._seal.number}: hash does not fit"
            last_seq: Any = self._seal.last_seq
            if not isinstance(last_seq, int):
                self._seal = None  # nothing can be told any more of what it and the next ones are over

    def _end(self) -> Iterator[str]:
        """Whether something was cut off the end, as far as the database itself shows it."""
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        given = row[0] if row else 0
        if given != self.seq:
            yield (
                f"events: the record ends with seq {self.seq}, but the last seq that was given is {given}: "
                "its tail was cut"
            )
        while self._seal is not None:
            yield (
                f"seals: seal {self._seal.number} is over the events up to seq {self._seal.last_seq}, "
                f"but the record ends with seq {self.seq}: its tail was cut"
            )
            yield from self._next_seal()

    def _chains(self) -> Iterator[str]:
        """The heads as the table has them, and as the events make them."""
        for chain, number, hashed, last, head in self._connection.execute(_OTHER_CHAINS):
            name = f"chains chain={shown(chain)}"
            if last is None:
                yield f"{name}: the row is there, but the record has no event of this chain"
            elif number != last:
                yield f"{name}: it ends with event {number}, the events with event {last}"
            else:
                yield f"{name}: column hash is {shown(hashed)}, that of its last event is {shown(head)}"
        for (chain,) in self._connection.execute(_LOST_CHAINS):
            yield f"chains chain={shown(chain)}: the row is missing; the record has it"

    def other_bodies(self) -> Iterator[str]:
        """Notifications that are not those which the record took in."""
        for key, is_now, told in self._connection.execute(_OTHER_BODIES):
            yield f"notifications id={key}: column sha256 is {shown(is_now)}, the record says {shown(told)}"


def _parsed(body: str) -> dict[str, Json] | None:
    """What an event's body tells; None if it is not one."""
    try:
        told = json.loads(body)
    except (TypeError, ValueError):
        return None
    is_event = isinstance(told, dict) and {"puts", "deletes", "data"} <= told.keys()
    return told if is_event else None


def _fits(previous: str, body: str, hashed: str) -> bool:
    try:
        return link(previous, body) == hashed
    except UnicodeEncodeError:
        return False


def _is_bound(seal: Seal, previous: Seal | None) -> bool:
    try:
        return Seal.make(previous, seal.at, seal.last_seq, seal.digest) == seal
    except (TypeError, UnicodeEncodeError):
        return False


def _plain(text: Any) -> str:
    """What lies where text should be, as text that can be written again."""
    return str(text).encode("utf-8", "backslashreplace").decode()
