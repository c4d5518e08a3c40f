"""The check `stats`: what each container uses now, and how near that is to its limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pydantic import Field

from remediator.checks.base import Look
from remediator.checks.texts import share, size, table
from remediator.model.params import Params
from remediator.model.text import counted, harmless
from remediator.model.world import Finding, Usage, WorldError
from remediator.world.targets import seen_containers

if TYPE_CHECKING:
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import Container
    from remediator.world.base import Engine, World

BETWEEN = 1.0
"""Seconds between the two counts of which the use of CPUs is made."""
MAX_CONTAINERS = 50
"""Looked at, of one service; the rest is only counted."""

_HEAD = ("NAME", "CPU", "MEMORY", "LIMIT", "MEM", "PIDS", "RESTARTS")


class StatsParams(Params):
    """Parameters of the check `stats`."""

    full: float = Field(
        default=95, gt=0, le=100, description="A container is not well from this percentage of a limit on."
    )


class StatsLook(Look[StatsParams]):
    """Look at what every container uses."""

    name = "stats"
    params = StatsParams

    async def see(self, service: Service, params: StatsParams, world: World) -> Finding:
        """Well is: none is near a limit. One that cannot be read does not hide the others."""
        engine = world.engine(service.target.engine)
        containers = await seen_containers(service, world)
        looked = containers[:MAX_CONTAINERS]
        before = await _counts(engine, looked)
        # Two counts instead of one long question: an engine would take a second for each container.
        await world.clock.sleep(BETWEEN)
        after = await _counts(engine, looked)
        seen = [_facts(c, then, now) for c, then, now in zip(looked, before, after, strict=True)]
        unread = [str(facts["name"]) for facts in seen if "error" in facts]
        full = [what for facts in seen for what in _full(facts, params.full)]
        left = len(containers) - len(looked)
        told = [*full] or [f"{counted(len(seen) - len(unread), 'container')}, none near a limit"]
        told += [f"cannot be read: {', '.join(unread)}"] if unread else []
        told += [f"{left} more not looked at"] if left else []
        return Finding(
            check=self.name,
            ok=False if full else None if unread or left or not seen else True,
            summary="; ".join(told) if containers else "no containers",
            text=table(_HEAD, map(_row, seen)),
            facts={"containers": seen},
        )


async def _counts(engine: Engine, containers: list[Container]) -> list[Usage | WorldError | None]:
    async def count(container: Container) -> Usage | WorldError | None:
        try:
            return await engine.usage(container.id)
        except WorldError as error:
            return error

    return await asyncio.gather(*map(count, containers))


def _facts(
    container: Container, before: Usage | WorldError | None, after: Usage | WorldError | None
) -> dict[str, Json]:
    facts: dict[str, Json] = {"name": harmless(container.name), "restarts": container.restart_count}
    if isinstance(after, WorldError):
        return facts | {"error": harmless(str(after))}
    if after is None:
        return facts | {"running": False}
    return facts | {
        "running": True,
        "cpu_percent": _cpu(before, after) if isinstance(before, Usage) else None,
        "memory_bytes": after.memory,
        "memory_limit_bytes": after.memory_limit,
        "memory_percent": None if after.memory is None else share(after.memory, after.memory_limit),
        "pids": after.pids,
        "pids_limit": after.pids_limit,
        "pids_percent": None if after.pids is None else share(after.pids, after.pids_limit),
    }


def _cpu(before: Usage, after: Usage) -> float | None:
    """Percent of one CPU; None where the container was started anew meanwhile."""
    seconds = (after.at - before.at).total_seconds()
    used = after.cpu_seconds - before.cpu_seconds
    return round(100 * used / seconds, 1) if seconds > 0 and used >= 0 else None


def _full(facts: dict[str, Json], limit: float) -> list[str]:
    near = (("memory", facts.get("memory_percent")), ("processes", facts.get("pids_percent")))
    return [
        f"{facts['name']} uses {percent:g}% of its {what}"
        for what, percent in near
        if (percent or 0) >= limit
    ]


def _row(facts: dict[str, Json]) -> tuple[str, ...]:
    name, restarts = str(facts["name"]), str(facts["restarts"])
    if not facts.get("running"):
        why = f"cannot be read: {facts['error']}" if "error" in facts else "does not run"
        return (name, why, "-", "-", "-", "-", restarts)

    def told(value: float | None, unit: str) -> str:
        return "-" if value is None else f"{value:g}{unit}"

    memory, limit = facts["memory_bytes"], facts["memory_limit_bytes"]
    pids = told(facts["pids"], "")
    return (
        name,
        told(facts["cpu_percent"], "%"),
        "-" if memory is None else size(memory),
        "-" if limit is None else size(limit),
        told(facts["memory_percent"], "%"),
        pids if facts["pids_limit"] is None else f"{pids}/{facts['pids_limit']}",
        restarts,
    )
