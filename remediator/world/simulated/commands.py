"""Named commands in memory: no process is started, but each run is remembered, and ends as it was told to."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from remediator.world.base import CommandNotStarted, CommandResult, Survivor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from remediator.clock import Clock
    from remediator.model.command import CommandSpec

SIGKILL = 9


@dataclass(frozen=True, kw_only=True)
class Program:
    """How a command's program behaves."""

    exit_code: int = 0
    output: str = ""
    seconds: float = 0.0
    """How long it runs; infinite for one that hangs."""
    not_started: str | None = None
    """Why it cannot be started."""
    undying: bool = False
    """It outlives being killed, as a process does that waits for a dead disk."""
    effect: Callable[[], object] | None = None
    """What it brings about when it ends by itself."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One start of a command."""

    name: str
    argv: tuple[str, ...]
    attempt: int | None
    at: datetime


@dataclass
class _Process:
    ran: Ran
    program: Program
    pid: int
    ends_at: datetime
    killed: bool = False
    over: bool = False


class SimulatedCommands:
    """Named commands in memory."""

    def __init__(self, clock: Clock, specs: Iterable[CommandSpec] = ()) -> None:
        self.clock = clock
        self.specs: Mapping[str, CommandSpec] = {spec.name: spec for spec in specs}
        self.programs: dict[str, Program] = {}
        """By the command's name; without an entry it succeeds at once."""
        self.runs: list[Ran] = []
        """Every start, in order."""
        self._processes: list[_Process] = []
        self._pids = itertools.count(1000)

    def behaves(self, name: str, **how: Any) -> None:
        """Say how a command's program behaves from now on; see `Program`."""
        self.programs[name] = Program(**how)

    def ran(self, name: str) -> list[Ran]:
        """The starts of one command."""
        return [ran for ran in self.runs if ran.name == name]

    async def run(
        self, spec: CommandSpec, argv: Sequence[str], *, attempt: int | None = None
    ) -> CommandResult:
        """Run it to its end or its timeout. When cancelled, an attempt's process runs on."""
        program = self.programs.get(spec.name, Program())
        if program.not_started is not None:
            raise CommandNotStarted(f"{argv[0]} could not be started: {program.not_started}")
        limit = spec.timeout.total_seconds()
        process = self._start(spec, argv, attempt, program)
        try:
            await self.clock.sleep(min(program.seconds, limit))
        except asyncio.CancelledError:
            process.killed = attempt is None
            raise
        timed_out = program.seconds > limit
        process.killed = timed_out
        self._catch_up()
        return CommandResult(
            exit_code=None if timed_out and program.undying else -SIGKILL if timed_out else program.exit_code,
            output=program.output[: spec.output_limit],
            output_bytes=len(program.output.encode()),
            seconds=min(program.seconds, limit),
            timed_out=timed_out,
        )

    async def survivors(self, attempt: int) -> list[Survivor]:
        """The attempt's processes that still run."""
        self._catch_up()
        return [
            Survivor(pid=process.pid, group=process.pid, argv=process.ran.argv)
            for process in self._processes
            if process.ran.attempt == attempt and not process.over
        ]

    async def end_survivors(self, attempt: int, argv: Sequence[str]) -> None:
        """Kill the attempt's own command."""
        for process in self._processes:
            if process.ran.attempt == attempt and process.ran.argv == tuple(argv):
                process.killed = True
        self._catch_up()

    def _start(
        self, spec: CommandSpec, argv: Sequence[str], attempt: int | None, program: Program
    ) -> _Process:
        now = self.clock.now()
        ran = Ran(name=spec.name, argv=tuple(argv), attempt=attempt, at=now)
        self.runs.append(ran)
        forever = program.seconds == float("inf")
        ends_at = (
            datetime.max.replace(tzinfo=now.tzinfo) if forever else now + timedelta(seconds=program.seconds)
        )
        process = _Process(ran, program, next(self._pids), ends_at)
        self._processes.append(process)
        return process

    def _catch_up(self) -> None:
        """End what is killed, and what has run its time: then its effect is there."""
        for process in self._processes:
            if process.over:
                continue
            if process.killed:
                process.over = not process.program.undying
            elif process.ends_at <= self.clock.now():
                process.over = True
                if process.program.effect is not None:
                    process.program.effect()
