"""A draft: the events of one decision as it is being made, over the snapshot it reads."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from remediator.model.event import SYSTEM, Event, incident_chain
from remediator.model.rule import Classification, Rule
from remediator.model.run import Message, Run
from remediator.model.snapshot import Snapshot
from remediator.model.words import Json

DAEMON = "daemon"


class Draft:
    """Collects events, and applies each to the snapshot so that what follows sees it."""

    def __init__(
        self,
        snapshot: Snapshot,
        now: datetime,
        *,
        actor: str = DAEMON,
        find_rule: Callable[[str], Rule | None] = lambda _: None,
        classify: Callable[[Mapping[str, str]], Classification | None] = lambda _: None,
    ) -> None:
        """`find_rule` gives the rule of a name as it is in force now, or None.

        `classify` tells what the classification table in force says of an alert with these labels.
        """
        self.snapshot = snapshot
        self.now = now
        self.actor = actor
        self.find_rule = find_rule
        self.classify = classify
        self.events: list[Event] = []

    def record(
        self,
        kind: str,
        *,
        incident: int | None,
        puts: tuple[Any, ...] = (),
        deletes: tuple[Any, ...] = (),
        **data: Json,
    ) -> None:
        """Add an event to an incident's chain, or to the system's where `incident` is None.

        What tells of a `run` tells of the version of its rule, too.
        """
        for entity in puts:
            self.snapshot.put(entity)
        for entity in deletes:
            self.snapshot.delete(entity)
        run = self.snapshot.find(Run, data["run"]) if "run" in data else None
        if run is not None:
            data.setdefault("rule_version", run.rule_version)
        self.events.append(
            Event(
                chain=SYSTEM if incident is None else incident_chain(incident),
                kind=kind,
                at=self.now,
                actor=self.actor,
                data=data,
                puts=puts,
                deletes=deletes,
            )
        )

    def messages(
        self, channels: tuple[str, ...], kind: str, *, incident: int | None, **payload: Json
    ) -> tuple[Message, ...]:
        """One message per channel, to be put with the event that it tells of."""
        return tuple(
            Message(
                id=self.snapshot.next_id(Message),
                channel=channel,
                incident_id=incident,
                kind=kind,
                payload=payload,
                status="waiting",
                created_at=self.now,
                next_at=self.now,
            )
            for channel in channels
        )
