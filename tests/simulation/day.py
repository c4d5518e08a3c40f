"""A day of one house at random: what breaks, who does what, and what gets lost, all from one seed.

At its end everything is mended, as one day it will be. Then nothing may be left waiting.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from remediator.decide.policy import Policy, SeverityPolicy
from remediator.engine.face import DeskError
from remediator.model.command import CommandSpec
from remediator.model.rule import Budget
from remediator.model.run import Approval, Run
from remediator.model.words import ApprovalStatus, Mode, RunStatus, Severity
from remediator.model.world import WorldError
from remediator.world.base import EngineRefused, EngineTimeout
from tests.simulation.given import rule, rules
from tests.simulation.house import HOUR, MINUTE, House
from tests.simulation.life import Gone
from tests.simulation.witness import left_over

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

NAMES = ("web", "api", "db", "cache")
SWARM = "jobs"
"""A Swarm service, on every other day."""
ACTS = ("restart_container", "force_update")
PEOPLE = ("alice", "bob")
LENGTH = 45 * MINUTE

COMMANDS = [
    CommandSpec(name="flush", argv=("/usr/bin/flush",), timeout=timedelta(seconds=40), repeatable=True),
    CommandSpec(name="drain", argv=("/usr/bin/drain",), timeout=timedelta(seconds=40), probe="is-drained"),
    CommandSpec(name="shove", argv=("/usr/bin/shove",), timeout=timedelta(seconds=40)),
    CommandSpec(name="is-drained", argv=("/usr/bin/is-drained",)),
]
STEPS = (
    "{restart: {}, verify: {healthy: true, resolved_within: 3m, stays: 1m}}",
    "{restart: {timeout: 5s}, verify: {healthy: true, resolved_within: 2m}}",
    "{command: {name: flush}, verify: {resolved_within: 2m, stays: 30s}}",
    "{command: {name: drain}, verify: {resolved_within: 2m}}",
    "{command: {name: shove}, verify: {healthy: true, resolved_within: 90s}}",
)
GUARDS = (
    "cooldown: 10m, budget: [3/1h]",
    "budget: [2/30m, 3/2h]",
    "cooldown: 2m, changed_by_others: 3m",
    "changed_by_others: 0s",
)


class Day:
    """One day. Everything that happens is drawn from the seed, so the same seed is the same day."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.dice = Random(seed)
        services = NAMES[: self.dice.randint(2, 4)]
        self.swarm = (SWARM,) if self.dice.random() < 0.5 else ()
        self.names = services + self.swarm
        self.api = self.dice.random() < 0.8
        self.house = House(
            self._rules(),
            folder,
            services=services,
            swarm=self.swarm,
            replicas=self.dice.randint(1, 2),
            policy=self._policy(),
            commands=COMMANDS,
            alertmanager=self.api,
            dice=self.dice,
            verify_interval=timedelta(seconds=5),
            reconcile_interval=timedelta(seconds=60),
        )
        self.house.monitoring.scrape = 20.0
        self.house.monitoring.post = self._post
        self._old_posts: list[bytes] = []
        self._slow: set[str] = set()
        """Services with an alert that has nothing to do with their containers."""
        self._over = False

    def _rules(self) -> str:
        dice = self.dice
        written = []
        for name in self.names:
            for alert in ("Down", "Slow"):
                steps = tuple(dice.choice(STEPS) for _ in range(dice.randint(1, 3)))
                if name == SWARM:  # it has a time to stop of its own, and takes no other
                    steps = (STEPS[0], *(step for step in steps if "timeout" not in step))
                written.append(
                    rule(
                        f"{name}-{alert.lower()}",
                        service=name,
                        alert=alert,
                        severity=dice.choice(("P0", "P1", "P1", "P2", "P3")),
                        steps=steps,
                        guardrails=dice.choice(GUARDS),
                        more=dice.choice(("", "", "", "", "", "mode: approve", "mode: shadow")),
                    )
                )
        return rules(*written)

    def _policy(self) -> Policy:
        dice = self.dice
        people = SeverityPolicy(
            mode=Mode.APPROVE, people=dice.randint(1, 2), approval_expires=dice.choice((5, 30)) * MINUTE
        )
        return Policy(
            severities={**Policy().severities, Severity.P0: people},
            cooldown=dice.choice((None, None, MINUTE)),
            budget=dice.choice(((), (Budget(count=4, window=HOUR),))),
            changed_by_others=dice.choice((0, 2, 10)) * MINUTE,
        )

    async def live(self) -> None:
        """Live through the day and the mending after it; AssertionError if anything went wrong."""
        house = self.house
        for name in self.names:
            house.watch(name)
            labels = {"alertname": "Slow", "service": name}
            house.beside(house.monitoring.watch(labels, lambda name=name: name not in self._slow))  # type: ignore[misc]
            for box in house.docker.boxes.values():
                box.stops_after = self.dice.choice((0, 0, 1, 20))
        house.beside(house.restart_when_dead(timedelta(seconds=self.dice.choice((1, 5, 60)))))
        for mean, what in (
            (4, self._service_breaks),
            (8, self._swarm_breaks),
            (8, self._engine_trouble),
            (20, self._alertmanager_trouble),
            (2, self._person_acts),
            (8, self._daemon_dies),
            (30, self._channel_dies),
        ):
            house.beside(self._now_and_then(mean * MINUTE, what))
        await asyncio.sleep(LENGTH.total_seconds())
        self._over = True
        await self._mend()

    async def _now_and_then(self, mean: timedelta, what: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self.dice.expovariate(1 / mean.total_seconds()))
            if self._over:
                return
            await what()

    def _box(self) -> str:
        return self.dice.choice(sorted(box.seen.name for box in self.house.docker.boxes.values()))

    async def _service_breaks(self) -> None:
        docker, name, dice = self.house.docker, self._box(), self.dice
        match dice.randint(0, 8):
            case 0 | 1 | 2:
                docker.crash(name, out_of_memory=dice.random() < 0.2)
            case 3:
                docker.breaks(name)
            case 4:
                docker.breaks(name, incurable=True)
            case 5:
                docker.stop_by_hand(name)
            case 6:
                docker.recreate_by_hand(name)
            case 7:
                docker.restart_by_hand(name)
            case 8:
                self._slow ^= {dice.choice(self.names)}

    async def _swarm_breaks(self) -> None:
        docker, dice = self.house.docker, self.dice
        for name in self.swarm:
            docker.updates_go(
                name,
                seconds=dice.choice((5, 60, 300)),
                ends=dice.choice(("completed", "paused")),
            )
            match dice.randint(0, 3):
                case 0 | 1:
                    docker.lose_tasks(name)
                case 2:
                    docker.update_by_hand(name)
                case 3:
                    docker.scale_by_hand(name, dice.randint(1, 3))

    async def _engine_trouble(self) -> None:
        docker, dice = self.house.docker, self.dice
        act = dice.choice(ACTS[: 1 + len(self.swarm)])
        method = dice.choice(
            (act, act, "containers", "container", "swarm_service", "history", "logs", "ping")
        )
        times = dice.choice((1, 1, 3, float("inf")))
        match dice.randint(0, 6):
            case 0:
                docker.down = "connection refused"
            case 1:
                docker.disturb(method, error=WorldError("the engine answers 500"), times=times)
            case 2:
                docker.disturb(method, error=EngineTimeout("no answer in time"), times=times)
            case 3:
                docker.disturb(method, delay=dice.choice((1.0, 20.0, 200.0)), times=times)
            case 4:
                docker.lose_answer(act, acts_after=dice.choice((0.0, 1.0, 50.0)))
            case 5:
                docker.disturb(act, error=EngineRefused("no"), times=dice.choice((1, 2)))
            case 6:
                docker.forget()
        for spec in COMMANDS:
            behaviours = (
                {},
                {"exit_code": 1},
                {"seconds": dice.choice((1.0, 15.0))},
                {"seconds": float("inf"), "undying": dice.random() < 0.3},
                {"not_started": "no such file"},
            )
            self.house.commands.behaves(spec.name, **dice.choice(behaviours))
        await asyncio.sleep(dice.choice((5, 60, 400)))
        docker.calm()
        self.house.commands.programs.clear()

    async def _alertmanager_trouble(self) -> None:
        alertmanager, dice = self.house.alertmanager, self.dice
        if dice.random() < 0.5:
            alertmanager.unreachable = "connection refused"
            await asyncio.sleep(dice.choice((10, 120, 500)))
            alertmanager.unreachable = None
        elif self.api and (marks := alertmanager.marks()):
            mark = dice.choice(marks)
            alertmanager.mute(mark)
            await asyncio.sleep(dice.choice((60, 600)))
            alertmanager.unmute(mark)

    async def _post(self, body: bytes) -> bool:
        """On the way to the daemon a notification may be lost, late, doubled, or come again much later."""
        dice = self.dice
        if self.api and not self._over and dice.random() < 0.15:
            return True
        await asyncio.sleep(dice.choice((0, 0, 1, 20)))
        took = await self.house.post(body)
        if dice.random() < 0.2:
            await self.house.post(body)
        if self.api and self._old_posts and dice.random() < 0.2:
            await self.house.post(dice.choice(self._old_posts))
        self._old_posts.append(body)
        return took

    async def _person_acts(self) -> None:
        house, dice = self.house, self.dice
        actor = dice.choice(PEOPLE)
        state = house.witness.state
        pending = [a for a in state.all(Approval) if a.status is ApprovalStatus.PENDING]
        alive = [run for run in state.all(Run) if not run.finished]
        unknown = [run for run in alive if run.status is RunStatus.UNKNOWN]
        with suppress(DeskError, Gone):
            if unknown and dice.random() < 0.3:
                await house.desk.settle(dice.choice(unknown).id, dice.random() < 0.5, actor)
            elif pending and dice.random() < 0.8:
                approval = dice.choice(pending)
                if dice.random() < 0.15:
                    await house.desk.deny(approval.id, actor, "no")
                else:
                    await house.desk.approve(approval.id, actor, digest=approval.digest)
            else:
                await self._person_does_something_else(actor, alive)

    async def _person_does_something_else(self, actor: str, alive: list[Run]) -> None:
        house, dice = self.house, self.dice
        match dice.randint(0, 5):
            case 0 if alive:
                await house.desk.cancel(dice.choice(alive).id, actor, "enough")
            case 1:
                await house.desk.pause(actor, "let me look")
                await asyncio.sleep(dice.choice((10, 300)))
                await house.desk.resume(actor)
            case 2:
                house.pause_file.touch()
                await asyncio.sleep(dice.choice((10, 300)))
                house.pause_file.unlink(missing_ok=True)
            case 3:
                name = dice.choice(self.names)
                await house.desk.start_run(f"{name}-{dice.choice(('down', 'slow'))}", name, actor)

    async def _daemon_dies(self) -> None:
        """It is stopped, or killed: at some commit, or in the middle of the next act."""
        house, dice = self.house, self.dice
        match dice.randint(0, 3):
            case 0:
                with suppress(Gone):
                    await house.stop(timedelta(seconds=dice.choice((0, 5, 60))))
            case 1:
                house.fate.deadly = house.fate.commits + dice.randint(1, 30)
                house.fate.when = dice.choice(("before", "after"))
            case _:
                soon = dice.choice((0, 0.05, 0.5, 3, 30))
                house.on("run.decided", lambda: asyncio.get_running_loop().call_later(soon, house.kill))

    async def _channel_dies(self) -> None:
        self.house.inbox.down = "connection refused"
        await asyncio.sleep(self.dice.choice((30, 900)))
        self.house.inbox.down = None

    async def _left(self) -> list[str]:
        """What still waits for somebody, on this day."""
        unread = await self.house.store.read(lambda reader: reader.pending_notifications(1))
        return [
            *left_over(self.house.witness.state),
            *(f"the notification of {n.received_at} was not decided about" for n in unread),
        ]

    async def _mend(self) -> None:
        """All is well from now on, and stays so; then the daemon has to come to an end with everything."""
        house = self.house
        self._slow.clear()
        house.docker.calm()
        house.commands.programs.clear()
        house.alertmanager.unreachable = None
        house.inbox.down = None
        house.pause_file.unlink(missing_ok=True)
        for mark in house.alertmanager.marks():
            house.alertmanager.unmute(mark)
        end = house.clock.now() + 4 * HOUR
        while left := await self._left():
            house.witness.testify()
            assert house.clock.now() < end, f"four hours after everything was mended: {'; '.join(left)}"
            for box in list(house.docker.boxes.values()):
                box.broken = box.incurable = False
                if not box.seen.running:
                    house.docker.start_by_hand(box.seen.name)
            for name in self.swarm:
                house.docker.updates_go(name)
                if not house.well(name):
                    house.docker.update_by_hand(name)
            for run in house.witness.state.all(Run):
                if run.status is RunStatus.UNKNOWN:
                    with suppress(DeskError, Gone):
                        await house.desk.settle(run.id, True, "alice", "looked")
            with suppress(DeskError, Gone):
                await house.desk.resume("alice")
            await asyncio.sleep(60)


async def live(seed: int, folder: Path) -> House:
    """One day, from morning till all is well again; returns the house as it is then."""
    day = Day(seed, folder)
    async with day.house as house:
        await day.live()
    return house
