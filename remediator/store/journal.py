"""The store read from its first entry to its last, for whoever wants to live through it again.

It only reads, from one moment of the store, and may do so beside a running daemon.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from types import TracebackType
from typing import Any

from sqlalchemy import select

from remediator.model.event import Event
from remediator.store.codec import codec, text_time
from remediator.store.database import open_audited
from remediator.store.errors import StoreError, explain
from remediator.store.records import Notification
from remediator.store.sql import Statement
from remediator.store.tables import TABLES, events, notifications

_KINDS = {table.name: kind for kind, table in TABLES.items()}
_EVENTS = Statement(select(events.c.body).order_by(events.c.seq))
_NOTIFICATIONS = Statement(
    select(
        notifications.c.id,
        notifications.c.received_at,
        notifications.c.source,
        notifications.c.body,
        notifications.c.sha256,
    ).order_by(notifications.c.id)
)


class Journal:
    """Everything that arrived and was decided. A context."""

    def __init__(self, path: str) -> None:
        """StoreError if there is no store at `path`, or none of this version."""
        self._path = path
        self._connection = open_audited(path)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def notifications(self) -> Iterator[Notification]:
        """What was received, in order. StoreError."""
        try:
            with closing(_NOTIFICATIONS.run(self._connection)) as rows:
                for number, at, source, body, sha256 in rows:
                    yield Notification(
                        id=number, received_at=text_time(at), source=source, body=body, sha256=sha256
                    )
        except sqlite3.Error as error:
            raise explain(self._path, error) from error

    def events(self) -> Iterator[Event]:
        """What was decided, in order, with the entities that were put; of deletions it tells nothing."""
        try:
            with closing(_EVENTS.run(self._connection)) as rows:
                for (body,) in rows:
                    yield _event(body)
        except sqlite3.Error as error:
            raise explain(self._path, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"store {self._path}: an event cannot be read ({error}); `remediator audit verify` tells more"
            ) from error


def _event(body: str) -> Event:
    told: dict[str, Any] = json.loads(body)
    return Event(
        chain=told["chain"],
        kind=told["kind"],
        at=text_time(told["at"]),
        actor=told["actor"],
        data=told["data"],
        puts=tuple(codec(_KINDS[table]).from_json(form) for table, form in told["puts"]),
    )
