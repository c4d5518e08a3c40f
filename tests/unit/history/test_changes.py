"""Episodes from a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from remediator.history.changes import mark_of, read_episodes
from remediator.reading.problems import InputError
from tests.unit.history.past import BEGIN, after, told

if TYPE_CHECKING:
    from pathlib import Path


def episode(name: str, begins: float, ends: float | None = None) -> str:
    written = {"labels": {"alertname": name}, "starts_at": after(begins).isoformat()}
    if ends is not None:
        written["ends_at"] = after(ends).isoformat()
    return json.dumps(written)


async def test_episodes_overlap(tmp_path: Path) -> None:
    file = tmp_path / "past.jsonl"
    file.write_text("\n".join([episode("A", 0, 9), "", episode("B", 1, 2), episode("C", 3)]))
    assert await told(read_episodes(file, BEGIN, after(10_000))) == [
        (0, "A", True),
        (1, "B", True),
        (2, "B", False),
        (3, "C", True),
        (9, "A", False),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "Expecting value"),
        ("[" * 100_000, ""),
        ("[]", "expected an object with `labels`"),
        ('{"labels": {"a": 1}, "starts_at": "2026-03-01T00:00:00Z"}', "expected `labels`"),
        ('{"labels": {}}', "expected `starts_at`"),
        ('{"labels": {}, "starts_at": "2026-03-01"}', "a time with its zone"),
        ('{"labels": {}, "starts_at": "noon"}', "noon"),
        (episode("A", 5, 5), "`ends_at` must be after `starts_at`"),
        (episode("A", -1), "begins before the one above"),
        (episode("A", 10_001), "`starts_at` must be between 1970 and now"),
        (episode("A", 2).replace("2026", "1926"), "`starts_at` must be between 1970 and now"),
        ('{"labels": {}, "starts_at": "0001-01-01T00:00:00+14:00"}', "out of the range of times"),
    ],
)
async def test_a_line_that_is_no_episode_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "past.jsonl"
    file.write_text(f"{episode('A', 1, 2)}\n{line}\n")
    with pytest.raises(InputError) as caught:
        await told(read_episodes(file, BEGIN, after(10_000)))
    assert f"{file}:2: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("before", [0, 1])
async def test_a_byte_that_is_no_text_is_named(tmp_path: Path, before: int) -> None:
    file = tmp_path / "past.jsonl"
    file.write_bytes(f"{episode('A', 1, 2)}\n".encode() * before + b'{"\xff": 1}\n')
    with pytest.raises(InputError, match=f":{before + 1}: byte 3 of the line is not UTF-8"):
        await told(read_episodes(file, BEGIN, after(10_000)))


@pytest.mark.parametrize(
    ("lines", "ends"),
    [
        ([(0, 5), (5, 9)], 9),
        ([(0, 5), (3, 9)], 9),
        ([(0, 9), (3, 5)], 9),
        ([(0, 5), (0, 9)], 9),
        ([(0, 5), (2, 7), (6, 9)], 9),
        ([(0, 5), (3, None)], None),
        ([(0, None), (3, 5)], None),
        ([(0, 20_000)], None),
    ],
)
async def test_episodes_of_an_alert_that_touch_or_overlap_are_one(
    tmp_path: Path, lines: list[tuple[float, float | None]], ends: float | None
) -> None:
    file = tmp_path / "past.jsonl"
    file.write_text("\n".join(episode("A", *line) for line in lines))
    over = [(ends, "A", False)] if ends is not None else []
    assert await told(read_episodes(file, BEGIN, after(10_000))) == [(0, "A", True), *over]


async def test_what_was_over_at_the_beginning_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "past.jsonl"
    file.write_text("\n".join([episode("A", 0, 4), episode("B", 1, 9), episode("A", 6, 7)]))
    assert await told(read_episodes(file, after(4), after(10_000))) == [
        (4, "B", True),
        (6, "A", True),
        (7, "A", False),
        (9, "B", False),
    ]


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: cannot be read: no such file"):
        await told(read_episodes(tmp_path / "nowhere", BEGIN, after(10_000)))


def test_a_mark_goes_by_all_labels_in_any_order() -> None:
    assert mark_of({"a": "1", "b": "2"}) == mark_of({"b": "2", "a": "1"}) != mark_of({"a": "1"})
