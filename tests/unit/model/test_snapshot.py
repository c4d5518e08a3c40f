"""A snapshot: the small world that one decision reads and writes."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from remediator.model.run import ApprovalDecision, Control, Lock, Message, Timer
from remediator.model.snapshot import KEYS, Snapshot, key_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOCK = Lock(service="robo-rlhf", run_id=1, since=NOON)


def a_message(number: int) -> Message:
    return Message(
        id=number,
        channel="hook",
        incident_id=None,
        kind="held",
        payload={},
        status="waiting",
        created_at=NOON,
        next_at=NOON,
    )


def test_an_entity_replaces_the_one_with_its_key() -> None:
    snapshot = Snapshot([LOCK])
    snapshot.put(replace(LOCK, run_id=2))
    assert [lock.run_id for lock in snapshot.all(Lock)] == [2]
    assert snapshot.get(Lock, "robo-rlhf").run_id == 2


def test_a_key_may_have_two_parts() -> None:
    decision = ApprovalDecision(approval_id=1, actor="alice", granted=True, reason="", at=NOON)
    snapshot = Snapshot([decision, replace(decision, actor="bob")])
    assert snapshot.find(ApprovalDecision, 1, "bob") is not None
    assert snapshot.find(ApprovalDecision, 1, "carol") is None


def test_an_entity_is_deleted_by_its_key_alone() -> None:
    snapshot = Snapshot([Timer(key="approval:1", due_at=NOON)])
    snapshot.delete(Timer(key="approval:1", due_at=NOON.replace(year=2027)))
    snapshot.delete(Timer(key="approval:2", due_at=NOON))
    assert list(snapshot.all(Timer)) == []


def test_what_is_not_there_is_none_or_a_key_error() -> None:
    assert Snapshot().find(Control, "pause") is None
    with pytest.raises(KeyError):
        Snapshot().get(Control, "pause")


def test_the_snapshot_may_be_written_to_while_it_is_read() -> None:
    snapshot = Snapshot([a_message(1), a_message(2)])
    for message in snapshot.all(Message):
        snapshot.put(a_message(message.id + 10))
    assert len(list(snapshot.all(Message))) == 4


def test_a_number_is_given_once_even_before_it_is_used() -> None:
    snapshot = Snapshot([a_message(7)])
    assert [snapshot.next_id(Message) for _ in range(3)] == [8, 9, 10]
    snapshot.put(a_message(20))
    assert snapshot.next_id(Message) == 21
    snapshot.delete(a_message(20))
    assert snapshot.next_id(Message) == 22


def test_numbers_come_from_the_store_where_there_is_one() -> None:
    numbers = iter([100, 101])
    snapshot = Snapshot([a_message(7)], next_id=lambda kind: next(numbers))
    assert [snapshot.next_id(Message), snapshot.next_id(Message)] == [100, 101]


@pytest.mark.parametrize("kind", KEYS, ids=lambda kind: kind.__name__)
def test_every_entity_has_the_fields_of_its_key(kind: type) -> None:
    assert set(KEYS[kind]) <= {field.name for field in fields(kind)}


def test_the_key_of_an_entity() -> None:
    assert key_of(LOCK) == ("robo-rlhf",)
