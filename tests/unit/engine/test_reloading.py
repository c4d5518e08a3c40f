"""What is read anew is read without holding up the event loop, and nothing of what was read before stays."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from remediator.assembly import assemble
from remediator.config import load_config
from remediator.engine.reloading import uncollected
from remediator.reading.problems import InputError, Problem
from tests.simulation.given import rules

if TYPE_CHECKING:
    from pathlib import Path

    from remediator.engine.setup import Setup


class Circle:
    """Something that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_no_garbage_is_collected_while_rules_are_read() -> None:
    assert uncollected(gc.isenabled) is False
    assert gc.isenabled()


def test_what_was_read_is_among_the_old() -> None:
    kept = uncollected(Circle)
    assert any(one is kept for one in gc.get_objects(generation=2))


def test_nothing_is_kept_from_the_collector() -> None:
    before = circles()
    uncollected(Circle)
    assert circles() == before


def test_after_a_mistake_garbage_is_collected_as_ever() -> None:
    def load() -> None:
        raise InputError([Problem(file="rules.yml", message="is wrong")])

    with pytest.raises(InputError):
        uncollected(load)
    assert gc.isenabled()


def test_however_often_rules_are_read_with_other_commands_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules())

    def read(number: int) -> Setup:
        config = tmp_path / "remediator.yml"
        config.write_text(
            f"rules: [rules.yml]\nservices: {{web: {{}}}}\ncommands: {{do{number}: {{argv: [/bin/true]}}}}\n"
        )
        return assemble(load_config(config), channels={}, rules=None)

    uncollected(lambda: read(0))
    gc.collect()
    gc.disable()  # without a pass, so that circles would be left
    try:
        before = len(gc.get_objects())
        for number in range(1, 5):
            read(number)
        left = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert left < 100  # of one reading the classes alone would be more than a thousand


def circles() -> int:
    gc.collect()
    return sum(isinstance(one, Circle) for one in gc.get_objects())
