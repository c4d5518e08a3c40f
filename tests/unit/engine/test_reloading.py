"""What is read anew is read without holding up the event loop."""

from __future__ import annotations

import gc

import pytest

from remediator.engine.reloading import uncollected
from remediator.reading.problems import InputError, Problem


def test_no_garbage_is_collected_while_rules_are_read() -> None:
    kept = gc.get_freeze_count()
    assert uncollected(gc.isenabled) is False
    assert gc.isenabled()
    assert gc.get_freeze_count() > kept


def test_after_a_mistake_garbage_is_collected_as_ever() -> None:
    def load() -> None:
        raise InputError([Problem(file="rules.yml", message="is wrong")])

    with pytest.raises(InputError):
        uncollected(load)
    assert gc.isenabled()
