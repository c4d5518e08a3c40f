"""The past as a stream of changes: alerts that begin and end, in the order of time.

However long the past is, only what is open at a moment is in memory.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from remediator.reading.problems import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping
    from pathlib import Path

LONGEST_LINE = 1_000_000
"""Characters of a line of a file; a longer one is no episode."""


class HistoryError(Exception):
    """The past cannot be read; the message says of what, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """An alert begins to fire, or ends."""

    at: datetime
    firing: bool
    mark: str
    """What tells the alert from all others, such as Alertmanager's fingerprint does."""
    labels: Mapping[str, str]
    began: datetime
    """When the episode began that this is about."""


def mark_of(labels: Mapping[str, str]) -> str:
    """The same for the same labels, in any order."""
    text = json.dumps(sorted(labels.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


async def read_episodes(file: Path) -> AsyncGenerator[Change, None]:
    """The episodes of a file: one JSON object a line, in the order of `starts_at`.

    Each has `labels`, `starts_at` and, unless it still fires, `ends_at`. InputError names the line.
    """
    ends: list[tuple[datetime, int, Change]] = []
    for number, (labels, begins, over) in enumerate(_lines(file)):
        while ends and ends[0][0] <= begins:
            yield heapq.heappop(ends)[2]
        mark = mark_of(labels)
        yield Change(begins, True, mark, labels, begins)
        if over is not None:
            heapq.heappush(ends, (over, number, Change(over, False, mark, labels, begins)))
    while ends:
        yield heapq.heappop(ends)[2]


def first_moment(file: Path) -> datetime:
    """When the first episode of a file began. InputError if there is none."""
    for _, begins, _ in _lines(file):
        return begins
    raise InputError([Problem(file=str(file), message="there is no episode in it")])


def _lines(file: Path) -> Iterator[tuple[dict[str, str], datetime, datetime | None]]:
    last = datetime.min.replace(tzinfo=UTC)
    try:
        with file.open(encoding="utf-8") as text:
            for number, line in enumerate(iter(lambda: text.readline(LONGEST_LINE), ""), 1):
                if not line.strip():
                    continue
                try:
                    episode = _episode(json.loads(line))
                    if episode[1] < last:
                        raise ValueError("it begins before the one above; sort the lines by `starts_at`")
                except (ValueError, RecursionError) as error:
                    raise InputError([Problem(file=str(file), line=number, message=str(error))]) from None
                last = episode[1]
                yield episode
    except OSError as error:
        message = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise InputError([Problem(file=str(file), message=message)]) from None


def _episode(told: Any) -> tuple[dict[str, str], datetime, datetime | None]:
    if not isinstance(told, dict):
        raise ValueError("expected an object with `labels`, `starts_at` and `ends_at`")
    labels = told.get("labels")
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise ValueError("expected `labels` with names and texts")
    begins, ends = _moment(told, "starts_at"), _moment(told, "ends_at")
    if begins is None:
        raise ValueError("expected `starts_at`")
    if ends is not None and ends <= begins:
        raise ValueError("`ends_at` must be after `starts_at`")
    return labels, begins, ends


def _moment(told: dict[str, Any], key: str) -> datetime | None:
    text = told.get(key)
    if text is None:
        return None
    moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"`{key}` must be a time with its zone, such as 2026-03-01T12:00:00Z")
    return moment.astimezone(UTC)
