"""What an engine counts, put into our words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from remediator.model.world import WorldError
from remediator.world.docker import counts


def told_counts(**changes: Any) -> dict[str, Any]:
    return {
        "read": "2026-03-01T12:00:00.123456789Z",
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
        "memory_stats": {"usage": 5000, "limit": 8000, "stats": {"inactive_file": 1000}},
        "pids_stats": {"current": 3, "limit": 50},
        **changes,
    }


def test_what_a_container_uses() -> None:
    seen = counts.usage_of(told_counts())
    assert seen is not None
    assert (seen.at, seen.cpu_seconds) == (datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC), 2.5)
    assert (seen.memory, seen.memory_limit, seen.pids, seen.pids_limit) == (4000, 8000, 3, 50)


@pytest.mark.parametrize(
    ("told", "memory"),
    [
        ({}, None),
        ({"usage": 5000}, 5000),
        ({"usage": 5000, "stats": {"inactive_file": 1, "total_inactive_file": 2000}}, 3000),
        ({"usage": 5000, "stats": {"inactive_file": 6000}}, 0),
    ],
)
def test_memory_is_without_the_cache_that_can_be_given_back(told: dict[str, Any], memory: int | None) -> None:
    seen = counts.usage_of(told_counts(memory_stats=told))
    assert seen is not None
    assert seen.memory == memory


@pytest.mark.parametrize("limit", [0, 2**64 - 1, 9_223_372_036_854_771_712])
def test_no_limit_is_said_in_several_ways(limit: int) -> None:
    told = told_counts(memory_stats={"usage": 1, "limit": limit}, pids_stats={"current": 1, "limit": limit})
    seen = counts.usage_of(told)
    assert seen is not None
    assert (seen.memory_limit, seen.pids_limit) == (None, None)


def test_what_does_not_run_uses_nothing() -> None:
    told = told_counts(read="0001-01-01T00:00:00Z", memory_stats={}, pids_stats={})
    assert counts.usage_of(told) is None


@pytest.mark.parametrize(
    "told", [None, {}, told_counts(cpu_stats={}), told_counts(pids_stats={"current": "3"})]
)
def test_counts_that_cannot_be_read(told: Any) -> None:
    with pytest.raises(WorldError, match="the counts of a container"):
        counts.usage_of(told)
