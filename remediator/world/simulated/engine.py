"""A Docker engine that exists only in memory, with everything that can go wrong with asking a real one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from remediator.model.world import Image, WorldError
from remediator.world.base import EngineInfo, EngineRefused, EngineTimeout, History
from remediator.world.simulated.containers import Containers, image_id_of, matches
from remediator.world.simulated.swarm import Swarm

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from remediator.clock import Clock
    from remediator.model.service import Target
    from remediator.model.world import Container, MadeOf, SwarmService, Usage

T = TypeVar("T")


@dataclass
class _Trouble:
    times: float
    delay: float
    error: Exception | None
    acts_after: float | None


class SimulatedEngine(Containers, Swarm):
    """A Docker engine in memory: the face of `Engine`, and hands to make things happen."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.down: str | None = None
        """Why it cannot be reached at all; None while it can."""
        self.restarts: list[str] = []
        """Names of the containers and Swarm services that were restarted by request, in order."""
        self.scaled: list[tuple[str, int]] = []
        """Names of what was scaled by request, and to how many replicas, in order."""
        self.images: dict[str, Image | None] = {}
        """Names that stand for another image than the one that containers were made of, or for none."""
        self._trouble: dict[str, _Trouble] = {}

    def disturb(
        self,
        method: str,
        *,
        error: Exception | None = None,
        delay: float = 0.0,
        acts_after: float | None = None,
        times: float = 1,
    ) -> None:
        """Let the next calls of a method take longer, or fail.

        A call that fails does nothing, or with `acts_after` does it so many seconds later. `times`
        may be infinite; `calm` ends it.
        """
        self._trouble[method] = _Trouble(times, delay, error, acts_after)

    def lose_answer(self, method: str, *, acts_after: float = 0.0) -> None:
        """Let the next call of a method time out for the client, and be carried out all the same."""
        error = EngineTimeout(f"the engine did not answer in time ({method})")
        self.disturb(method, error=error, acts_after=acts_after)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._trouble.clear()
        self.down = None

    async def ping(self) -> EngineInfo:
        """Version and clock."""
        return await self._asked(
            "ping", lambda at: EngineInfo(version="simulated", api="1.41", system_time=at)
        )

    async def containers(self, target: Target) -> list[Container]:
        """The containers of a target; of a Swarm service none, for its tasks are only counted."""
        return await self._asked(
            "containers",
            lambda at: sorted(
                (box.shown(at) for box in self.boxes.values() if matches(target, box.seen)),
                key=lambda container: container.name,
            ),
        )

    async def container(self, container_id: str) -> Container | None:
        """One container by its id, which may be a short one."""

        def find(at: datetime) -> Container | None:
            found = [box for id_, box in self.boxes.items() if id_.startswith(container_id)]
            return found[0].shown(at) if len(found) == 1 else None

        return await self._asked("container", find)

    async def logs(self, container_id: str, tail: int) -> str:
        """The last lines that the program wrote."""

        def read(_: datetime) -> str:
            if container_id not in self.boxes:
                raise WorldError(f"no such container: {container_id[:12]}")
            return "\n".join(self.boxes[container_id].log[-tail:])

        return await self._asked("logs", read)

    async def usage(self, container_id: str) -> Usage | None:
        """What a container was said to use."""

        def read(at: datetime) -> Usage | None:
            box = self.boxes.get(container_id)
            return box.used(at) if box is not None else None

        return await self._asked("usage", read)

    async def made_of(self, container_id: str) -> MadeOf | None:
        """What a container was said to be made of."""

        def read(_: datetime) -> MadeOf | None:
            box = self.boxes.get(container_id)
            return box.made_of if box is not None else None

        return await self._asked("made_of", read)

    async def image(self, name_or_id: str) -> Image | None:
        """Any image is here, unless it was said to be another one, or none."""
        return await self._asked(
            "image", lambda _: self.images.get(name_or_id, Image(id=image_id_of(name_or_id)))
        )

    async def history(self, since: datetime) -> History:
        """Everything that happened since then and is not forgotten."""
        complete_from = max(since, self.remembers_from)

        def told(_: datetime) -> History:
            events = (event for event in self.events if event.at >= complete_from)
            return History(complete_from=complete_from, events=tuple(events))

        return await self._asked("history", told)

    async def watch(self) -> None:
        """Nothing to do: it forgets only when it is told to."""
        await asyncio.Event().wait()

    async def restart_container(self, container_id: str, stop_timeout: int) -> None:
        """Restart it. That takes as long as the container takes to stop, and goes on when cancelled."""
        self._refuse_if_down()
        box = self.boxes.get(container_id)
        if box is None:
            raise EngineRefused(f"no such container: {container_id[:12]}")
        seconds = box.stopping(stop_timeout)

        def restart(at: datetime) -> None:
            self.restarts.append(box.seen.name)
            self.restart(box, at)

        await self._asked("restart_container", lambda at: self.later(seconds, restart, since=at))
        await self.clock.sleep(seconds)
        self.catch_up()

    async def swarm_service(self, name_or_id: str) -> SwarmService | None:
        """One Swarm service."""
        return await self._asked("swarm_service", lambda _: self.find(name_or_id))

    async def force_update(self, service_id: str, version: int) -> None:
        """Begin to replace all tasks; how that goes was told when the service was added."""
        self._refuse_if_down()
        service = self.find(service_id)
        if service is None or service.version != version:
            raise EngineRefused("update out of sequence")

        def update(at: datetime) -> None:
            self.restarts.append(service.name)
            self.update(service_id, at)

        await self._asked("force_update", update)

    async def scale_service(self, service_id: str, version: int, replicas: int) -> None:
        """Begin to run more tasks, or fewer; how long that takes was told when the service was added."""
        self._refuse_if_down()
        service = self.find(service_id)
        if service is None or service.version != version or service.everywhere:
            raise EngineRefused("update out of sequence")

        def scale(at: datetime) -> None:
            self.scaled.append((service.name, replicas))
            self.scale(service_id, replicas, at)

        await self._asked("scale_service", scale)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _refuse_if_down(self) -> None:
        if self.down is not None:
            raise EngineRefused(f"the engine cannot be reached: {self.down}")

    async def _asked(self, method: str, act: Callable[[datetime], T]) -> T:
        if self.down is not None:
            raise WorldError(f"the engine cannot be reached: {self.down}")
        trouble = self._trouble.get(method)
        if trouble is not None:
            trouble.times -= 1
            if trouble.times <= 0:
                del self._trouble[method]
            await self.clock.sleep(trouble.delay)
            if trouble.error is not None:
                if trouble.acts_after is not None:
                    self.later(trouble.acts_after, act)
                raise trouble.error
        self.catch_up()
        return act(self.now())
