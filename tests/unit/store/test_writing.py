"""Whatever is written together is kept together, in order, and told after it is kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from remediator.model.plan import Plan
from remediator.model.run import Incident, Lock, Run, Timer
from remediator.store import Store, StoreBusy, StoreError
from remediator.store.database import MEMORY, open_writer
from remediator.store.writer import Arrival, Job, Writer
from tests.unit.still_clock import NOON, StillClock
from tests.unit.store.given import event, incident, put, run, saving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remediator.model.event import Event
    from remediator.store import Transaction


async def together(*coroutines: Any) -> list[Any]:
    """The results, or what was raised, of calls that are made at once."""
    return await asyncio.gather(*coroutines, return_exceptions=True)


async def test_notifications_are_kept_as_they_came(store: Store) -> None:
    bodies = [b"{}", b"", bytes(range(256)), b"x" * 300_000]
    ids = [await store.add_notification(body, "am") for body in bodies]
    kept = await store.read(lambda reader: reader.pending_notifications(10))
    assert [(k.id, k.body) for k in kept] == list(zip(ids, bodies, strict=True))
    assert {(k.source, k.received_at) for k in kept} == {("am", NOON)}
    assert [k.sha256 for k in kept] == [hashlib.sha256(body).hexdigest() for body in bodies]


@pytest.mark.parametrize("number", [1, 2, 3, 63, 64, 65, 200])
async def test_notifications_that_come_at_once_all_have_their_own_id(store: Store, number: int) -> None:
    bodies = [str(n).encode() for n in range(number)]
    ids = await together(*[store.add_notification(body, "am") for body in bodies])
    kept = await store.read(lambda reader: reader.pending_notifications(1000))
    assert {k.id: k.body for k in kept} == dict(zip(ids, bodies, strict=True))
    assert len(kept) == number


async def test_a_processed_notification_no_longer_waits(store: Store) -> None:
    first, second = [await store.add_notification(b"{}", "am") for _ in range(2)]
    await store.write(lambda transaction: transaction.mark_processed(first))
    waiting = await store.read(lambda reader: reader.pending_notifications(10))
    assert [notification.id for notification in waiting] == [second]


async def test_only_a_notification_that_exists_can_be_processed(store: Store) -> None:
    with pytest.raises(StoreError, match="no notification 7"):
        await store.write(lambda transaction: transaction.mark_processed(7))


async def test_an_alert_in_quarantine_is_kept_even_if_it_is_no_text(store: Store) -> None:
    number = await store.add_notification(b"{}", "am")
    await store.write(
        lambda transaction: transaction.add_quarantine(number, 3, "\ud800 \0", "not text: \udfff")
    )
    (kept,) = await store.read(lambda reader: reader.list_quarantine())
    assert (kept.notification_id, kept.position, kept.at) == (number, 3, NOON)
    assert (kept.raw, kept.error) == ("\\ud800 \0", "not text: \\udfff")


async def test_evidence_is_kept_once(store: Store) -> None:
    first = await store.write(lambda transaction: transaction.add_evidence(b"log", "text/plain"))
    again = await store.write(lambda transaction: transaction.add_evidence(b"log", "text/other"))
    assert first == again == hashlib.sha256(b"log").hexdigest()
    assert await store.read(lambda reader: reader.evidence(first)) == ("text/plain", b"log")
    assert await store.read(lambda reader: reader.evidence("0" * 64)) is None


async def test_a_job_returns_what_it_returned_and_reads_what_it_wrote(store: Store) -> None:
    def job(transaction: Transaction) -> Incident | None:
        transaction.save([event(incident())])
        return transaction.get(Incident, 1)

    assert await store.write(job) == incident()


async def test_a_read_sees_what_was_written_before_it(store: Store) -> None:
    for number in range(20):
        await put(store, run(number, incident_id=number))
        assert await store.read(lambda reader, n=number: reader.get(Run, n)) is not None  # type: ignore[misc]


async def test_entities_can_be_replaced_and_deleted(store: Store) -> None:
    lock, timer = Lock(service="web", run_id=1, since=NOON), Timer(key="run:1", due_at=NOON)
    await put(store, lock, timer)
    other = Lock(service="web", run_id=2, since=NOON)
    await store.write(saving(event(other, deletes=(timer,))))
    assert await store.read(lambda reader: (reader.get(Lock, "web"), reader.get(Timer, "run:1"))) == (
        other,
        None,
    )


async def test_what_a_job_raises_undoes_that_job_only(store: Store) -> None:
    def failing(transaction: Transaction) -> None:
        transaction.save([event(run(2, incident_id=2), incident_id=1)])
        raise LookupError("mine")

    results = await together(
        store.write(saving(event(run(1), incident_id=1))),
        store.write(failing),
        store.write(saving(event(run(3, incident_id=3), incident_id=1))),
        store.add_notification(b"{}", "am"),
    )
    assert isinstance(results[1], LookupError)
    assert results[0] is results[2] is None
    assert results[3] == 1
    runs, told = await store.read(lambda reader: (reader.unfinished_runs(), reader.list_events()))
    assert [r.id for r in runs] == [1, 3]
    assert [(e.seq, e.number) for e in told] == [(1, 1), (2, 2)]


async def test_numbers_of_a_job_that_failed_are_given_again(store: Store) -> None:
    def taking(transaction: Transaction) -> int:
        return transaction.next_id(Plan)

    def failing(transaction: Transaction) -> None:
        raise LookupError(str(taking(transaction)))

    numbers = [str(r) for r in await together(store.write(taking), store.write(failing), store.write(taking))]
    assert numbers == ["1", "2", "2"]


async def test_numbers_go_on_after_the_store_was_closed(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock)
    await put(store, incident(41))
    await store.add_notification(b"{}", "am")
    await store.close()
    store = Store.open(path, clock)
    assert await store.write(lambda transaction: transaction.next_id(Incident)) == 42
    assert await store.add_notification(b"{}", "am") == 2
    await put(store, run(1))
    events = await store.read(lambda reader: reader.list_events())
    assert [e.number for e in events] == [1, 2]
    await store.close()


async def test_only_what_has_a_number_for_its_key_gets_one(store: Store) -> None:
    with pytest.raises(TypeError, match="locks"):
        await store.write(lambda transaction: transaction.next_id(Lock))


async def test_a_snapshot_in_a_transaction_numbers_from_the_store(store: Store) -> None:
    await put(store, run(7))

    def job(transaction: Transaction) -> tuple[int, int, int]:
        snapshot = transaction.snapshot()
        return snapshot.next_id(Run), transaction.next_id(Run), snapshot.next_id(Run)

    assert await store.write(job) == (8, 9, 10)


@pytest.mark.parametrize("go_on", [True, False])
async def test_a_job_cannot_go_on_after_its_events_could_not_be_saved(store: Store, go_on: bool) -> None:
    def job(transaction: Transaction) -> None:
        with suppress(TypeError):
            transaction.save([event(run(1), incident_id=1), event(moment=NOON)])
        if go_on:
            transaction.save([event(run(2))])

    with pytest.raises(StoreError, match=r"cannot go on|went on"):
        await store.write(job)
    assert await store.read(lambda reader: (reader.unfinished_runs(), reader.list_events())) == ([], [])
    # And the chain goes on from where it really ends.
    await store.write(saving(event(incident_id=1)))
    (told,) = await store.read(lambda reader: reader.list_events())
    assert (told.chain, told.number) == ("incident:1", 1)


async def test_commits_are_told_in_order_and_before_their_writers_hear_of_them(store: Store) -> None:
    told: list[str] = []

    def listener(events: Sequence[Event]) -> None:
        told.extend(str(event.data["name"]) for event in events)

    async def write(name: str) -> None:
        await store.write(saving(event(name=name), event(name=f"{name}+")))
        assert {name, f"{name}+"} <= set(told)

    store.on_commit(listener)
    await together(*[write(str(number)) for number in range(30)])
    kept = await store.read(lambda reader: reader.list_events())
    assert told == [e.data["name"] for e in kept]
    assert len(told) == 60


async def test_a_commit_without_events_is_not_told(store: Store) -> None:
    told: list[Sequence[Event]] = []
    store.on_commit(told.append)
    await store.add_notification(b"{}", "am")
    await store.check()
    await store.seal()
    assert told == []


async def test_events_of_a_failed_job_are_not_told(store: Store) -> None:
    told: list[Event] = []
    store.on_commit(told.extend)

    def failing(transaction: Transaction) -> None:
        transaction.save([event(name="lost")])
        raise LookupError

    await together(store.write(saving(event(name="kept"))), store.write(failing))
    assert [event.data["name"] for event in told] == ["kept"]


async def test_what_a_listener_raises_keeps_nobody_waiting(store: Store) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    told: list[Event] = []
    error = LookupError("a listener's own")

    def failing(_: Sequence[Event]) -> None:
        raise error

    store.on_commit(failing)
    store.on_commit(told.extend)
    await put(store, incident())
    assert len(told) == 1
    assert [context["exception"] for context in reported] == [error]


async def test_more_than_may_wait_are_turned_away(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock, max_waiting=3)
    results = await together(*[store.add_notification(b"{}", "am") for _ in range(5)])
    assert [type(result) for result in results] == [int, int, int, StoreBusy, StoreBusy]
    assert await store.add_notification(b"{}", "am") == 4
    await store.close()


async def test_longer_bodies_than_may_wait_are_turned_away(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock, max_waiting_bytes=100)
    results = await together(*[store.add_notification(bytes(size), "am") for size in (50, 50, 1)])
    assert [type(result) for result in results] == [int, int, StoreBusy]
    assert "2 notifications wait to be written, 0.0 MB in all" in str(results[-1])
    results = await together(*[store.add_notification(bytes(size), "am") for size in (101, 1)])
    assert [type(result) for result in results] == [int, StoreBusy]
    assert await store.add_notification(bytes(100), "am") == 4
    await store.close()


async def test_a_few_long_bodies_are_read_back_at_a_time(store: Store) -> None:
    for size in (300, 60, 40, 1):
        await store.add_notification(bytes(size), "am")

    async def read(most: int) -> list[int]:
        return await store.read(lambda reader: [n.id for n in reader.pending_notifications(10, most)])

    assert (await read(100), await read(400), await read(401)) == ([1], [1, 2, 3], [1, 2, 3, 4])


async def test_a_notification_whose_sender_went_away_is_kept(filed: Store) -> None:
    waiting = asyncio.ensure_future(filed.add_notification(b"{}", "am"))
    await asyncio.sleep(0)
    waiting.cancel()
    assert await filed.add_notification(b"{}", "am") == 2
    kept = await filed.read(lambda reader: reader.pending_notifications(10))
    assert [notification.id for notification in kept] == [1, 2]


async def test_what_waits_when_the_store_is_closed_is_still_written(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock)
    waiting = [asyncio.ensure_future(put(store, run(n, incident_id=n))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*waiting)
    store = Store.open(path, clock)
    assert len(await store.read(lambda reader: reader.unfinished_runs())) == 50
    await store.close()


async def test_a_closed_store_refuses_everything(store: Store) -> None:
    await store.close()
    calls = [
        store.add_notification(b"{}", "am"),
        store.write(saving(event())),
        store.read(lambda reader: reader.counts()),
        store.seal(),
        store.checkpoint(),
        store.check(),
    ]
    assert {type(result) for result in await together(*calls)} == {StoreError}
    await store.close()


async def test_the_identity_is_the_database_s(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock)
    identity = store.identity
    await store.close()
    again = Store.open(path, clock)
    other = Store.open(f"{path}.other", clock)
    assert again.identity == identity
    assert other.identity != identity
    await again.close()
    await other.close()


class HastyClock(StillClock):
    """On which 3 ms pass whenever somebody looks."""

    def monotonic(self) -> float:
        self.advance(0.003)
        return super().monotonic()


async def test_decisions_do_not_keep_notifications_waiting() -> None:
    """A batch takes jobs only for a while; what came in meanwhile goes before the others in the next."""
    new = asyncio.get_running_loop().create_future
    with closing(open_writer(MEMORY)) as connection:
        writer = Writer(connection, MEMORY, HastyClock())
        jobs = deque(Job(new(), lambda transaction: transaction.next_id(Run)) for _ in range(5))
        batch = writer.commit([Arrival(new(), b"{}", "am")], jobs)
        assert ([job.result for job in batch.jobs], len(jobs)) == ([1, 2], 3)
        writer.commit([], jobs)
        assert len(jobs) == 1


def test_a_store_in_memory_needs_no_threads(clock: StillClock) -> None:
    with pytest.raises(StoreError, match="without threads"):
        Store.open(":memory:", clock)
