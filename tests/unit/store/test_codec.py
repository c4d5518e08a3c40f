"""What goes into the store comes out of it the same."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from remediator.model.plan import canonical
from remediator.model.snapshot import KEYS, key_of
from remediator.store.codec import codec, text_time, time_text
from remediator.store.database import MEMORY, open_writer
from remediator.store.queries import Reader
from remediator.store.sql import upsert_text
from remediator.store.tables import TABLES
from tests.unit.store.entities import ENTITIES, MOMENTS
from tests.unit.store.given import run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    with closing(open_writer(MEMORY)) as opened:
        yield opened


@given(entity=ENTITIES)
def test_an_entity_comes_back_from_its_row_the_same(connection: sqlite3.Connection, entity: Any) -> None:
    kind = type(entity)
    connection.execute("SAVEPOINT one")
    connection.execute(upsert_text(TABLES[kind]), codec(kind).to_row(entity))
    read = Reader(connection).get(kind, *key_of(entity))
    connection.execute("ROLLBACK TO one")
    assert read == entity


@given(entity=ENTITIES)
def test_an_entity_comes_back_from_an_event_the_same(entity: Any) -> None:
    coding = codec(type(entity))
    form = json.loads(canonical(coding.to_json(entity)))
    assert coding.from_json(form) == entity


@given(entity=ENTITIES)
def test_an_event_makes_the_same_row_as_the_entity(entity: Any) -> None:
    # Otherwise an audit would find differences where there are none.
    coding = codec(type(entity))
    form = json.loads(canonical(coding.to_json(entity)))
    assert coding.row(form) == coding.to_row(entity)


@pytest.mark.parametrize("kind", KEYS, ids=lambda kind: kind.__name__)
def test_no_entity_does_something_of_its_own_when_it_is_made(kind: type) -> None:
    # Rows become entities without their __init__.
    assert not hasattr(kind, "__post_init__")


@given(one=MOMENTS, other=MOMENTS)
def test_texts_of_moments_sort_as_the_moments_do(one: datetime, other: datetime) -> None:
    assert (time_text(one) < time_text(other)) == (one < other)
    assert text_time(time_text(one)) == one


def test_a_moment_is_written_in_utc() -> None:
    assert (
        time_text(datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))))
        == "2026-02-28T23:00:00.000000Z"
    )


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        time_text(datetime(2026, 3, 1))  # noqa: DTZ001 - that is what is refused


def test_json_that_is_nested_deeply_can_be_read() -> None:
    nested: Any = "deep"
    for _ in range(500):
        nested = [nested]
    entity = run(evidence=(nested,))
    coding = codec(type(entity))
    assert coding.from_row(coding.to_row(entity)) == entity


def test_a_field_that_cannot_be_kept_is_named() -> None:
    @dataclass
    class Strange:
        colour: bytes

    with pytest.raises(TypeError, match="the field colour"):
        codec(Strange)


def test_a_time_of_the_zero_year_is_kept() -> None:
    # Alertmanager's zero time, which a firing alert has as its end.
    zero = datetime(1, 1, 1, tzinfo=UTC)
    assert text_time(time_text(zero)) == zero
