"""Containers in memory, and what programs and people do to them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from remediator.model.plan import canonical
from remediator.model.service import TargetKind
from remediator.model.world import Container, MadeOf, Usage
from remediator.world.labels import COMPOSE_CONFIG_HASH, COMPOSE_PROJECT, COMPOSE_SERVICE
from remediator.world.simulated.happenings import LONG_AGO, Happenings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.clock import Clock
    from remediator.model.service import Target
    from remediator.model.words import Json


USUAL_IMAGE = "app:1"
NEXT_TO_NOTHING = Usage(
    at=LONG_AGO, cpu_seconds=0.0, memory=10 << 20, memory_limit=1 << 30, pids=1, pids_limit=None
)


@dataclass(kw_only=True)
class Box:
    """A container, with what an engine does not show of it."""

    seen: Container
    health_check: bool
    becomes_healthy_after: float
    """Seconds that its health check says `starting`."""
    stops_after: float
    """Seconds it takes to stop; the stop timeout cuts that short."""
    broken: bool = False
    """Its health check fails, until it is restarted."""
    incurable: bool = False
    """A restart does not help."""
    log: list[str] = field(default_factory=list)
    usage: Usage | None = None
    """What it uses, save its CPUs; None: next to nothing."""
    made_of: MadeOf = field(default_factory=MadeOf)
    cpus: float = 0.0
    """How many CPUs it keeps busy."""

    def shown(self, now: datetime) -> Container:
        """As the engine tells of it."""
        return replace(self.seen, health=self._health(now))

    def used(self, now: datetime) -> Usage | None:
        """What it uses; None if it does not run."""
        if not self.seen.running or self.seen.started_at is None:
            return None
        runs = (now - self.seen.started_at).total_seconds()
        return replace(self.usage or NEXT_TO_NOTHING, at=now, cpu_seconds=self.cpus * runs)

    def stopping(self, stop_timeout: int) -> float:
        """Seconds that a stop would take."""
        return min(self.stops_after, stop_timeout) if self.seen.running else 0.0

    def _health(self, now: datetime) -> str | None:
        if not self.health_check or not self.seen.running or self.seen.started_at is None:
            return None
        if self.broken:
            return "unhealthy"
        runs = (now - self.seen.started_at).total_seconds()
        return "healthy" if runs >= self.becomes_healthy_after else "starting"


class Containers(Happenings):
    """The engine's containers. People's acts are named `..._by_hand`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.boxes: dict[str, Box] = {}
        """By id."""

    def add_container(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        image: str = USUAL_IMAGE,
        health_check: bool = False,
        becomes_healthy_after: float = 0.0,
        restart_policy: str = "no",
        stop_timeout: int = 10,
        stops_after: float = 0.0,
        age: timedelta = timedelta(days=1),
    ) -> str:
        """A container that has run for `age`, which the history does not tell of. Returns its id."""
        id_ = self.new_id(name)
        born = self.now() - age
        self.boxes[id_] = Box(
            seen=Container(
                id=id_,
                name=name,
                image=image,
                labels=dict(labels or {}),
                running=True,
                status="running",
                health=None,
                exit_code=None,
                oom_killed=False,
                created_at=born,
                started_at=born,
                finished_at=None,
                restart_count=0,
                restart_policy=restart_policy,
                stop_timeout=stop_timeout,
                image_id=image_id_of(image),
            ),
            health_check=health_check,
            becomes_healthy_after=becomes_healthy_after,
            stops_after=stops_after,
        )
        return id_

    def add_compose_service(
        self,
        service: str,
        *,
        project: str = "app",
        replicas: int = 1,
        labels: Mapping[str, str] | None = None,
        health_check: bool = False,
    ) -> list[str]:
        """A Compose service's containers, named and labelled as Compose does. Returns their ids."""
        labels = {**compose_labels(project, service), **(labels or {})}
        return [
            self.add_container(f"{project}-{service}-{number}", labels=labels, health_check=health_check)
            for number in range(1, replicas + 1)
        ]

    def box(self, name: str) -> Box:
        """The container of this name; KeyError if there is none."""
        self.catch_up()
        for box in self.boxes.values():
            if box.seen.name == name:
                return box
        raise KeyError(name)

    def crash(self, name: str, *, exit_code: int = 1, out_of_memory: bool = False) -> None:
        """The process ends by itself; a restart policy starts it again at once."""
        box, at = self.box(name), self.now()
        if out_of_memory:
            exit_code = 137
            self._told(box, "oom", at)
        self._end(box, at, exit_code=exit_code, oom_killed=out_of_memory)
        policy = box.seen.restart_policy
        if policy in ("always", "unless-stopped") or (policy.startswith("on-failure") and exit_code):
            self._start(box, at, restart_count=box.seen.restart_count + 1)

    def breaks(self, name: str, *, incurable: bool = False) -> None:
        """The process runs on, but its health check fails until it is restarted, or for ever."""
        box = self.box(name)
        box.broken, box.incurable = True, incurable

    def writes(self, name: str, *lines: str) -> None:
        """The program writes lines to its log."""
        self.box(name).log.extend(lines)

    def stop_by_hand(self, name: str) -> None:
        """`docker stop`."""
        self._stop(self.box(name), self.now())

    def start_by_hand(self, name: str) -> None:
        """`docker start`."""
        self._start(self.box(name), self.now())

    def restart_by_hand(self, name: str) -> None:
        """`docker restart`."""
        self.restart(self.box(name), self.now())

    def signal_by_hand(self, name: str, signal: int = 1) -> None:
        """`docker kill --signal`, with a signal that does not end the process."""
        self._told(self.box(name), "kill", self.now(), signal=str(signal))

    def pause_by_hand(self, name: str) -> None:
        """`docker pause`."""
        box = self.box(name)
        box.seen = replace(box.seen, status="paused")
        self._told(box, "pause", self.now())

    def remove_by_hand(self, name: str) -> None:
        """`docker rm --force`."""
        box, at = self.box(name), self.now()
        if box.seen.running:
            self._told(box, "kill", at, signal="9")
            self._end(box, at, exit_code=137)
        self._told(box, "destroy", at)
        del self.boxes[box.seen.id]

    def recreate_by_hand(self, name: str, image: str = "app:2") -> str:
        """A deploy: the container is removed, and a new one of that name made. Returns its id."""
        old = self.box(name)
        self._stop(old, self.now())
        self.remove_by_hand(name)
        id_ = self.new_id(name)
        labels = dict(old.seen.labels)
        if labels.get(COMPOSE_CONFIG_HASH) == hash_of({"image": old.seen.image}):
            labels[COMPOSE_CONFIG_HASH] = hash_of({"image": image})
        seen = replace(
            old.seen,
            id=id_,
            image=image,
            labels=labels,
            image_id=image_id_of(image),
            created_at=self.now(),
            finished_at=None,
        )
        box = self.boxes[id_] = replace(old, seen=seen, broken=False, incurable=False, log=[])
        self._told(box, "create", self.now())
        self._start(box, self.now())
        return id_

    def create_by_hand(self, name: str, *, labels: Mapping[str, str], image: str) -> str:
        """`docker run`: one more container. Returns its id."""
        id_ = self.add_container(name, labels=labels, image=image, age=timedelta(0))
        self._told(self.boxes[id_], "create", self.now())
        self._start(self.boxes[id_], self.now())
        return id_

    def restart(self, box: Box, at: datetime) -> None:
        """Stop it if it runs, and start it."""
        if box.seen.running:
            self._stop(box, at)
        self._start(box, at)
        self._told(box, "restart", at)

    def _stop(self, box: Box, at: datetime) -> None:
        self._told(box, "kill", at, signal="15")
        self._end(box, at, exit_code=143)
        self._told(box, "stop", at)

    def _start(self, box: Box, at: datetime, *, restart_count: int = 0) -> None:
        box.seen = replace(
            box.seen,
            running=True,
            status="running",
            started_at=at,
            exit_code=None,
            oom_killed=False,
            restart_count=restart_count,
        )
        box.broken = box.broken and box.incurable
        self._told(box, "start", at)

    def _end(self, box: Box, at: datetime, *, exit_code: int, oom_killed: bool = False) -> None:
        box.seen = replace(
            box.seen,
            running=False,
            status="exited",
            finished_at=at,
            exit_code=exit_code,
            oom_killed=oom_killed,
        )
        self._told(box, "die", at, exitCode=str(exit_code))

    def _told(self, box: Box, action: str, at: datetime, **attributes: str) -> None:
        attributes = {**box.seen.labels, "name": box.seen.name, "image": box.seen.image, **attributes}
        self.tell("container", action, box.seen.id, at, attributes)


def compose_labels(project: str, service: str, image: str = USUAL_IMAGE) -> dict[str, str]:
    """What Compose labels a container with of which its files say nothing but the image."""
    made_of = hash_of({"image": image})
    return {COMPOSE_PROJECT: project, COMPOSE_SERVICE: service, COMPOSE_CONFIG_HASH: made_of}


def hash_of(entry: Mapping[str, Json]) -> str:
    """The hash of what Compose files say of a service, as its containers are labelled with it."""
    said = {key: value for key, value in entry.items() if key != "scale"}
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def image_id_of(image: str) -> str:
    """An id such as an engine gives an image of this name."""
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def matches(target: Target, container: Container) -> bool:
    """Whether a container is one of a target's."""
    labels = container.labels
    match target.kind:
        case TargetKind.COMPOSE_SERVICE:
            in_project = target.project in (None, labels.get(COMPOSE_PROJECT))
            return in_project and labels.get(COMPOSE_SERVICE) == target.name
        case TargetKind.CONTAINER:
            return container.name == target.name
        case TargetKind.LABEL:
            key, _, value = target.name.partition("=")
            return labels.get(key) == value
        case _:
            return False
