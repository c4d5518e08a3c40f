"""Shell scripts as named commands, and what the machine knows of processes."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from remediator.model.command import CommandSpec

if TYPE_CHECKING:
    from remediator.world.base import CommandResult
    from remediator.world.commands import NamedCommands

SH = "/bin/sh"


def spec(
    *argv: str, seconds: float = 60, limit: int = 65_536, env: dict[str, str] | None = None
) -> CommandSpec:
    return CommandSpec(
        name="c", argv=argv, timeout=timedelta(seconds=seconds), output_limit=limit, env=env or {}
    )


async def shell(
    named: NamedCommands, script: str, *, attempt: int | None = None, **options: float
) -> CommandResult:
    command = spec(SH, "-c", script, **options)
    return await named.run(command, command.argv, attempt=attempt)


def exists(pid: int) -> bool:
    """Whether there is such a process that is not only waiting to be reaped."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def zombies() -> list[int]:
    """Children of this process that wait to be reaped."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in children if not exists(int(pid))]


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}
