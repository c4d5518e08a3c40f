"""The past as a stream of changes: alerts that begin and end, in the order of time.

However long the past is, only what is open at a moment is in memory.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from remediator.reading.problems import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping
    from pathlib import Path

LONGEST_LINE = 1_000_000
"""Bytes of a line of a file; a longer one is no episode."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No past reaches back further."""

Episode = tuple[dict[str, str], datetime, datetime | None]
"""Labels, beginning and, if it is over, the end."""


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


@dataclass(slots=True)
class _Open:
    labels: dict[str, str]
    began: datetime
    over: datetime | None


async def read_episodes(file: Path, begin: datetime, now: datetime) -> AsyncGenerator[Change, None]:
    """The episodes of a file: one JSON object a line, in the order of `starts_at`.

    Each has `labels`, `starts_at` and, unless it still fires, `ends_at`. Those of one alert that touch or
    overlap are one. What was over by `begin` is left out; what fired then begins then. What ends after
    `now` still fires. InputError names the line.
    """
    fires: dict[str, _Open] = {}
    ends: list[tuple[datetime, int, str]] = []
    lines = enumerate(_since(begin, _lines(file, now)))
    for at, same in groupby(lines, lambda line: line[1][1]):
        for change in _over(ends, fires, at, inclusive=False):
            yield change
        new = {}
        for number, (labels, _, over) in same:
            mark = mark_of(labels)
            known = fires.get(mark)
            if known is None:
                fires[mark] = new[mark] = _Open(labels, at, over)
            elif known.over is not None and (over is None or over > known.over):
                known.over = over
            else:
                continue
            if over is not None:
                heapq.heappush(ends, (over, number, mark))
        for change in _over(ends, fires, at, inclusive=True):
            yield change
        for mark, one in new.items():
            yield Change(at, True, mark, one.labels, at)
    for change in _over(ends, fires, now, inclusive=True):
        yield change


def _over(
    ends: list[tuple[datetime, int, str]], fires: dict[str, _Open], until: datetime, *, inclusive: bool
) -> Iterator[Change]:
    """What ends by then, or before. An end that has been put off meanwhile is none."""
    while ends and (ends[0][0] < until or (inclusive and ends[0][0] == until)):
        at, _, mark = heapq.heappop(ends)
        if (known := fires.get(mark)) is not None and known.over == at:
            del fires[mark]
            yield Change(at, False, mark, known.labels, known.began)


def _since(begin: datetime, episodes: Iterator[Episode]) -> Iterator[Episode]:
    for labels, begins, over in episodes:
        if over is None or over > begin:
            yield labels, max(begins, begin), over


def first_moment(file: Path, now: datetime) -> datetime:
    """When the first episode of a file began. InputError if there is none."""
    for _, begins, _ in _lines(file, now):
        return begins
    raise InputError([Problem(file=str(file), message="there is no episode in it")])


def _lines(file: Path, now: datetime) -> Iterator[Episode]:
    last = EARLIEST
    try:
        with file.open("rb") as text:
            for number, line in enumerate(iter(lambda: text.readline(LONGEST_LINE), b""), 1):
                if not line.strip():
                    continue
                try:
                    labels, begins, over = _episode(json.loads(_decoded(line)))
                    if begins < EARLIEST or begins > now:
                        raise ValueError(
                            f"`starts_at` must be between 1970 and now, {now:%Y-%m-%dT%H:%M:%SZ}"
                        )
                    if begins < last:
                        raise ValueError("it begins before the one above; sort the lines by `starts_at`")
                except (ValueError, RecursionError) as error:
                    raise InputError([Problem(file=str(file), line=number, message=str(error))]) from None
                last = begins
                yield labels, begins, over if over is None or over <= now else None
    except OSError as error:
        message = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise InputError([Problem(file=str(file), message=message)]) from None


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start + 1} of the line is not UTF-8") from None


def _episode(told: Any) -> Episode:
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
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"`{key}` is out of the range of times") from None
