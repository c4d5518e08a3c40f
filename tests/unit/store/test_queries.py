"""What the engine's loops and people ask of the store."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest

from remediator.model.event import SYSTEM
from remediator.model.run import ApprovalDecision, Incident, Timer
from remediator.model.words import (
    ApprovalStatus,
    AttemptStatus,
    EpisodeStatus,
    IncidentStatus,
    Reason,
    RunStatus,
    Severity,
)
from remediator.store import Counts, Store, StoreError
from tests.lab.wait import until
from tests.unit.still_clock import NOON
from tests.unit.store.given import (
    approval,
    attempt,
    episode,
    event,
    incident,
    message,
    operation,
    put,
    run,
    saving,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remediator.store import Reader

MINUTE = timedelta(minutes=1)
OVER = IncidentStatus.RESOLVED
ENDED = RunStatus.FINISHED


def ids(entities: Sequence[object]) -> list[int]:
    return [entity.id for entity in entities]  # type: ignore[attr-defined]


async def test_an_entity_by_its_key(store: Store) -> None:
    said = ApprovalDecision(approval_id=1, actor="alice", granted=True, reason="", at=NOON)
    await put(store, incident(), said)
    assert await store.read(lambda reader: reader.get(Incident, 1)) == incident()
    assert await store.read(lambda reader: reader.get(Incident, 2)) is None
    assert await store.read(lambda reader: reader.get(ApprovalDecision, 1, "alice")) == said
    assert await store.read(lambda reader: reader.get(ApprovalDecision, 1, "bob")) is None


async def test_a_key_that_is_too_short_is_an_error(store: Store) -> None:
    with pytest.raises(ValueError, match="shorter"):
        await store.read(lambda reader: reader.get(ApprovalDecision, 1))


async def test_unfinished_and_held_runs(store: Store) -> None:
    held = {"status": RunStatus.HELD}
    await put(
        store,
        run(3, 3),
        run(1, 1, hold_reason=Reason.PAUSED, **held),
        run(2, 2, hold_reason=Reason.BUDGET, **held),
        run(4, 4, status=ENDED),
        run(5, 5, hold_reason=Reason.PAUSED),  # was held, and is not any more
    )
    assert ids(await store.read(lambda reader: reader.unfinished_runs())) == [1, 2, 3, 5]
    assert ids(await store.read(lambda reader: reader.held_runs(Reason.PAUSED))) == [1]


async def test_firing_episodes(store: Store) -> None:
    await put(store, episode(2, "b"), episode(1, "a"), episode(3, "c", status=EpisodeStatus.RESOLVED))
    firing = await store.read(lambda reader: reader.firing_episodes())
    assert ids(firing) == [1, 2]


async def test_the_open_episodes_of_a_run_come_oldest_first_and_no_more_than_asked_for(store: Store) -> None:
    await put(
        store,
        *[episode(number, f"f{number}") for number in (3, 1, 2)],
        episode(4, "other-rule", rule="web-slow"),
        episode(5, "other-incident", incident_id=2),
        episode(6, "over", status=EpisodeStatus.RESOLVED),
    )
    assert ids(await store.read(lambda reader: reader.firing_of(1, "web-down", 9))) == [1, 2, 3]
    assert ids(await store.read(lambda reader: reader.firing_of(1, "web-down", 2))) == [1, 2]


async def test_the_open_episodes_of_an_incident_are_counted_up_to_what_is_asked_for(store: Store) -> None:
    await put(
        store,
        episode(1, "a"),
        episode(2, "b", rule="web-slow"),
        episode(3, "c", rule=None),
        episode(4, "d", incident_id=2),
        episode(5, "e", status=EpisodeStatus.RESOLVED),
    )
    counted = [await store.read(lambda reader, most=most: reader.count_firing(1, most)) for most in (2, 3, 9)]
    assert counted == [2, 3, 3]
    assert await store.read(lambda reader: reader.count_firing(7, 5)) == 0


async def test_the_history_of_a_service_begins_where_it_is_asked_for(store: Store) -> None:
    times = [NOON - MINUTE, NOON, NOON + MINUTE]
    await put(store, *[attempt(n, intent_at=at) for n, at in enumerate(times)], attempt(9, service="other"))
    assert ids(await store.read(lambda reader: reader.history("web", NOON))) == [1, 2]


async def test_who_is_at_work_on_an_object_whatever_service_it_is_for(store: Store) -> None:
    at_work = [RunStatus.ACTING, RunStatus.PROBING, RunStatus.UNKNOWN, RunStatus.VERIFYING]
    others = [RunStatus.PLANNING, RunStatus.HELD, RunStatus.AWAITING_APPROVAL, ENDED]
    await put(
        store,
        *[run(n, n, status=status, service=f"s{n}") for n, status in enumerate([*at_work, *others], 1)],
        *[attempt(n, run_id=n, object_id="box\x00") for n in range(1, 9)],
        attempt(11, run_id=1, object_id="other"),
        attempt(12, run_id=1, object_id="box\x00", status=AttemptStatus.NOT_APPLIED),
        attempt(13, run_id=2, object_id="third"),
    )
    found = await store.read(lambda reader: reader.at_work_on({"box\x00", "third"}, but=3))
    assert ids(found) == [1, 2, 4, 13]
    assert await store.read(lambda reader: reader.at_work_on([], but=3)) == []


async def test_timers_come_due_in_their_order(store: Store) -> None:
    assert await store.read(lambda reader: reader.next_timer()) is None
    timers = [Timer(key=f"run:{n}", due_at=NOON + n * MINUTE) for n in (3, 1, 2)]
    await put(store, *timers)
    assert await store.read(lambda reader: reader.next_timer()) == NOON + MINUTE
    due = await store.read(lambda reader: reader.due_timers(NOON + 2 * MINUTE))
    assert [timer.key for timer in due] == ["run:1", "run:2"]
    (first,) = await store.read(lambda reader: reader.due_timers(NOON + 2 * MINUTE, limit=1))
    assert first.key == "run:1"


async def test_messages_go_out_in_order_for_each_channel_and_incident(store: Store) -> None:
    await put(
        store,
        message(1, status="delivered"),
        message(2, next_at=NOON + MINUTE),
        message(3),
        message(4, incident_id=2),
        message(5, channel="other"),
        message(6, incident_id=None),
        message(7, incident_id=None),
        message(8, channel="other", status="failed"),
    )
    assert ids(await store.read(lambda reader: reader.next_messages(10))) == [4, 5, 6, 2]
    # One that cannot be tried yet does not take the place of those that can.
    assert ids(await store.read(lambda reader: reader.next_messages(2))) == [4, 5, 6]
    # Nor does what waits for one channel take the place of what waits for another.
    assert ids(await store.read(lambda reader: reader.next_messages(1))) == [4, 5]


async def test_counts(store: Store) -> None:
    assert await store.read(lambda reader: reader.counts()) == Counts()
    for _ in range(3):
        await store.add_notification(b"{}", "am")
    await store.write(lambda transaction: transaction.mark_processed(1))
    await put(
        store,
        incident(1, "a"),
        incident(2, "b"),
        incident(3, "c", severity=Severity.P0),
        incident(4, "d", status=OVER),
        approval(1, 1),
        approval(2, 2, status=ApprovalStatus.GRANTED),
        message(1, status="delivered", created_at=NOON - 3 * MINUTE),
        message(2, created_at=NOON - MINUTE),
        message(3, created_at=NOON - 2 * MINUTE),
    )
    assert await store.read(lambda reader: reader.counts()) == Counts(
        incidents_open={Severity.P0: 1, Severity.P1: 2},
        approvals_pending=1,
        notifications_pending=2,
        oldest_message=NOON - 2 * MINUTE,
    )


async def test_incidents_page_by_page(store: Store) -> None:
    await put(store, *[incident(n, f"s{n}") for n in range(1, 6)], incident(6, "s1", status=OVER))
    first = await store.read(lambda reader: reader.list_incidents(limit=4))
    assert ids(first) == [6, 5, 4, 3]
    assert ids(await store.read(lambda reader: reader.list_incidents(before=3, limit=4))) == [2, 1]
    assert ids(await store.read(lambda reader: reader.list_incidents(status=OVER))) == [6]
    assert ids(await store.read(lambda reader: reader.list_incidents(service="s1"))) == [6, 1]
    both = await store.read(lambda reader: reader.list_incidents(service="s1", status=OVER, before=7))
    assert ids(both) == [6]


async def test_runs_by_what_they_are_of(store: Store) -> None:
    await put(store, run(1, 1, "a"), run(2, 2, "b"), run(3, 1, "a", status=ENDED))
    assert ids(await store.read(lambda reader: reader.list_runs())) == [3, 2, 1]
    assert ids(await store.read(lambda reader: reader.list_runs(incident=1))) == [3, 1]
    assert ids(await store.read(lambda reader: reader.list_runs(status=ENDED))) == [3]
    assert ids(await store.read(lambda reader: reader.list_runs(service="b"))) == [2]
    assert ids(await store.read(lambda reader: reader.list_runs(incident=1, before=3, limit=1))) == [1]


async def test_approvals_with_what_people_said(store: Store) -> None:
    said = [
        ApprovalDecision(approval_id=1, actor=actor, granted=True, reason="", at=at)
        for actor, at in (("alice", NOON + MINUTE), ("bob", NOON))
    ]
    await put(store, approval(1, 1), approval(2, 2, status=ApprovalStatus.DENIED), *said)
    assert ids(await store.read(lambda reader: reader.list_approvals())) == [2, 1]
    pending = await store.read(lambda reader: reader.list_approvals(status=ApprovalStatus.PENDING))
    assert ids(pending) == [1]
    decisions = await store.read(lambda reader: reader.decisions(1))
    assert [decision.actor for decision in decisions] == ["bob", "alice"]


async def test_what_belongs_to_an_incident_a_run_and_a_plan(store: Store) -> None:
    await put(
        store,
        episode(2, "b", status=EpisodeStatus.RESOLVED),
        episode(1, "a"),
        episode(3, "c", incident_id=2),
        attempt(2),
        attempt(1),
        attempt(3, run_id=2),
        operation(1, number=1),
        operation(2, number=0),
        operation(3, plan_id=2),
    )
    assert ids(await store.read(lambda reader: reader.list_episodes(1))) == [1, 2]
    assert ids(await store.read(lambda reader: reader.list_attempts(1))) == [1, 2]
    assert ids(await store.read(lambda reader: reader.list_operations(1))) == [2, 1]


async def test_quarantine_page_by_page(store: Store) -> None:
    for position in range(3):
        await store.write(lambda t, p=position: t.add_quarantine(1, p, "{", "bad"))  # type: ignore[misc]
    assert ids(await store.read(lambda reader: reader.list_quarantine(limit=2))) == [3, 2]
    assert ids(await store.read(lambda reader: reader.list_quarantine(before=2))) == [1]


@pytest.mark.parametrize("chain", [None, SYSTEM, "incident:1"])
async def test_events_page_by_page(store: Store, chain: str | None) -> None:
    chains = [SYSTEM, "incident:1", "incident:2", SYSTEM, "incident:1", SYSTEM, "incident:1", "incident:1"]
    for number, name in enumerate(chains):
        of = None if name == SYSTEM else int(name[-1])
        await store.write(saving(event(incident_id=of, number=number)))
    wanted = [n for n, name in enumerate(chains) if chain in (None, name)]
    seen: list[int] = []
    after = 0
    while page := await store.read(lambda r, a=after: r.list_events(chain=chain, after=a, limit=2)):  # type: ignore[misc]
        assert len(page) <= 2
        seen += [told.data["number"] for told in page]
        after = page[-1].seq
    assert seen == wanted


async def test_an_event_is_told_as_it_was_saved(store: Store) -> None:
    await store.write(saving(event(incident(), incident_id=1, why="because", facts={"x": [1, None]})))
    (told,) = await store.read(lambda reader: reader.list_events())
    assert (told.seq, told.chain, told.number) == (1, "incident:1", 1)
    assert (told.kind, told.at, told.actor) == ("noted", NOON, "daemon")
    assert told.data == {"why": "because", "facts": {"x": [1, None]}}
    assert len(told.hash) == 64


async def test_a_read_is_of_one_moment(filed: Store) -> None:
    """What is committed during a read shows in the next one, not in its second half."""

    started, written = Event(), Event()

    def slowly(reader: Reader) -> tuple[int, int]:
        before = len(reader.unfinished_runs())
        started.set()
        assert written.wait(timeout=30)
        return before, len(reader.unfinished_runs())

    await put(filed, run(1))
    reading = asyncio.create_task(filed.read(slowly))
    await until(started.is_set, message="the read")
    await put(filed, run(2, 2))
    written.set()
    assert await reading == (1, 1)
    assert len(await filed.read(lambda reader: reader.unfinished_runs())) == 2


async def test_a_read_cannot_write(filed: Store) -> None:
    with pytest.raises(StoreError, match="readonly"):
        await filed.read(lambda reader: reader._connection.execute("DELETE FROM timers"))


async def test_what_a_read_raises_is_raised_and_harms_nothing(store: Store) -> None:
    def failing(_: object) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await store.read(failing)
    assert await store.read(lambda reader: reader.unfinished_runs()) == []
