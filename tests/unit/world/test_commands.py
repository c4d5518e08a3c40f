"""Named commands as real processes: their time, output and group, and what is left of them."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.world import commands
from remediator.world.base import CommandNotStarted, Survivor
from remediator.world.commands import NamedCommands
from tests.lab.wait import until
from tests.unit.world.processes import SH, descriptors, exists, shell, spec, zombies

if TYPE_CHECKING:
    from pathlib import Path


async def test_output_of_both_streams_in_order_and_exit_code(named: NamedCommands) -> None:
    done = await shell(named, "echo one; echo two >&2; echo three; exit 3")
    assert (done.exit_code, done.output, done.output_bytes) == (3, "one\ntwo\nthree\n", 14)
    assert not done.timed_out
    assert done.seconds > 0


async def test_a_signal_shows_as_its_negative_number(named: NamedCommands) -> None:
    assert (await shell(named, "kill -9 $$")).exit_code == -9


async def test_argv_arrives_as_it_is(named: NamedCommands) -> None:
    nasty = ["$(id)", "a b", "'\"", "\n", "é", ";reboot"]
    code = "import sys; print(sys.argv[1:])"
    command = spec(sys.executable, "-c", code, *nasty)
    assert (await named.run(command, command.argv)).output.strip() == str(nasty)


async def test_environment_is_only_what_the_configuration_says(
    named: NamedCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_DAEMON", "secret")
    command = spec("/usr/bin/env", env={"GREETING": "hello"})
    lines = (await named.run(command, command.argv)).output.splitlines()
    assert {line.split("=")[0] for line in lines} == {"PATH", "LANG", "GREETING"}


async def test_it_is_not_in_the_daemons_folder_and_reads_nothing(named: NamedCommands) -> None:
    assert (await shell(named, "pwd; cat")).output == "/\n"


async def test_secrets_are_taken_out_of_the_output(named: NamedCommands) -> None:
    done = await shell(named, "echo password=hunter2; echo fine")
    assert "hunter2" not in done.output
    assert "fine" in done.output


@pytest.mark.parametrize(
    ("program", "reason"),
    [("/no/such/program", "No such file"), ("/etc", "Permission denied")],
)
async def test_what_cannot_be_started(named: NamedCommands, program: str, reason: str) -> None:
    command = spec(program)
    before = descriptors()
    with pytest.raises(CommandNotStarted, match=f"{program} could not be started: {reason}"):
        await named.run(command, command.argv)
    assert descriptors() == before


async def test_a_file_that_is_no_program(named: NamedCommands, tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"\x7fnothing")
    file.chmod(0o755)
    command = spec(str(file))
    with pytest.raises(CommandNotStarted, match="Exec format error"):
        await named.run(command, command.argv)


async def test_too_long_an_argument(named: NamedCommands) -> None:
    command = spec("/bin/echo", "x" * 3_000_000)
    with pytest.raises(CommandNotStarted, match="Argument list too long"):
        await named.run(command, command.argv)


async def test_long_output_keeps_head_and_tail(named: NamedCommands) -> None:
    done = await shell(named, "echo first; yes | head -c 5000000; echo last", limit=1000)
    assert done.exit_code == 0
    assert done.output_bytes == 5_000_011
    assert done.output.startswith("first\ny\n")
    assert done.output.endswith("y\nlast\n")
    assert "[... 4999011 bytes cut ...]" in done.output
    assert len(done.output) < 1100


async def test_output_that_filled_the_pipe_at_the_end_is_whole(named: NamedCommands) -> None:
    # The program enlarges its pipe and is gone before anybody reads.
    code = (
        "import fcntl, os; fcntl.fcntl(1, 1031, 1048576); "
        "n = os.write(1, b'x' * 1_000_000); os.write(2, b'end'); os._exit(0)"
    )
    command = spec(sys.executable, "-c", code, limit=2_000_000)
    done = await named.run(command, command.argv)
    assert done.output_bytes == 1_000_003
    assert done.output.endswith("xend")


async def test_timeout_ends_the_whole_group(
    named: NamedCommands, monkeypatch: pytest.MonkeyPatch, leftovers: None
) -> None:
    monkeypatch.setattr(commands, "TERM_GRACE", 30.0)
    script = (
        "trap 'echo asked; exit 5' TERM; (trap '' TERM; echo child; sleep 99) & while :; do sleep 0.01; done"
    )
    done = await shell(named, script, attempt=1, seconds=0.5)
    assert done.timed_out
    assert done.exit_code == 5, "it was asked first, and given the time to obey"
    assert "asked" in done.output
    assert await named.survivors(1) == []


async def test_what_ignores_being_asked_is_killed(
    named: NamedCommands, monkeypatch: pytest.MonkeyPatch, leftovers: None
) -> None:
    monkeypatch.setattr(commands, "TERM_GRACE", 0.1)
    done = await shell(named, "trap '' TERM; while :; do sleep 0.01; done", attempt=1, seconds=0.2)
    assert done.timed_out
    assert done.exit_code == -9
    assert await named.survivors(1) == []


async def test_a_background_child_that_keeps_the_pipe_open_holds_nobody_up(
    named: NamedCommands, leftovers: None
) -> None:
    done = await shell(named, "echo started; (sleep 99; echo late) & exit 0", attempt=1)
    assert (done.exit_code, done.output) == (0, "started\n")
    assert len(await named.survivors(1)) >= 1


async def test_a_background_child_that_never_stops_writing(named: NamedCommands, leftovers: None) -> None:
    done = await shell(named, "yes & sleep 0.2", attempt=1)
    assert done.exit_code == 0
    assert done.output_bytes > 0


async def test_survivors_are_found_after_their_parent_ended(named: NamedCommands, leftovers: None) -> None:
    await shell(named, "setsid sleep 99 > /dev/null 2>&1 & exit 0", attempt=1)
    await shell(named, "sleep 98 > /dev/null 2>&1 & exit 0", attempt=2)

    async def left(attempt: int) -> list[tuple[str, ...]]:
        return [survivor.argv for survivor in await named.survivors(attempt)]

    async def is_left(attempt: int, argv: tuple[str, ...]) -> bool:
        # A shell that has forked, but not yet become the program, shows as itself.
        return await left(attempt) == [argv]

    await until(lambda: is_left(1, ("sleep", "99")), 10, "the program behind setsid")
    await until(lambda: is_left(2, ("sleep", "98")), 10, "the program in the background")
    other = NamedCommands({}, SystemClock(), instance="another")
    assert await other.survivors(1) == []


async def test_only_the_command_itself_is_ended(named: NamedCommands, leftovers: None) -> None:
    command = spec(SH, "-c", "setsid sleep 99 > /dev/null 2>&1 & sleep 98; true")
    act = asyncio.create_task(named.run(command, command.argv, attempt=1))

    async def names() -> set[str]:
        return {survivor.argv[-1] for survivor in await named.survivors(1)}

    async def all_there() -> bool:
        return {"98", "99"} <= await names()

    await until(all_there)
    await named.end_survivors(1, ("/bin/true",))
    assert await all_there(), "these are not the attempt's argv"
    await named.end_survivors(1, command.argv)
    done = await act
    assert done.exit_code == -9

    async def only_what_it_let_go_of() -> bool:
        return await names() == {"99"}

    await until(only_what_it_let_go_of, 10, "the service that it may have started, and nothing else")


async def test_a_script_is_known_by_its_own_argv(
    named: NamedCommands, tmp_path: Path, leftovers: None
) -> None:
    script = tmp_path / "mend"
    script.write_text("#!/bin/sh\nsleep 99; true\n")
    script.chmod(0o755)
    command = spec(str(script), "now")
    act = asyncio.create_task(named.run(command, command.argv, attempt=1))

    async def sleeps() -> bool:
        return any(survivor.argv[0] == "sleep" for survivor in await named.survivors(1))

    await until(sleeps)
    await named.end_survivors(1, command.argv)
    assert (await act).exit_code == -9
    assert zombies() == []


async def test_cancelling_ends_a_look(named: NamedCommands, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    look = asyncio.create_task(shell(named, f"echo $$ > {file}.new; mv {file}.new {file}; sleep 99; true"))
    await until(file.exists)
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    await until(lambda: not exists(int(file.read_text())), 10, "its end")
    await until(lambda: not zombies(), 10, "its being reaped")


async def test_cancelling_leaves_an_act_to_itself(
    named: NamedCommands, tmp_path: Path, leftovers: None
) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    script = f"while [ ! -e {go} ]; do echo waiting; sleep 0.01; done; echo done > {done}"
    act = asyncio.create_task(shell(named, script, attempt=1))

    async def running() -> list[Survivor]:
        return await named.survivors(1)

    await until(running)
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    go.touch()
    await until(done.exists, 10, "the end of the act, whose output nobody waits for")

    async def gone() -> bool:
        return not await named.survivors(1)

    await until(gone)


async def test_a_cancelled_act_still_has_its_time_limit(named: NamedCommands, leftovers: None) -> None:
    act = asyncio.create_task(shell(named, "sleep 99; true", attempt=1, seconds=0.5))

    async def running() -> list[Survivor]:
        return await named.survivors(1)

    await until(running)
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act

    async def gone() -> bool:
        return not await named.survivors(1)

    await until(gone)


async def test_hundreds_at_once_leave_nothing_behind(named: NamedCommands) -> None:
    before = descriptors()
    done = await asyncio.gather(*(shell(named, f"echo {i}; exit {i}") for i in range(200)))
    assert [(d.exit_code, d.output) for d in done] == [(i, f"{i}\n") for i in range(200)]
    assert descriptors() == before
    assert zombies() == []


async def test_no_more_than_the_limit_run_at_once(
    named: NamedCommands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(commands, "MAX_RUNNING", 3)
    named = NamedCommands({}, SystemClock(), instance="few")
    script = f"touch {tmp_path}/$$; ls {tmp_path} | wc -l; sleep 0.05; rm {tmp_path}/$$"
    done = await asyncio.gather(*(shell(named, script) for _ in range(12)))
    assert max(int(d.output) for d in done) <= 3


async def test_without_descriptors_nothing_is_started(
    named: NamedCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", none)
    with pytest.raises(CommandNotStarted, match="Too many open files"):
        await shell(named, "true")
