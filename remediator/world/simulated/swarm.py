"""Swarm services in memory: how many tasks run, and how an update goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from remediator.model.world import SwarmService
from remediator.world.simulated.happenings import Happenings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.clock import Clock


class Swarm(Happenings):
    """The engine's Swarm services."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.services: dict[str, SwarmService] = {}
        """By id."""
        self._updates: dict[str, tuple[float, str]] = {}

    def add_swarm_service(
        self,
        name: str,
        *,
        replicas: int = 2,
        everywhere: bool = False,
        labels: Mapping[str, str] | None = None,
        update_seconds: float = 5.0,
        update_ends: str = "completed",
        age: timedelta = timedelta(days=1),
    ) -> str:
        """A service whose tasks all run; an update of it takes so long, and ends so. Returns its id."""
        id_ = self.new_id(name)[:25]
        born = self.now() - age
        self.services[id_] = SwarmService(
            id=id_,
            name=name,
            version=10,
            labels=dict(labels or {}),
            created_at=born,
            updated_at=born,
            replicas=replicas,
            running=replicas,
            update_state=None,
            force_update=0,
            running_since=born,
            everywhere=everywhere,
        )
        self._updates[id_] = (update_seconds, update_ends)
        return id_

    def updates_go(self, name: str, *, seconds: float = 5.0, ends: str = "completed") -> None:
        """How the next updates of a service go."""
        self._updates[self._named(name).id] = (seconds, ends)

    def find(self, name_or_id: str) -> SwarmService | None:
        """A service by its exact name or id."""
        self.catch_up()
        found = (s for s in self.services.values() if name_or_id in (s.name, s.id))
        return next(found, None)

    def lose_tasks(self, name: str, count: int = 1) -> None:
        """So many tasks end, and are not replaced."""
        service = self._named(name)
        self.services[service.id] = replace(service, running=max(service.running - count, 0))

    def update_by_hand(self, name: str) -> None:
        """`docker service update`."""
        self.update(self._named(name).id, self.now(), forced=0)

    def scale_by_hand(self, name: str, replicas: int) -> None:
        """`docker service scale`."""
        service, now = self._named(name), self.now()
        self._told_service(
            service, now, **{"replicas.old": str(service.replicas), "replicas.new": str(replicas)}
        )
        self.services[service.id] = replace(
            service, replicas=replicas, running=replicas, updated_at=now, version=service.version + 1
        )

    def scale(self, id_: str, replicas: int, at: datetime) -> None:
        """Begin to run more tasks; what is too many ends at once."""
        service = self.services[id_]
        self._told_service(
            service, at, **{"replicas.old": str(service.replicas), "replicas.new": str(replicas)}
        )
        self.services[id_] = replace(
            service,
            replicas=replicas,
            running=min(service.running, replicas),
            version=service.version + 1,
            updated_at=at,
        )
        seconds, ends = self._updates[id_]
        if ends == "completed":
            self.later(seconds, lambda due: self._started(id_, due), since=at)

    def _started(self, id_: str, at: datetime) -> None:
        service = self.services.get(id_)
        if service is not None and service.running < service.replicas:
            self.services[id_] = replace(service, running=service.replicas, running_since=at)

    def update(self, id_: str, at: datetime, *, forced: int = 1) -> None:
        """Begin to replace all tasks."""
        seconds, ends = self._updates[id_]
        self._told_service(self.services[id_], at)
        self.services[id_] = replace(
            self.services[id_],
            running=0,
            running_since=None,
            force_update=self.services[id_].force_update + forced,
        )
        self._progress(id_, at, "updating")
        self.later(seconds, lambda due: self._progress(id_, due, ends), since=at)

    def _progress(self, id_: str, at: datetime, state: str) -> None:
        service = self.services.get(id_)
        if service is None:
            return
        self._told_service(service, at, **{"updatestate.new": state})
        if state == "completed":
            service = replace(service, running=service.replicas, running_since=at)
        failed = state not in ("updating", "completed")
        self.services[id_] = replace(
            service,
            version=service.version + 1,
            updated_at=at,
            update_state=state,
            update_message="tasks keep failing" if failed else "",
        )

    def _named(self, name: str) -> SwarmService:
        service = self.find(name)
        if service is None:
            raise KeyError(name)
        return service

    def _told_service(self, service: SwarmService, at: datetime, **attributes: str) -> None:
        self.tell("service", "update", service.id, at, {"name": service.name, **attributes})
