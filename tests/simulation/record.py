"""Holds the database at the end against what was seen on the way: rows, chains, and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from remediator.model.run import Message
from remediator.model.snapshot import KEYS, Snapshot
from remediator.store.chain import EMPTY, link
from remediator.store.sql import Query
from remediator.store.tables import TABLES
from tests.unit.decide.invariants import check_state

if TYPE_CHECKING:
    from remediator.store import Reader
    from tests.simulation.house import House

_ROWS: dict[type, Query[Any]] = {kind: Query(kind, select(TABLES[kind])) for kind in KEYS}


async def check_record(house: House) -> None:
    """AssertionError where the store and the witness tell different stories."""
    stored = await house.store.read(_rows)
    check_state(stored, house.witness.state, house.witness.events)
    await house.store.read(_check_chains)
    _check_messages(house)


def _rows(reader: Reader) -> Snapshot:
    """The whole state, as the tables have it."""
    return Snapshot(entity for query in _ROWS.values() for entity in query.all(reader._connection))


def _check_chains(reader: Reader) -> None:
    """Every chain counts from 1 without a gap, and each hash binds what came before."""
    heads = {}
    rows = reader._connection.execute("SELECT seq, chain, number, body, hash FROM events ORDER BY seq")
    for expected, (seq, chain, number, body, hash_) in enumerate(rows, 1):
        before = heads.get(chain, EMPTY)
        assert seq == expected, f"event {expected} is missing"
        assert number == before.number + 1, f"{chain} has a gap before {number}"
        assert hash_ == link(before.hash, body), f"{chain} is broken at {number}"
        heads[chain] = type(before)(number, hash_)


def _check_messages(house: House) -> None:
    """What the record says was delivered was, in order; and twice only what a death cut off."""
    messages = {m.id: m for m in house.witness.state.all(Message)}
    for channel, inbox in house.inboxes.items():
        taken = [m.id for m in inbox.taken]
        once = list(dict.fromkeys(taken))
        for message in messages.values():
            if message.channel == channel and message.status == "delivered":
                assert message.id in taken, f"message {message.id} was never delivered"
        again = {number for number in once if taken.count(number) > 1}
        assert again <= house.twice, f"messages {again - house.twice} came more than once"
        for incident in {m.incident_id for m in messages.values()}:
            order = [number for number in once if messages[number].incident_id == incident]
            assert order == sorted(order), f"the messages of incident {incident} came as {order}"
