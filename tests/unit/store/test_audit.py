"""An audit passes what the store wrote, and names the first row that anybody else changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import tempfile
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediator.store import Store, StoreError
from remediator.store.audit import MOST_PROBLEMS, Report, verify
from remediator.store.chain import GENESIS, link
from tests.unit.still_clock import StillClock
from tests.unit.store.day import fill, tampered
from tests.unit.store.entities import ENTITIES
from tests.unit.store.given import event, incident, saving


def test_what_the_store_wrote_is_whole(filled: str) -> None:
    report = verify(filled)
    assert report.ok
    assert report.problem is None
    assert report.counts == {
        "events": 9,
        "chains": 3,
        "seals": 3,
        "unsealed": 0,
        "rows": 5,
        "notifications": 2,
        "evidence": 1,
    }
    assert report.last_seal is not None
    assert report.last_seal["number"] == 3
    json.dumps(asdict(report))


async def test_an_empty_store_is_whole(filed: Store, path: str) -> None:
    assert verify(path).ok


async def test_a_store_at_work_can_be_audited(filed: Store, path: str) -> None:
    await fill(filed)
    report = verify(path)
    assert report.ok
    assert report.counts["unsealed"] == 1
    assert report.identity == filed.identity


async def test_an_audit_sees_one_moment_while_the_store_works_on(filed: Store, path: str) -> None:
    stop = asyncio.Event()

    async def work() -> int:
        number = 100
        while not stop.is_set():
            number += 1
            await filed.write(saving(event(incident(number, f"s{number}"), incident_id=number)))
            if number % 10 == 0:
                await filed.seal()
        return number

    working = asyncio.create_task(work())
    reports = [await asyncio.to_thread(verify, path) for _ in range(10)]
    stop.set()
    await working
    assert [report.problem for report in reports] == [None] * 10
    assert reports[-1].counts["events"] > reports[0].counts["events"]


STATES = {
    "a column of state": (
        "UPDATE runs SET status = 'finished'",
        "runs id=1: column status is 'finished', the record says 'verifying'",
    ),
    "json of state": (
        "UPDATE attempts SET result = '{\"a\":1}'",
        "attempts id=1: column result is '{\"a\":1}', the record says '{}'",
    ),
    "a column that was empty": (
        "UPDATE runs SET finished_at = 'now'",
        "runs id=1: column finished_at is 'now', the record says None",
    ),
    "a row of state gone": (
        "DELETE FROM incidents WHERE id = 2",
        "incidents id=2: the row is missing; the record has it",
    ),
    "a row of state too many": (
        "INSERT INTO locks VALUES ('web', 1, 'x')",
        "locks service='web': the row is there, but no event of the record put it there",
    ),
    "a body of a notification": (
        "UPDATE notifications SET body = x'00' WHERE id = 2",
        "notifications id=2: body does not fit its sha256",
    ),
    "evidence": (
        "UPDATE evidence SET content = x'00'",
        f"evidence sha256={hashlib.sha256(b'a log').hexdigest()}: content does not fit its sha256",
    ),
    "a head": (
        "UPDATE chains SET number = 9 WHERE chain = 'incident:2'",
        "chains chain='incident:2': it ends with event 9, the events with event 2",
    ),
    "a head's hash": (
        "UPDATE chains SET hash = 'x' WHERE chain = 'incident:2'",
        "chains chain='incident:2': column hash is 'x', that of its last event is ",
    ),
    "a head gone": (
        "DELETE FROM chains WHERE chain = 'system'",
        "chains chain='system': the row is missing; the record has it",
    ),
    "a chain too many": (
        "INSERT INTO chains VALUES ('incident:7', 1, 'x')",
        "chains chain='incident:7': the row is there, but the record has no event of this chain",
    ),
}
EVENTS = {
    "a byte of a body": (
        "UPDATE events SET body = replace(body, 'verifying', 'verifyinG')",
        "events: chain incident:1, event 4 (seq 7): hash does not fit",
    ),
    "a byte that makes a body no text": (
        "UPDATE events SET body = CAST(replace(CAST(body AS BLOB), x'76657269', x'ff657269') AS TEXT) "
        "WHERE seq = 7",
        "events: chain incident:1, event 4 (seq 7): hash does not fit",
    ),
    "a hash": (
        "UPDATE events SET hash = replace(hash, substr(hash, 1, 1), 'g') WHERE seq = 3",
        "events: chain incident:1, event 1 (seq 3): hash does not fit",
    ),
    "the kind beside the body": (
        "UPDATE events SET kind = 'other' WHERE seq = 4",
        "events: chain incident:1, event 2 (seq 4): column kind is 'other', its body says 'noted'",
    ),
    "the actor beside the body": (
        "UPDATE events SET actor = 'alice' WHERE seq = 4",
        "events: chain incident:1, event 2 (seq 4): column actor is 'alice', its body says 'daemon'",
    ),
    "the time beside the body": (
        "UPDATE events SET at = '2026-03-02' WHERE seq = 4",
        "events: chain incident:1, event 2 (seq 4): column at is '2026-03-02', "
        "its body says '2026-03-01T12:00:00.000000Z'",
    ),
    "the chain": (
        "UPDATE events SET chain = 'incident:9' WHERE seq = 4",
        "events: chain incident:9, event 2 (seq 4): it follows event 0 of its chain",
    ),
    "an event gone": (
        "DELETE FROM events WHERE seq = 4",
        "events: after seq 3 comes seq 5: what was between them is missing",
    ),
    "the first event gone": (
        "DELETE FROM events WHERE seq = 1",
        "events: after seq 0 comes seq 2: what was between them is missing",
    ),
    "an event of a type that is none": (
        "UPDATE events SET body = x'00', number = 'x' WHERE seq = 4",
        "events: chain incident:1, event x (seq 4): it follows event 1 of its chain",
    ),
}
SEALS = {
    "a digest": (
        "UPDATE seals SET digest = 'x' WHERE number = 2",
        "seals: seal 2: hash does not fit",
    ),
    "a seal gone": (
        "DELETE FROM seals WHERE number = 2",
        "seals: seal 3: hash does not fit",
    ),
    "a place": (
        "UPDATE seals SET last_seq = 'x' WHERE number = 2",
        "seals: seal 2: hash does not fit",
    ),
    "the last seal gone": (
        "DELETE FROM seals WHERE number = 3",
        "seals: seal 3, over the events up to seq 9, is in the file ",
    ),
}


@pytest.mark.parametrize(("statement", "problem"), STATES.values(), ids=STATES)
def test_a_changed_row_of_state_is_named(filled: str, statement: str, problem: str) -> None:
    report = tampered(filled, statement)
    assert not report.ok
    assert report.problem is not None
    assert report.problem.startswith(problem)
    assert report.problems == (report.problem,)


@pytest.mark.parametrize(("statement", "problem"), EVENTS.values(), ids=EVENTS)
def test_a_changed_event_is_named(filled: str, statement: str, problem: str) -> None:
    assert tampered(filled, statement).problem == problem


@pytest.mark.parametrize(("statement", "problem"), SEALS.values(), ids=SEALS)
def test_a_changed_seal_is_named(filled: str, statement: str, problem: str) -> None:
    report = tampered(filled, statement)
    assert report.problem is not None
    assert report.problem.startswith(problem)


def rewritten(path: str) -> Report:
    """What an audit says after somebody who knows how the record is made wrote all of one chain anew."""
    with closing(sqlite3.connect(path)) as connection:
        events = connection.execute("SELECT seq, body FROM events WHERE chain = 'incident:1' ORDER BY number")
        head, statements = GENESIS, []
        for seq, text in events.fetchall():
            body = text.replace('"actor":"daemon"', '"actor":"alice"')
            head = link(head, body)
            quoted = body.replace("'", "''")
            statements.append(
                f"UPDATE events SET actor = 'alice', body = '{quoted}', hash = '{head}' WHERE seq = {seq}"
            )
    return tampered(path, *statements, f"UPDATE chains SET hash = '{head}' WHERE chain = 'incident:1'")


def test_a_chain_that_was_written_anew_does_not_fit_its_seals(filled: str) -> None:
    assert rewritten(filled).problems == (
        "seals: seal 1: it was not over these events up to seq 6",
        "seals: seal 2: it was not over these events up to seq 8",
        "seals: seal 3: it was not over these events up to seq 9",
    )


def test_a_notification_changed_with_its_hash_is_named(filled: str) -> None:
    body = hashlib.sha256(b"boo").hexdigest()
    report = tampered(
        filled,
        f"UPDATE notifications SET body = CAST('boo' AS BLOB), sha256 = '{body}' WHERE id = 2",
    )
    assert report.problem is not None
    assert report.problem.startswith(f"notifications id=2: column sha256 is '{body}', the record says '")


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DROP TRIGGER events_refuse_update", "schema: the trigger events_refuse_update is missing"),
        ("DROP INDEX one_open_incident", "schema: the index one_open_incident is missing"),
    ],
)
def test_a_guard_that_is_gone_is_named(filled: str, statement: str, problem: str) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute(statement)
    assert verify(filled).problem == problem


def test_a_guard_that_guards_nothing_is_named(filled: str) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("DROP TRIGGER events_refuse_update")
        connection.execute("CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN SELECT 1; END")
    assert verify(filled).problem == "schema: the trigger events_refuse_update is not what it has to be"


def test_a_byte_changed_in_the_file_itself_is_named(filled: str) -> None:
    content = Path(filled).read_bytes()
    assert content.count(b'"status":"verifying"') == 1
    Path(filled).write_bytes(content.replace(b'"status":"verifying"', b'"status":"verifyinG"'))
    report = verify(filled)
    assert report.problem == "events: chain incident:1, event 4 (seq 7): hash does not fit"
    assert report.problems[1] == "runs id=1: column status is 'verifying', the record says 'verifyinG'"


def test_an_audit_that_finds_too_much_stops(filled: str) -> None:
    many = ", ".join(f"('s{number}', 1, 'x')" for number in range(100))
    report = tampered(filled, f"INSERT INTO locks VALUES {many}")
    assert len(report.problems) == MOST_PROBLEMS


def test_an_audit_changes_nothing(filled: str) -> None:
    before = Path(filled).read_bytes()
    for _ in range(2):
        verify(filled)
    assert Path(filled).read_bytes() == before


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    day=st.lists(
        st.tuples(st.lists(ENTITIES, max_size=3), st.integers(0, 3), st.booleans()), min_size=1, max_size=12
    )
)
def test_whatever_the_store_took_in_is_whole(day: list[tuple[list[Any], int, bool]]) -> None:
    """Each event puts some entities and deletes some that were put earlier; now and then there is a seal."""

    async def live(path: str) -> None:
        store = Store.open(path, StillClock(), threads=False)
        put: list[Any] = []
        for number, (entities, deleted, sealing) in enumerate(day):
            gone = tuple(put[:deleted])
            # What breaks a unique index is refused, whole.
            with suppress(StoreError):
                await store.write(saving(event(*entities, deletes=gone, incident_id=number % 3)))
                put = put[deleted:] + entities
            if sealing:
                await store.seal()
        await store.close()

    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/remediator.db"
        asyncio.run(live(path))
        report = verify(path)
    assert report.problem is None
