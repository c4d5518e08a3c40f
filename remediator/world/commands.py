"""Run the named commands of the configuration: a fixed argv, no shell, bounded in time and output.

A command must be cheap to start, since an alert storm starts many: no thread waits for a process,
the event loop watches its output and its pidfd. And an act must get through a crash of the daemon: its
output has a keeper, as a pipe without a reader would kill it, and the attempt it belongs to stands in
its environment, which `/proc` shows, so that the next daemon finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from remediator.model.world import WorldError
from remediator.world.base import CommandNotStarted, CommandResult, Survivor
from remediator.world.keeping import Keeping, Process
from remediator.world.output import CutBuffer, redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remediator.clock import Clock
    from remediator.model.command import CommandSpec

MARKER = "REMEDIATOR_ATTEMPT"
"""Environment variable that tells to which attempt of which daemon a process belongs."""

BASE_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
TERM_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL, and after that until a process is given up."""
MAX_RUNNING = 64
"""Commands that run at once; more wait for their turn. Each needs two file descriptors."""
_GROUP_POLL = 0.02
_CHUNK = 65_536
_FULL_PIPE = 1_048_576
"""Bytes: as far as a program may enlarge its pipe, unless it is root's."""
_KEEPING = Keeping()


class NamedCommands:
    """The named commands, on this machine. Its face is `Commands`.

    What an act leaves in the background is nobody's business here. It may go on writing to the output
    that it was given; that is read, and dropped.
    """

    def __init__(self, specs: Mapping[str, CommandSpec], clock: Clock, *, instance: str) -> None:
        """`instance` tells this daemon's processes from those of another one on the machine.

        It has to survive a restart of the daemon, as the store's identity does.
        """
        self.specs = specs
        self._clock = clock
        self._instance = instance
        self._turns = asyncio.Semaphore(MAX_RUNNING)

    async def run(
        self, spec: CommandSpec, argv: Sequence[str], *, attempt: int | None = None
    ) -> CommandResult:
        """See `Commands.run`. WorldError when it was started, but could not be watched and was ended."""
        env = {**BASE_ENV, **spec.env}
        if attempt is not None:
            env[MARKER] = self._mark(attempt)
        async with self._turns:
            start = self._clock.monotonic()
            keeping = None if attempt is None else _KEEPING
            running = _Running(argv, env, spec.output_limit, spec.timeout.total_seconds(), keeping)
            try:
                await running.over
            except asyncio.CancelledError:
                # An act goes on, and its probe finds it by its mark; a look is of no more use.
                if attempt is None:
                    running.kill()
                raise
        return CommandResult(
            exit_code=running.exit_code,
            output=redact(running.output.text()),
            output_bytes=running.output.size,
            seconds=self._clock.monotonic() - start,
            timed_out=running.timed_out,
        )

    async def survivors(self, attempt: int) -> list[Survivor]:
        """Look for the attempt's mark in the environments of all processes of this user."""
        return await asyncio.to_thread(self._scan, attempt)

    async def end_survivors(self, attempt: int, argv: Sequence[str]) -> None:
        """Kill the process group that the attempt's own command leads, if it still runs `argv`.

        What it started in the background is not killed once it has gone itself: that may be the
        very service it was to start.
        """
        for survivor in await self.survivors(attempt):
            # A script shows as its interpreter followed by the argv it was started with.
            is_command = survivor.pid == survivor.group and survivor.argv[-len(argv) :] == tuple(argv)
            if is_command and self._marked(survivor.pid, attempt):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(survivor.group, signal.SIGKILL)

    def _mark(self, attempt: int) -> str:
        return f"{self._instance}/{attempt}"

    def _scan(self, attempt: int) -> list[Survivor]:
        if not Path("/proc/self/environ").exists():
            raise WorldError("processes that outlived the daemon cannot be found: there is no /proc here")
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and self._marked(int(entry.name), attempt):
                with contextlib.suppress(OSError):
                    pid = int(entry.name)
                    argv = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                    found.append(Survivor(pid=pid, group=os.getpgid(pid), argv=tuple(map(os.fsdecode, argv))))
        return found

    def _marked(self, pid: int, attempt: int) -> bool:
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"{MARKER}={self._mark(attempt)}".encode() in environ.split(b"\0")


