"""The record: an event tells what was decided and why, and carries the rows that it changed.

Because every change of state travels in an event, the tables can be folded anew from the events
and compared: that is what `remediator audit verify` does.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from remediator.model.words import Json

SYSTEM = "system"


def incident_chain(incident_id: int) -> str:
    """Name of the chain that holds an incident's events."""
    return f"incident:{incident_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the record, before the store has numbered and chained it."""

    chain: str
    """`system`, or `incident:ID`."""
    kind: str
    """What happened, e.g. `run.held`."""
    at: datetime
    actor: str
    """`daemon`, `alertmanager`, or the name of a person."""
    data: dict[str, Json] = field(default_factory=dict)
    """Reason, facts and verdicts: what the decision rested on."""
    puts: tuple[Any, ...] = ()
    """Entities (see `remediator.model.run`) written with this event."""
    deletes: tuple[Any, ...] = ()
    """Entities removed with this event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as read back from the store."""

    seq: int
    """Place in the whole record."""
    chain: str
    number: int
    """Place in its chain, from 1."""
    kind: str
    at: datetime
    actor: str
    data: dict[str, Json]
    hash: str
