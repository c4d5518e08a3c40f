"""The face of the store inside a write transaction: what one decision reads and writes.

State changes only by way of `save`: rows and the events that tell of them go in together, so
the tables can always be folded anew from the record.
"""

import hashlib
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.sqlite import insert

from remediator.model.event import Event
from remediator.model.snapshot import KEYS, Snapshot, key_of
from remediator.model.words import Json
from remediator.store.chain import Head, body_of, link
from remediator.store.codec import Row, codec, time_text
from remediator.store.errors import StoreRefused
from remediator.store.memory import Memory
from remediator.store.queries import Reader
from remediator.store.seal import Seal, write_seal
from remediator.store.snapshots import load_snapshot
from remediator.store.sql import SQLITE, Statement, delete_text, insert_text, param, upsert_text
from remediator.store.tables import TABLES, chains, events, evidence, meta, notifications, quarantine

_UPSERTS = {kind: upsert_text(table) for kind, table in TABLES.items()}
_DELETES = {kind: delete_text(table) for kind, table in TABLES.items()}
_NUMBERED = {kind for kind, keys in KEYS.items() if keys == ("id",)}
_ADD_EVENT = insert_text(events)
_SET_HEAD = upsert_text(chains)
_SET_META = upsert_text(meta)
_PROCESSED = Statement(
    update(notifications).where(notifications.c.id == param("notification")).values(processed=True)
)
_ADD_QUARANTINE = insert_text(quarantine)
_ADD_EVIDENCE = str(insert(evidence).on_conflict_do_nothing().compile(dialect=SQLITE))


class Transaction(Reader):
    """One job's reads and writes: all of them happen, or none."""

    def __init__(self, connection: sqlite3.Connection, memory: Memory, now: datetime) -> None:
        super().__init__(connection)
        self._memory = memory
        self._now = now
        self.saved: list[Event] = []
        """The events of this transaction so far."""
        self.broken = False
        """True after a save failed half-way: then nothing of this may be committed."""

    def snapshot(
        self,
        *,
        fingerprints: Iterable[str] = (),
        keys: Iterable[str] = (),
        incidents: Iterable[int] = (),
        runs: Iterable[int] = (),
    ) -> Snapshot:
        """As the reader's; new entities get their numbers from the store."""
        return load_snapshot(
            self._connection,
            fingerprints=fingerprints,
            keys=keys,
            incidents=incidents,
            runs=runs,
            next_id=self.next_id,
        )

    def next_id(self, kind: type) -> int:
        """A number for a new entity, never given before. TypeError if its key is not a number."""
        return self._memory.take(TABLES[kind])

    def save(self, decided: Iterable[Event]) -> None:
        """Write these events, in their order, with the rows that they carry.

        Whatever it raises ends the transaction: a row that would break what must never happen twice,
        or an event that holds what JSON cannot tell.
        """
        if self.broken:
            raise StoreRefused("events of this transaction could not be saved: it cannot go on")
        self.broken = True
        heads: dict[str, Head] = {}
        rows: list[Row] = []
        for event in decided:
            puts, deletes = self._change(event)
            before = heads.get(event.chain) or self._memory.head(event.chain)
            number = before.number + 1
            body = body_of(event, number, puts, deletes)
            head = heads[event.chain] = Head(number, link(before.hash, body))
            at = time_text(event.at)
            rows.append((None, event.chain, number, event.kind, at, event.actor, body, head.hash))
            self.saved.append(event)
        self._connection.executemany(_ADD_EVENT, rows)
        self._connection.executemany(_SET_HEAD, [(chain, *head) for chain, head in heads.items()])
        for chain, head in heads.items():
            self._memory.set_head(chain, head)
        self.broken = False

    def _change(self, event: Event) -> tuple[list[Json], list[Json]]:
        """Write the rows of an event, and return what its body tells of them."""
        puts: list[Json] = []
        for entity in event.puts:
            kind: type[Any] = type(entity)
            coding = codec(kind)
            form = coding.to_json(entity)
            self._connection.execute(_UPSERTS[kind], coding.row(form))
            if kind in _NUMBERED:
                self._memory.saw(TABLES[kind], entity.id)
            puts.append([TABLES[kind].name, form])
        deletes: list[Json] = []
        for entity in event.deletes:
            key = key_of(entity)
            self._connection.execute(_DELETES[type(entity)], key)
            deletes.append([TABLES[type(entity)].name, list(key)])
        return puts, deletes

    def mark_processed(self, notification_id: int) -> None:
        """A notification is decided about. StoreRefused if there is no such notification."""
        if _PROCESSED.run(self._connection, notification=notification_id).rowcount != 1:
            raise StoreRefused(f"there is no notification {notification_id}")

    def add_quarantine(self, notification_id: int, position: int, raw: str, error: str) -> None:
        """Keep an alert that cannot be read: the one at `position` of a notification."""
        number = self._memory.take(quarantine)
        row = (number, notification_id, position, _encodable(raw), _encodable(error), time_text(self._now))
        self._connection.execute(_ADD_QUARANTINE, row)

    def add_evidence(self, content: bytes, media_type: str) -> str:
        """Keep what a check or an act saw, once; returns its hash, by which events name it."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._connection.execute(_ADD_EVIDENCE, (sha256, media_type, content, time_text(self._now)))
        return sha256

    def seal(self) -> Seal | None:
        """Seal the events that are not sealed yet. None if there are none."""
        return write_seal(self._connection, self._now)

    def touch(self) -> None:
        """Write something that means nothing, to find out whether writing works."""
        self._connection.execute(_SET_META, ("checked_at", time_text(self._now)))


def _encodable(text: str) -> str:
    """Half of a surrogate pair, which JSON can spell and no database can keep, becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode()
