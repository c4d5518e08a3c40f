"""A snapshot: the entities that one decision looks at, and may replace.

The store loads one inside a write transaction; tests and the simulator fill one by hand.
"""

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, TypeVar

from remediator.model.alert import Episode
from remediator.model.plan import Operation, Plan
from remediator.model.run import (
    Approval,
    ApprovalDecision,
    Attempt,
    Claim,
    Control,
    Effect,
    Incident,
    Lock,
    Message,
    Run,
    Timer,
)

E = TypeVar("E")

KEYS: dict[type, tuple[str, ...]] = {
    Episode: ("id",),
    Incident: ("id",),
    Run: ("id",),
    Plan: ("id",),
    Operation: ("id",),
    Attempt: ("id",),
    Approval: ("id",),
    ApprovalDecision: ("approval_id", "actor"),
    Effect: ("id",),
    Claim: ("effect_id", "incident_id"),
    Lock: ("service",),
    Timer: ("key",),
    Control: ("key",),
    Message: ("id",),
}
"""Every entity that events carry, with the fields that make its primary key."""


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) == 1:
        get = attrgetter(*names)
        return lambda entity: (get(entity),)
    return attrgetter(*names)


_GETTERS = {kind: _getter(names) for kind, names in KEYS.items()}


def key_of(entity: Any) -> tuple[Any, ...]:
    """Primary key of an entity, as a tuple."""
    return _GETTERS[type(entity)](entity)


class Snapshot:
    """Entities by type and key. Private to one decision, so it may be written to."""

    def __init__(
        self,
        entities: Iterable[Any] = (),
        *,
        next_id: Callable[[type], int] | None = None,
        fires_beyond: Iterable[tuple[int, str | None]] = (),
    ) -> None:
        """`next_id` numbers new entities. For `fires_beyond` see the attribute."""
        self.fires_beyond = frozenset(fires_beyond)
        """Incident and rule of episodes that fire, and are not in here because nothing is to be decided
        about them: of ten thousand alerts of one service a decision is given those that it is about."""
        self._entities: dict[type, dict[tuple[Any, ...], Any]] = {}
        self._next_id = next_id
        self._given: dict[type, int] = {}
        for entity in entities:
            self.put(entity)

    def put(self, entity: Any) -> None:
        """Add an entity, or replace the one with its key."""
        self._entities.setdefault(type(entity), {})[key_of(entity)] = entity

    def delete(self, entity: Any) -> None:
        """Remove the entity with this key, if it is here."""
        self._entities.get(type(entity), {}).pop(key_of(entity), None)

    def find(self, kind: type[E], *key: Any) -> E | None:
        """The entity with this key, or None."""
        return self._entities.get(kind, {}).get(key)

    def get(self, kind: type[E], *key: Any) -> E:
        """The entity with this key; KeyError if it is not in the snapshot."""
        entity: E = self._entities.get(kind, {})[key]
        return entity

    def all(self, kind: type[E]) -> Iterator[E]:
        """All entities of a kind, in the order they came."""
        return iter(list(self._entities.get(kind, {}).values()))

    def next_id(self, kind: type) -> int:
        """A number for a new entity, never given before: from the store, or one above the highest here."""
        if self._next_id is not None:
            return self._next_id(kind)
        highest = max((key[0] for key in self._entities.get(kind, {})), default=0)
        self._given[kind] = max(highest, self._given.get(kind, 0)) + 1
        return self._given[kind]
