"""A plan: operations on exact objects, and the digest that an approval is given for."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from remediator.model.words import Json

_EMPTY = {dict: "{}", list: "[]", type(None): "null", str: '""'}
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Json) -> str:
    """The one JSON text of a value: sorted keys, no spaces, non-ASCII kept."""
    # Most columns of a row hold nothing, and starting the encoder costs more than its work.
    return _encode(value) if value else _EMPTY.get(type(value)) or _encode(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One change to one object, as an action planned it: the unit of intent, safe point and probe."""

    kind: str
    """What is done, e.g. `container.restart`."""
    object_id: str
    """The engine's own full id of what is changed."""
    object_name: str
    """The same for people."""
    change: dict[str, Json] = field(default_factory=dict)
    """The intended change. Part of the digest: nothing in it may flicker."""
    before: dict[str, Json] = field(default_factory=dict)
    """What a probe compares with, e.g. the start time before a restart. Not in the digest."""
    timeout: timedelta = timedelta(seconds=60)
    """After this the act is over, one way or the other, or its outcome is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSpec:
    """What an action wants done, before it has a place in the store."""

    action: str
    params: dict[str, Json]
    operations: tuple[OperationSpec, ...]
    summary: str
    """One line for people: what will happen to what."""

    def digest(self, rule_version: str, step: int = 0) -> str:
        """The fingerprint an approval pins: action, parameters, objects, changes, rule version, step.

        The step is in it because a yes to the first rung of a ladder is none to a later one that does
        the same once more.
        """
        body = [
            self.action,
            self.params,
            [[o.kind, o.object_id, o.change] for o in self.operations],
            rule_version,
            step,
        ]
        return hashlib.sha256(canonical(body).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A planned step of a run, as stored. Never changed; a new plan replaces it."""

    id: int
    run_id: int
    step: int
    digest: str
    action: str
    params: dict[str, Json]
    summary: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A planned operation, as stored. What became of it is told by its attempts."""

    id: int
    plan_id: int
    number: int
    kind: str
    object_id: str
    object_name: str
    change: dict[str, Json]
    before: dict[str, Json]
    timeout: float
    """Seconds."""
