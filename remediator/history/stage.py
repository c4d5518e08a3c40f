"""The real engine before a world of the past: alerts go in, and what it decides is listened to.

`remediator.rehearse.stage` is for what a person can write down, and remembers all of it. This one forgets,
because a past may hold a million alerts.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from remediator.decide.policy import LABEL_SEVERITIES
from remediator.engine.engine import Engine
from remediator.engine.face import DeskError
from remediator.history.changes import Change
from remediator.history.world import NEVER, PastAlertmanager, past_world
from remediator.metrics import Metrics
from remediator.model.run import Approval, Run
from remediator.model.words import ApprovalStatus
from remediator.rehearse.stage import PassingStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Coroutine, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from remediator.clock import Clock
    from remediator.engine.face import Desk
    from remediator.engine.setup import Setup
    from remediator.history.assumptions import Assumptions
    from remediator.history.tally import Tally
    from remediator.model.command import CommandSpec
    from remediator.model.event import Event
    from remediator.model.request import RequestSpec
    from remediator.world.base import SeenAlert

SOURCE = "history"
AT_ONCE = 50
"""Alerts of one notification."""
LOOKS = timedelta(seconds=15)
"""Between two looks at whether an act helped: Prometheus was not asked more often either."""
RARELY = timedelta(days=1)
"""Between two comparisons with an API that tells nothing new."""
MARGIN = timedelta(hours=2)
"""How much longer than anybody looks back the past of the engines is kept."""


class QuickStore(PassingStore):
    """One that waits for no disk, either."""

    def __init__(self, path: str, clock: Clock, writing: sqlite3.Connection, *rest: Any) -> None:
        super().__init__(path, clock, writing, *rest)
        writing.execute("PRAGMA synchronous = OFF")


class PastStage:
    """The engine, its store and its world. An async context, in a loop of virtual time."""

    def __init__(
        self,
        setup: Setup,
        commands: Mapping[str, CommandSpec],
        requests: Mapping[str, RequestSpec],
        assumed: Assumptions,
        tally: Tally,
        clock: Clock,
        folder: Path,
    ) -> None:
        """What the engine keeps goes into `folder`, and grows with what is acted on."""
        policy = replace(setup.policy, channels=())
        setup = replace(
            setup,
            policy=policy,
            channels={},
            receiver=None,
            pause_file=None,
            reconcile_interval=RARELY,
            verify_interval=max(LOOKS, setup.verify_interval),
        )
        self.clock = clock
        self.alertmanager = PastAlertmanager(clock)
        self._assumed = assumed
        self._tally = tally
        self._rules = setup.rules
        self._about = set(setup.services)
        for matched in setup.rules:
            self._about |= {*(matched.rule.unless_open or ()), matched.rule.service or ""}
        self._store = QuickStore.open(str(folder / "store.db"), clock, threads=False)
        kept = max((policy.horizon(matched.rule.guards) for matched in setup.rules), default=MARGIN) + MARGIN
        self._engine = Engine(
            store=self._store,
            world=past_world(
                clock,
                self.alertmanager,
                setup.services.values(),
                [m.rule for m in setup.rules],
                commands,
                requests,
                assumed,
                kept,
            ),
            clock=clock,
            metrics=Metrics("rehearsal"),
            setup=setup,
            load=lambda: setup,
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._store.on_commit(self._tally.committed)
        self._store.on_commit(self._react)
        await self._engine.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.stop(0)
        await self._store.close()

    async def until(self, moment: datetime) -> None:
        """Let time pass."""
        await self.clock.sleep(max(0.0, (moment - self.clock.now()).total_seconds()))

    async def tell(self, changes: Iterable[Change]) -> None:
        """Let these happen now. What concerns no rule is only counted."""
        told = [change for change in changes if self._is_heard(change)]
        for change in told:
            self.alertmanager.follow(change)
        for begin in range(0, len(told), AT_ONCE):
            await self._engine.desk.receive(body_of(told[begin : begin + AT_ONCE]), SOURCE)

    def _is_heard(self, change: Change) -> bool:
        if not change.firing:
            return change.mark in self.alertmanager.firing
        labels = change.labels
        if labels.get("service", "") in self._about or self._rules.match(labels) is not None:
            return True
        severity = labels.get("severity", "") in LABEL_SEVERITIES
        self._tally.passed_over(unclassified=not severity and self._rules.classify(labels) is None)
        return False

    def _react(self, events: Sequence[Event]) -> None:
        """What is assumed to follow from an act, or from a question."""
        for event in events:
            if event.kind == "attempt.applied" and self._assumed.resolved_after is not None:
                run = next(entity for entity in event.puts if isinstance(entity, Run))
                marks = list(self._engine.core.alarms.of(run))
                self._begin(self._end_after(self._assumed.resolved_after, marks))
            if event.kind == "approval.requested" and self._assumed.approvals != "none":
                asked = next(entity for entity in event.puts if isinstance(entity, Approval))
                if asked.status is ApprovalStatus.PENDING:
                    self._begin(answer(self._engine.desk, asked, self._assumed.approvals))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_after(self, length: timedelta, marks: Sequence[str]) -> None:
        episodes = {
            mark: self.alertmanager.firing[mark] for mark in marks if mark in self.alertmanager.firing
        }
        await self.clock.sleep(length.total_seconds())
        over = [
            _end(mark, episode, self.clock.now())
            for mark, episode in episodes.items()
            if self.alertmanager.firing.get(mark) is episode
        ]
        await self.tell(over)


async def answer(desk: Desk, asked: Approval, say: str) -> None:
    """People say `granted` or `denied` to a question, as many as it takes."""
    try:
        if say == "denied":
            await desk.deny(asked.id, "assumed", "assumed")
            return
        for number in range(1, asked.needed + 1):
            await desk.approve(asked.id, f"assumed-{number}")
    except DeskError:
        return  # the alert has ended meanwhile, or another plan is asked about


def _end(mark: str, episode: SeenAlert, now: datetime) -> Change:
    return Change(now, False, mark, episode.labels, episode.starts_at)


def body_of(changes: Sequence[Change]) -> bytes:
    """What Alertmanager would have posted."""
    alerts = [
        {
            "status": "firing" if change.firing else "resolved",
            "labels": change.labels,
            "startsAt": change.began.isoformat(),
            "endsAt": (NEVER if change.firing else change.at).isoformat(),
            "fingerprint": change.mark,
        }
        for change in changes
    ]
    return json.dumps({"version": "4", "alerts": alerts}).encode()
