"""What the daemon has around it: a world that takes its time and is watched, people, and monitoring."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from remediator.channels.base import Delivered, Failed, Retry
from remediator.world.simulated import SimulatedAlertmanagers, SimulatedCommands, SimulatedEngine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from remediator.channels.base import Delivery
    from remediator.clock import Clock
    from remediator.model.command import CommandSpec
    from remediator.model.run import Message
    from remediator.world.base import AlertsSeen, CommandResult
    from tests.simulation.witness import Witness

T = TypeVar("T")


class WatchedEngine(SimulatedEngine):
    """The simulated engine: the witness sees what it is asked to do, and each answer takes its time."""

    def __init__(self, clock: Clock, witness: Witness, pause: Callable[[], float]) -> None:
        super().__init__(clock)
        self._witness = witness
        self._pause = pause

    async def restart_container(self, container_id: str, stop_timeout: int) -> None:
        self._witness.asked_to_act(container_id)
        await super().restart_container(container_id, stop_timeout)

    async def force_update(self, service_id: str, version: int) -> None:
        self._witness.asked_to_act(service_id)
        await super().force_update(service_id, version)

    async def scale_service(self, service_id: str, version: int, replicas: int) -> None:
        self._witness.asked_to_act(service_id)
        await super().scale_service(service_id, version, replicas)

    async def _on_its_way(self) -> None:
        if seconds := self._pause():
            await self.clock.sleep(seconds)

    async def _asked(self, method: str, act: Callable[[datetime], T]) -> T:
        await self._on_its_way()
        answer = await super()._asked(method, act)
        await self._on_its_way()
        return answer


class WatchedCommands(SimulatedCommands):
    """The simulated commands under the witness's eyes."""

    def __init__(self, clock: Clock, specs: Sequence[CommandSpec], witness: Witness) -> None:
        super().__init__(clock, specs)
        self._witness = witness

    async def run(
        self, spec: CommandSpec, argv: Sequence[str], *, attempt: int | None = None
    ) -> CommandResult:
        if attempt is not None:
            self._witness.asked_to_act(spec.name, attempt)
        return await super().run(spec, argv, attempt=attempt)

    def kill_all(self) -> None:
        """Somebody ends every process before it has done its work."""
        for process in self._processes:
            process.killed = True


class SlowAlertmanagers(SimulatedAlertmanagers):
    """What they answer is as old as the question at worst, and as the answer's way at best."""

    def __init__(self, clock: Clock, pause: Callable[[], float]) -> None:
        super().__init__(clock)
        self.answer_takes = 0.0
        """Seconds that every answer is on its way, beside what the dice say."""
        self._pause = pause

    async def look(self, max_age: timedelta) -> AlertsSeen:
        asked = self.clock.now()
        await self._on_its_way()
        seen = await super().look(max_age)
        await self._on_its_way()
        if self.answer_takes:
            await self.clock.sleep(self.answer_takes)
        return replace(seen, at=asked)

    async def _on_its_way(self) -> None:
        if seconds := self._pause():
            await self.clock.sleep(seconds)

    def marks(self) -> list[str]:
        """Every alert that there ever was."""
        return list(self._alerts)

    def begins_anew(self, mark: str) -> None:
        """Prometheus was restarted and says that the alert began just now."""
        self._alerts[mark] = replace(self._alerts[mark], starts_at=self.clock.now())

    def muted(self, mark: str) -> bool:
        """Whether somebody has silenced it."""
        return self._alerts[mark].state == "suppressed"


class Inbox:
    """A channel that remembers what it took; it may be down."""

    def __init__(self, clock: Clock, seconds: float = 0.1) -> None:
        self.taken: list[Message] = []
        self.tries = 0
        self.down: str | None = None
        self.refuses: str | None = None
        """A kind of message that it never takes."""
        self.under_way: set[int] = set()
        """Messages that were sent, and what became of that is not on the record yet."""
        self._clock = clock
        self.seconds = seconds
        """That it takes to accept a message, and again to say so."""

    @property
    def kinds(self) -> list[str]:
        """The kinds of all messages, in their order."""
        return [message.kind for message in self.taken]

    async def send(self, message: Message) -> Delivery:
        self.tries += 1
        self.under_way.add(message.id)
        await self._clock.sleep(self.seconds)
        if self.down is not None:
            return Retry(reason=self.down)
        if message.kind == self.refuses:
            return Failed(reason="400: not here")
        self.taken.append(message)
        await self._clock.sleep(self.seconds)
        return Delivered()

    async def close(self) -> None:
        """Nothing to let go of."""


class Monitoring:
    """Prometheus with one rule per service, and the Alertmanager behind it that posts to the daemon."""

    FOR = timedelta(seconds=15)
    GROUP_INTERVAL = timedelta(seconds=30)
    REPEAT = timedelta(minutes=4)

    def __init__(
        self,
        clock: Clock,
        alertmanager: SlowAlertmanagers,
        post: Callable[[bytes], Awaitable[bool]],
        scrape: float = 5.0,
    ) -> None:
        """`post` gives False where the daemon did not take it, and it is to be sent again."""
        self.post = post
        self.scrape = scrape
        """Seconds."""
        self._clock = clock
        self._alertmanager = alertmanager

    async def watch(self, labels: dict[str, str], is_well: Callable[[], bool]) -> None:
        """See to one alert for ever."""
        alertmanager = self._alertmanager
        mark = ""
        ill_since = None
        posted = told = False
        told_at = self._clock.now()
        while True:
            await self._clock.sleep(self.scrape)
            now = self._clock.now()
            ill_since = None if is_well() else ill_since or now
            if ill_since is not None and now - ill_since >= self.FOR:
                mark = alertmanager.fire(labels)
            elif ill_since is None and mark and alertmanager.fires(mark):
                alertmanager.resolve(mark)
            if not mark or alertmanager.muted(mark):
                continue
            fires, waited = alertmanager.fires(mark), now - told_at
            begins, ends = fires and not told, posted and not fires and waited >= self.GROUP_INTERVAL
            if not (begins or ends or (fires and waited >= self.REPEAT)):
                continue
            posted = True  # whoever broke off may have taken it
            if await self.post(alertmanager.notification(mark)):
                posted, told, told_at = fires, fires, now
