"""What an engine counts of a container's use, checked and put into our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from remediator.model.world import Usage
from remediator.world.docker.answers import Moment, if_ever, read

if TYPE_CHECKING:
    from remediator.model.words import Json

_SECOND = 1_000_000_000
_NO_LIMIT = 2**62
"""From here on a limit is the kernel's way to say that there is none."""


class _Counted(BaseModel):
    """Part of the counts, which the engine names in another style."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _CpuUsage(_Counted):
    total_usage: int


class _CpuStats(_Counted):
    cpu_usage: _CpuUsage


class _MemoryStats(_Counted):
    usage: int | None = None
    limit: int | None = None
    stats: dict[str, int] | None = None


class _PidsStats(_Counted):
    current: int | None = None
    limit: int | None = None


class _Stats(_Counted):
    read: Moment
    cpu_stats: _CpuStats
    memory_stats: _MemoryStats = _MemoryStats()
    pids_stats: _PidsStats = _PidsStats()


def usage_of(told: Json) -> Usage | None:
    """What a container uses, from its counts; None if it does not run. Raises WorldError."""
    seen = read(_Stats, told, "the counts of a container")
    if if_ever(seen.read) is None:
        return None
    memory, pids = seen.memory_stats, seen.pids_stats
    return Usage(
        at=seen.read,
        cpu_seconds=seen.cpu_stats.cpu_usage.total_usage / _SECOND,
        memory=None if memory.usage is None else max(memory.usage - _cache(memory.stats or {}), 0),
        memory_limit=_if_limited(memory.limit),
        pids=pids.current,
        pids_limit=_if_limited(pids.limit),
    )


def _cache(stats: dict[str, int]) -> int:
    """As `docker stats` reckons it, for control groups of version 1, and 2."""
    return stats.get("total_inactive_file", stats.get("inactive_file", 0))


def _if_limited(limit: int | None) -> int | None:
    return limit if limit is not None and 0 < limit < _NO_LIMIT else None