def _start(argv: Sequence[str], env: Mapping[str, str], keeping: Keeping | None) -> tuple[Process, int, int]:
    """The process, the end of the pipe that its output comes out of, and its pidfd."""
    try:
        pipe, write_end = os.pipe()
    except OSError as error:
        raise CommandNotStarted(f"{argv[0]} could not be started: {error.strerror}") from None
    try:
        if keeping is not None:
            keeping.hold(pipe)
        process = Process(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            env=env,
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        os.close(pipe)
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise CommandNotStarted(f"{argv[0]} could not be started: {reason}") from None
    finally:
        os.close(write_end)
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(pipe)
        raise WorldError(f"{argv[0]} was started and ended at once, unwatched: {error.strerror}") from None
    os.set_blocking(pipe, False)
    return process, pipe, pidfd


def _lives(group: int) -> bool:
    """Whether a process group has a process that is not dead already."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    # The dead count there until somebody reaps them, which may never happen in a container.
    return any(_in_group(entry, group) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _in_group(process: Path, group: int) -> bool:
    try:
        # The program's name, in parentheses, may hold anything.
        told = (process / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return int(told[2]) == group and told[0] not in (b"Z", b"X")


class _Running:
    """One process and its group, watched by the event loop until it ends, whether anybody waits or not."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        output_limit: int,
        seconds: float,
        keeping: Keeping | None,
    ) -> None:
        self.output = CutBuffer(output_limit)
        self.timed_out = False
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        """Done when it has ended, or has been given up."""
        self._keeping = keeping
        self._process, self._pipe, self._pidfd = _start(argv, env, keeping)
        self._at_end = False
        self._loop.add_reader(self._pipe, self._read)
        self._loop.add_reader(self._pidfd, self._exited)
        self._timer = self._loop.call_later(seconds, self._time_is_up)

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # Before it has been waited for its number cannot be anybody else's, not even when it is dead.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _read(self) -> bool:
        """Take what is in the pipe; False if nothing is."""
        try:
            data = os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._at_end = True
            self._loop.remove_reader(self._pipe)
            return False
        self.output.add(data)
        return True

    def _exited(self) -> None:
        self._timer.cancel()
        if self.timed_out:
            self.kill()  # whatever of its group ignored SIGTERM
        self._process.poll()
        # What it wrote before it ended is in the pipe. Something that it left behind may hold the
        # pipe open and write for ever, so this takes no more than a pipe can hold.
        for _ in range(_FULL_PIPE // _CHUNK + 1):
            if not self._read():
                break
        if self._keeping is not None and not self._at_end:
            with contextlib.suppress(OSError):
                self._keeping.read(self._pipe)
        for descriptor in (self._pipe, self._pidfd):
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        if self.timed_out:
            self._when_group_is_gone(tries=int(TERM_GRACE / _GROUP_POLL))
        else:
            self._finish()

    def _when_group_is_gone(self, tries: int) -> None:
        """Finish when nothing of its killed group is left: what still dies would be taken for a survivor."""
        if tries and _lives(self._process.pid):
            self._loop.call_later(_GROUP_POLL, self._when_group_is_gone, tries - 1)
        else:
            self._finish()

    def _time_is_up(self) -> None:
        self.timed_out = True
        self._signal(signal.SIGTERM)
        self._timer = self._loop.call_later(TERM_GRACE, self._grace_is_up)

    def _grace_is_up(self) -> None:
        self.kill()
        self._timer = self._loop.call_later(TERM_GRACE, self._finish)

    def _finish(self) -> None:
        if not self.over.done():
            self.over.set_result(None)
