"""An act gets through the daemon's end: it goes on printing, and the next daemon finds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remediator.world import commands
from remediator.world.base import CommandNotStarted
from remediator.world.keeping import Keeping
from tests.lab.wait import until, until_sync
from tests.unit.world.processes import descriptors, exists, shell, zombies

if TYPE_CHECKING:
    from remediator.world.base import Survivor
    from remediator.world.commands import NamedCommands


class Daemon:
    """A daemon that runs a shell script as the attempt 7, and was killed in the middle of that."""

    RUN = (
        "import asyncio, sys\n"
        "from remediator.clock import SystemClock\n"
        "from remediator.model.command import CommandSpec\n"
        "from remediator.world import commands\n"
        "async def main():\n"
        "    spec = CommandSpec(name='c', argv=('/bin/sh', '-c', sys.argv[2]))\n"
        "    named = commands.NamedCommands({}, SystemClock(), instance=sys.argv[1])\n"
        "    act = asyncio.create_task(named.run(spec, spec.argv, attempt=7))\n"
        "    await asyncio.sleep(0)\n"
        "    print(commands._KEEPING._process.pid, flush=True)\n"
        "    await act\n"
        "asyncio.run(main())\n"
    )

    def __init__(self, named: NamedCommands, script: str) -> None:
        self._named = named
        argv = [sys.executable, "-c", self.RUN, named._instance, script]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        with self.process:
            assert self.process.stdout is not None
            self.keeper = int(self.process.stdout.readline())
            until_sync(lambda: self.survivors(), 10, "the command's process")
            self.process.kill()

    def survivors(self) -> list[Survivor]:
        return self._named._scan(7)


PRINTS = (
    "while [ ! -e {go} ]; do echo waiting; sleep 0.01; done; "
    "yes | head -c 3000000; echo still; echo over > {done}"
)
"""It goes on printing, more than any pipe can hold, and only then does what it is for."""


def test_an_act_prints_on_and_ends_well_when_the_daemon_is_killed(
    named: NamedCommands, tmp_path: Path, leftovers: None
) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    daemon = Daemon(named, PRINTS.format(go=go, done=done))
    go.touch()
    until_sync(done.exists, 10, "what the command is for")
    until_sync(lambda: not daemon.survivors(), 10, "the command's end")
    until_sync(lambda: not exists(daemon.keeper), 10, "the end of the keeper, which has nothing left to keep")


def test_the_keeper_stays_when_it_is_asked_to_end(
    named: NamedCommands, tmp_path: Path, leftovers: None
) -> None:
    """As a service manager asks all processes of a service, and acts take their time to obey."""
    go, done = tmp_path / "go", tmp_path / "done"
    daemon = Daemon(named, PRINTS.format(go=go, done=done))
    until_sync(lambda: ignores(daemon.keeper, signal.SIGTERM), 10, "the keeper's start")
    os.kill(daemon.keeper, signal.SIGTERM)
    go.touch()
    until_sync(done.exists, 10, "what the command is for")


def ignores(pid: int, number: signal.Signals) -> bool:
    ignored = Path(f"/proc/{pid}/status").read_text().partition("SigIgn:")[2].split()[0]
    return bool(int(ignored, 16) & 1 << (number - 1))


async def test_what_an_act_leaves_in_the_background_prints_on(
    named: NamedCommands, tmp_path: Path, leftovers: None
) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    act = await shell(named, f"({PRINTS.format(go=go, done=done)}) & echo begun", attempt=1)
    assert act.exit_code == 0
    go.touch()
    await until(done.exists, 10, "what it does in the background")


async def test_a_keeper_that_somebody_killed_is_replaced(named: NamedCommands) -> None:
    await shell(named, "true", attempt=1)
    first = commands._KEEPING._process
    assert first is not None
    first.kill()
    await until(lambda: not exists(first.pid), 10, "its end")
    assert (await shell(named, "echo well", attempt=1)).output == "well\n"
    second = commands._KEEPING._process
    assert second is not None
    assert second.pid != first.pid
    assert zombies() == []


async def test_without_a_keeper_no_act_is_started(
    named: NamedCommands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(commands, "_KEEPING", Keeping())
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = descriptors()
    with pytest.raises(CommandNotStarted, match="the keeper of its output: No such file"):
        await shell(named, f"touch {tmp_path}/done", attempt=1)
    assert descriptors() == before
    assert not (tmp_path / "done").exists()


async def test_the_next_daemon_finds_and_ends_it(named: NamedCommands, leftovers: None) -> None:
    daemon = Daemon(named, "exec sleep 99")
    await until(lambda: [found.argv for found in daemon.survivors()] == [("sleep", "99")], 10, "the program")
    await named.end_survivors(7, ("sleep", "99"))
    await until(lambda: not daemon.survivors(), 10, "its end")
