"""What is cut off the end of the record shows, however much is cut with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediator.store.audit import verify
from tests.unit.store.day import tampered

CUT = "DELETE FROM events WHERE seq > 7"
FORGET = "UPDATE sqlite_sequence SET seq = 7 WHERE name = 'events'"
UNSEAL = "DELETE FROM seals WHERE last_seq > 7"
"""Seals 2 and 3."""
SHORTEN = (
    "UPDATE chains SET number = 4, hash = (SELECT hash FROM events WHERE seq = 7) WHERE chain = 'incident:1'",
    "UPDATE chains SET number = 1, hash = (SELECT hash FROM events WHERE seq = 6) WHERE chain = 'incident:2'",
)
TURN_BACK = (
    "INSERT INTO locks VALUES ('web', 1, '2026-03-01T12:00:00.000000Z')",
    "UPDATE incidents SET status = 'open' WHERE id = 2",
)


@pytest.mark.parametrize(
    ("hiding", "problem"),
    [
        ((), "events: the record ends with seq 7, but the last seq that was given is 9: its tail was cut"),
        (
            (FORGET,),
            "seals: seal 2 is over the events up to seq 8, but the record ends with seq 7: its tail was cut",
        ),
        ((FORGET, UNSEAL), "chains chain='incident:1': it ends with event 5, the events with event 4"),
        ((FORGET, UNSEAL, *SHORTEN), "incidents id=2: column status is 'resolved', the record says 'open'"),
        (
            (FORGET, UNSEAL, *SHORTEN, *TURN_BACK),
            "seals: seal 2, over the events up to seq 8, is in the file {path}.seals "
            "and not in the database: its tail was cut",
        ),
    ],
    ids=["only the events", "and their number", "and the seals", "and the heads", "and the state"],
)
def test_a_cut_tail_shows_however_much_is_cut_with_it(
    filled: str, hiding: tuple[str, ...], problem: str
) -> None:
    assert tampered(filled, CUT, *hiding).problem == problem.format(path=filled)


def cut_lines(path: Path, lines: int) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_cut_file_of_seals_is_named(filled: str, left: int) -> None:
    file = Path(f"{filled}.seals")
    cut_lines(file, left)
    problem = verify(filled).problem
    assert problem is not None
    assert problem.startswith(f"seals file {file}: seal {left + 1} is missing, the database has it")


def test_a_file_of_seals_that_is_gone_is_named(filled: str) -> None:
    file = Path(f"{filled}.seals")
    file.unlink()
    problem = verify(filled).problem
    assert problem is not None
    assert problem.startswith(f"seals file {file}: seal 1 is missing")


def test_a_changed_line_of_the_seals_is_named(filled: str) -> None:
    file = Path(f"{filled}.seals")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text(lines[0] + lines[1].replace('"last_seq":8', '"last_seq":7') + lines[2])
    assert verify(filled).problem == f"seals file {file}: seal 2 is not seal 2 of the database"
    file.write_text(lines[0] + "nonsense\n")
    assert verify(filled).problem == f"seals file {file}: this line is not a seal: b'nonsense\\n'"
