"""The record cannot be changed unseen: each event carries the hash of the one before it.

There is one chain for each incident and one for the system. Seals bind the chains together from
time to time, so that a cut tail shows; see `seal.py`.
"""

import hashlib
from typing import NamedTuple

from remediator.model.event import Event
from remediator.model.plan import canonical
from remediator.model.words import Json
from remediator.store.codec import time_text

GENESIS = "0" * 64
"""What the first event of a chain, and the first seal, are bound to."""


class Head(NamedTuple):
    """The last event of a chain."""

    number: int
    hash: str


EMPTY = Head(0, GENESIS)
"""The head of a chain that has no event yet."""


def body_of(event: Event, number: int, puts: list[Json], deletes: list[Json]) -> str:
    """The exact text that is stored and hashed: the event with the rows that it changes.

    `puts` holds [table, row], `deletes` [table, key].
    """
    return canonical(
        {
            "chain": event.chain,
            "number": number,
            "kind": event.kind,
            "at": time_text(event.at),
            "actor": event.actor,
            "data": event.data,
            "puts": puts,
            "deletes": deletes,
        }
    )


def link(previous: str, body: str) -> str:
    """The hash of an entry that follows the one with the hash `previous`."""
    return hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()
