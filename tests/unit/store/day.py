"""A store that has seen a short day, and what an audit says after somebody laid hands on it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from remediator.model.run import Lock
from remediator.model.words import IncidentStatus, RunStatus
from remediator.store.audit import Report, verify
from tests.unit.still_clock import NOON
from tests.unit.store.given import attempt, episode, event, incident, run, saving

if TYPE_CHECKING:
    from remediator.store import Store, Transaction


async def fill(store: Store) -> None:
    """A short day: two incidents, two seals, and something after the last one."""
    for body in (b"first", b"second"):
        number = await store.add_notification(body, "am")

        def take_in(transaction: Transaction, number: int = number) -> None:
            (notification, *_) = transaction.pending_notifications(1)
            transaction.save([event(notification=number, sha256=notification.sha256)])
            transaction.mark_processed(number)

        await store.write(take_in)
    evidence = await store.write(lambda transaction: transaction.add_evidence(b"a log", "text/plain"))
    lock = Lock(service="web", run_id=1, since=NOON)
    await store.write(saving(event(incident(1), incident_id=1), event(run(1), incident_id=1)))
    await store.write(
        saving(event(attempt(1), lock, run(1, triaged=True, evidence=(evidence,)), incident_id=1))
    )
    await store.write(saving(event(incident(2, "db"), episode(2, incident_id=2), incident_id=2)))
    await store.seal()
    await store.write(saving(event(run(1, status=RunStatus.VERIFYING), incident_id=1)))
    await store.write(saving(event(incident(2, "db", status=IncidentStatus.RESOLVED), incident_id=2)))
    await store.seal()
    await store.write(saving(event(deletes=(lock,), incident_id=1)))


def tampered(path: str, *statements: str) -> Report:
    """What an audit says after somebody with the file in his hands ran these statements."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, "nothing was changed"
        for _, text in triggers:
            connection.execute(text)
    return verify(path)
