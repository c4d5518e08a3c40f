"""`command` with real processes: done, cut off by the daemon's end, found again, and ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remediator.actions.command import Command
from remediator.clock import SystemClock
from remediator.model.command import CommandSpec
from remediator.model.world import ActFailed, Applied, NotApplied, Unknown
from remediator.world.base import World
from remediator.world.commands import NamedCommands
from tests.lab.wait import until
from tests.unit.given import BARE, intent

if TYPE_CHECKING:
    from pathlib import Path

    from remediator.model.plan import Operation
    from remediator.model.run import Attempt


def specs(folder: Path) -> dict[str, CommandSpec]:
    """`mend` waits for the file `go` and then makes the file `mended`, for which its probe looks."""
    script = f"touch {folder}/begun; while ! test -e {folder}/go; do sleep 0.02; done; touch {folder}/mended"
    found = (
        CommandSpec(name="mend", argv=("/bin/sh", "-c", script), probe="is-mended"),
        CommandSpec(name="is-mended", argv=("/usr/bin/test", "-e", f"{folder}/mended")),
        CommandSpec(name="fail", argv=("/bin/sh", "-c", "echo no disk >&2; exit 3")),
        CommandSpec(name="missing", argv=("/nowhere/mend",)),
    )
    return {spec.name: spec for spec in found}


def daemon(folder: Path) -> tuple[Command, World]:
    """As after a start of the daemon: everything anew but for its identity and the world outside."""
    commands = specs(folder)
    clock = SystemClock()
    world = World(
        engines={},
        alerts=None,
        prometheus=None,
        commands=NamedCommands(commands, clock, instance=f"tests of {folder}"),
        clock=clock,
        own_container_id=None,
    )
    return Command(commands), world


async def begin(action: Command, world: World, name: str) -> tuple[Operation, Attempt]:
    return intent(await action.plan(BARE, {"name": name}, world), world)


async def cut_off(folder: Path) -> tuple[Operation, Attempt]:
    """A daemon that ends while `mend` runs."""
    action, world = daemon(folder)
    operation, attempt = await begin(action, world, "mend")
    act = asyncio.create_task(action.apply(operation, attempt, world))
    await until((folder / "begun").exists, 30, "the command's start")
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    return operation, attempt


async def test_it_is_run_and_told_of(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    action, world = daemon(tmp_path)
    operation, attempt = await begin(action, world, "mend")
    assert isinstance(await action.apply(operation, attempt, world), Applied)
    assert isinstance(await action.probe(operation, attempt, world), Applied)

    failed = await action.apply(*await begin(action, world, "fail"), world)
    assert isinstance(failed, ActFailed)
    assert failed.result["error"] == "exit code 3: no disk"
    assert isinstance(await action.apply(*await begin(action, world, "missing"), world), ActFailed)


async def test_one_that_outlives_the_daemon_is_waited_for(tmp_path: Path) -> None:
    operation, attempt = await cut_off(tmp_path)
    action, world = daemon(tmp_path)
    result = await action.probe(operation, attempt, world)
    assert isinstance(result, Unknown)
    assert result.result["error"] == "it still runs"

    (tmp_path / "go").touch()

    async def applied() -> bool:
        return isinstance(await action.probe(operation, attempt, world), Applied)

    await until(applied, 30, "its end")


async def test_one_that_outlives_its_deadline_is_ended(tmp_path: Path) -> None:
    operation, attempt = await cut_off(tmp_path)
    action, world = daemon(tmp_path)
    assert await world.commands.survivors(attempt.id)
    late = replace(attempt, deadline=attempt.intent_at)
    assert isinstance(await action.probe(operation, late, world), NotApplied)
    assert not await world.commands.survivors(attempt.id)
    (tmp_path / "go").touch()
    assert isinstance(await action.probe(operation, late, world), NotApplied)
