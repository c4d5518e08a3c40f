"""Keeps a runner for every unfinished run, and tells it when its run was changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from remediator.engine.core import RETRY_SECONDS, wait_for
from remediator.engine.runner import Runner
from remediator.model.run import Run
from remediator.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remediator.engine.core import Core
    from remediator.model.event import Event

ACTS_AT_ONCE = 16
"""Acts that are under way at the same time; more wait, undecided, for their turn."""

log = structlog.get_logger(__name__)


class Dispatcher:
    """All runners of the daemon."""

    def __init__(self, core: Core, ready: asyncio.Event) -> None:
        self._core = core
        self._ready = ready
        self._slots = asyncio.Semaphore(ACTS_AT_ONCE)
        self._runners: dict[int, Runner] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def load(self, runs: Iterable[Run]) -> None:
        """Go on with what was under way when the daemon ended."""
        for run in runs:
            self._follow(run)

    def observe(self, event: Event) -> None:
        """Follow a committed event."""
        for entity in event.puts:
            if isinstance(entity, Run):
                self._follow(entity)

    def look_again(self) -> None:
        """Have every waiting run looked at, because the rules or the configuration are new."""
        for runner in self._runners.values():
            runner.hurry()

    def unfinished(self) -> list[Run]:
        """The runs as last committed."""
        return [runner.run for runner in self._runners.values()]

    async def stop(self, grace: float) -> None:
        """End all runners; acts under way may take up to `grace` seconds to finish and be recorded."""
        for number, task in list(self._tasks.items()):
            if not self._runners[number].acting:
                task.cancel()
        acting = [task for number, task in self._tasks.items() if self._runners[number].acting]
        if acting:
            log.info("waiting for acts under way", acts=len(acting), seconds=grace)
            await asyncio.wait(acting, timeout=grace)
        left = list(self._tasks.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _follow(self, run: Run) -> None:
        runner = self._runners.get(run.id)
        if runner is not None:
            runner.run = run
            runner.changed.set()
        elif not run.finished and not self._core.draining:
            runner = self._runners[run.id] = Runner(self._core, run, self._ready, self._slots)
            task = asyncio.create_task(self._drive(runner), name=f"run {run.id}")
            self._tasks[run.id] = task

    async def _drive(self, runner: Runner) -> None:
        try:
            while not runner.run.finished and not self._core.draining:
                try:
                    await runner.drive()
                except StoreError as error:
                    log.error("a run waits for the store", run=runner.run.id, error=str(error))
                    await wait_for(runner.changed, RETRY_SECONDS)
                except Exception:
                    # From its status it can always go on: nothing is held in the runner alone.
                    log.exception("a run's course failed and is begun again", run=runner.run.id)
                    await wait_for(asyncio.Event(), RETRY_SECONDS)
        finally:
            self._runners.pop(runner.run.id, None)
            self._tasks.pop(runner.run.id, None)
