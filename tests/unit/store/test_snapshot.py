"""A snapshot holds what a decision looks at, no more, in few statements."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remediator.model.alert import Episode
from remediator.model.plan import Operation, Plan
from remediator.model.run import (
    Approval,
    ApprovalDecision,
    Attempt,
    Control,
    Incident,
    Lock,
    Run,
)
from remediator.model.snapshot import KEYS, Snapshot, key_of
from remediator.model.words import ApprovalStatus, EpisodeStatus, IncidentStatus, RunStatus
from remediator.store.database import open_reader
from remediator.store.queries import Reader
from tests.unit.still_clock import NOON
from tests.unit.store.given import approval, attempt, episode, incident, operation, plan, put, run

if TYPE_CHECKING:
    from remediator.store import Store

CLOSED = EpisodeStatus.RESOLVED
OVER = IncidentStatus.RESOLVED
ENDED = RunStatus.FINISHED


async def taken(store: Store, **wanted: Any) -> dict[type, list[tuple[Any, ...]]]:
    """The keys of all that a snapshot holds, by type."""
    snapshot: Snapshot = await store.read(lambda reader: reader.snapshot(**wanted))
    keys = {kind: [key_of(entity) for entity in snapshot.all(kind)] for kind in KEYS}
    return {kind: found for kind, found in keys.items() if found}


async def test_of_an_unknown_alert_there_is_nothing(store: Store) -> None:
    await put(store, incident(), episode(), run())
    assert await taken(store, fingerprints=["cd"], keys=["service:other"]) == {}


async def test_the_latest_episode_of_each_fingerprint(store: Store) -> None:
    await put(
        store,
        episode(1, "ab", status=CLOSED),
        episode(2, "cd", status=CLOSED),
        episode(3, "ab", status=CLOSED),
        episode(4, "ef"),
    )
    assert (await taken(store, fingerprints=["ab", "cd"]))[Episode] == [(2,), (3,)]


async def test_an_incident_that_is_over_brings_nothing_along(store: Store) -> None:
    await put(store, incident(status=OVER), episode(status=CLOSED), run(status=ENDED))
    assert await taken(store, fingerprints=["ab"]) == {Incident: [(1,)], Episode: [(1,)]}


async def test_an_open_incident_brings_its_unfinished_runs(store: Store) -> None:
    await put(
        store,
        incident(),
        episode(1, "ab", status=CLOSED),
        run(1),
        run(2, status=ENDED),
        run(3, incident_id=2, service="other"),
    )
    wanted = {Incident: [(1,)], Episode: [(1,)], Run: [(1,)]}
    assert await taken(store, fingerprints=["ab"]) == wanted
    del wanted[Episode]
    assert await taken(store, keys=["service:web"]) == wanted
    assert await taken(store, incidents=[1]) == wanted
    assert await taken(store, runs=[1]) == wanted


async def fires_beyond(store: Store, *marks: str, **wanted: Any) -> set[tuple[int, str | None]]:
    """What is said to fire beyond the episodes of these alerts."""
    return set((await store.read(lambda r: r.snapshot(fingerprints=marks, **wanted))).fires_beyond)


async def test_of_what_else_fires_it_is_only_told_that_it_does(store: Store) -> None:
    await put(store, incident(), *(episode(number, f"{number:02}") for number in range(1, 101)))
    assert await taken(store, fingerprints=["01", "02"]) == {Incident: [(1,)], Episode: [(1,), (2,)]}
    assert await fires_beyond(store, "01", "02") == {(1, "web-down")}
    assert await fires_beyond(store, incidents=[1]) == {(1, "web-down")}
    assert await fires_beyond(store, keys=["service:web"]) == {(1, "web-down")}


async def test_where_nothing_else_fires_nothing_is_told(store: Store) -> None:
    await put(
        store, incident(), *(episode(1, "ab"), episode(2, "cd"), episode(3, "ef", status=CLOSED)), run(1)
    )
    assert await fires_beyond(store, "ab", "cd") == set()
    assert await fires_beyond(store, "ab", "cd", runs=[1]) == set()
    assert await fires_beyond(store, "ab") == {(1, "web-down")}


async def test_it_is_told_for_what_each_run_is_there_for(store: Store) -> None:
    await put(
        store,
        incident(),
        incident(2, "db"),
        *(episode(number, f"{number:02}", rule="other") for number in range(1, 4)),
        *(episode(number, f"{number:02}") for number in range(4, 7)),
        episode(7, "07", incident_id=2),
        run(1),
        run(2, rule="other"),
        run(3, rule="gone"),
    )
    assert await fires_beyond(store, runs=[1]) == {(1, "web-down"), (1, "other")}
    assert await fires_beyond(store, "01", "04", "05", "06") == {(1, "other")}
    assert await fires_beyond(store, "01", "02", "03") == {(1, "web-down")}


async def test_an_episode_without_an_incident_brings_none(store: Store) -> None:
    await put(store, incident(), episode(1, "ab", incident_id=None, rule=None, status=CLOSED))
    assert await taken(store, fingerprints=["ab"]) == {Episode: [(1,)]}


async def test_a_key_finds_only_the_incident_that_is_open(store: Store) -> None:
    await put(store, incident(1, status=OVER), incident(2), incident(3, "other"))
    assert await taken(store, keys=["service:web"]) == {Incident: [(2,)]}
    assert await taken(store, keys=["service:web"], incidents=[1]) == {Incident: [(1,), (2,)]}


@pytest.mark.parametrize("name", ["a\0b", "\1", "\1nul", "a\0\1one\\u0000", "ünïcode ☃ '\"\\", "x" * 60_000])
async def test_any_key_can_be_found(store: Store, name: str) -> None:
    await put(store, incident(1, name), run(1, service=name), run(2, incident_id=2, service=name))
    await put(store, incident(3, f"{name}0"), incident(4, name[:-1]))
    assert await taken(store, keys=[f"service:{name}"]) == {Incident: [(1,)], Run: [(1,), (2,)]}


async def test_a_run_brings_all_that_hangs_on_it(store: Store) -> None:
    said = ApprovalDecision(approval_id=2, actor="alice", granted=True, reason="", at=NOON)
    await put(
        store,
        incident(),
        run(1, plan_id=2, status=RunStatus.HELD),
        plan(1),
        operation(1, plan_id=1),
        plan(2),
        operation(3, plan_id=2, number=1),
        operation(2, plan_id=2, number=0),
        attempt(1),
        attempt(2, run_id=9),
        approval(1, status=ApprovalStatus.EXPIRED),
        approval(2),
        said,
        Lock(service="web", run_id=9, since=NOON),
        Lock(service="other", run_id=8, since=NOON),
        Control(key="pause", by="bob", reason="", at=NOON),
    )
    assert await taken(store, runs=[1]) == {
        Incident: [(1,)],
        Run: [(1,)],
        Plan: [(2,)],
        Operation: [(2,), (3,)],
        Attempt: [(1,)],
        Approval: [(1,), (2,)],
        ApprovalDecision: [(2, "alice")],
        Lock: [("web",)],
        Control: [("pause",)],
    }


async def test_attempts_of_earlier_steps_are_there_when_the_present_one_has_no_plan(store: Store) -> None:
    await put(store, incident(), run(1, step=1), attempt(1))
    assert (await taken(store, runs=[1]))[Attempt] == [(1,)]


async def test_who_else_is_unfinished_on_the_service_is_there_but_bare(store: Store) -> None:
    await put(
        store,
        incident(1),
        incident(2, "db"),
        run(1),
        run(2, incident_id=2),
        run(3, incident_id=3, service="db"),
        run(4, incident_id=4, status=ENDED),
        attempt(2, run_id=2),
    )
    assert await taken(store, runs=[1]) == {Incident: [(1,)], Run: [(1,), (2,)]}


async def test_a_run_that_is_asked_for_is_there_even_if_it_is_finished(store: Store) -> None:
    await put(store, incident(status=OVER), run(1, status=ENDED, plan_id=1), plan(1), run(2, status=ENDED))
    assert await taken(store, runs=[1]) == {Incident: [(1,)], Run: [(1,)], Plan: [(1,)]}


async def test_an_incident_that_is_asked_for_brings_all_along_even_if_it_is_over(store: Store) -> None:
    await put(store, incident(status=OVER), episode(1, "ab"), run(1))
    assert await taken(store, incidents=[1]) == {Incident: [(1,)], Run: [(1,)]}


async def test_what_does_not_exist_is_not_there(store: Store) -> None:
    assert await taken(store, fingerprints=["ab"], keys=["k"], incidents=[7], runs=[8]) == {}


async def test_controls_are_always_there(store: Store) -> None:
    await put(store, Control(key="pause", by="bob", reason="", at=NOON))
    assert await taken(store) == {Control: [("pause",)]}


@pytest.mark.parametrize(
    ("known", "most"),
    [
        ([], 3),
        ([incident(status=OVER), episode(status=CLOSED), run(status=ENDED)], 3),
        ([incident(), episode(), run()], 10),
    ],
    ids=["unknown", "over", "open"],
)
async def test_a_hundred_alerts_take_as_many_statements_as_one(
    filed: Store, path: str, known: list[Any], most: int
) -> None:
    names = [f"{number:x}" for number in range(100)]

    def of(entity: Any, number: int, name: str) -> Any:
        changes = {
            Incident: {"correlation_key": name},
            Episode: {"fingerprint": name, "incident_id": number},
            Run: {"service": name, "incident_id": number},
        }
        return replace(entity, id=number, **changes[type(entity)])

    for number, name in enumerate(names):
        await put(filed, *[of(entity, number, name) for entity in known])
    statements: list[str] = []
    with closing(open_reader(path)) as connection:
        connection.set_trace_callback(statements.append)
        Reader(connection).snapshot(fingerprints=names[:1], keys=names[:1])
        of_one = len(statements)
        statements.clear()
        Reader(connection).snapshot(fingerprints=names, keys=names)
    assert of_one <= most
    assert len(statements) == of_one


async def test_what_is_long_over_is_not_even_looked_at(filed: Store, path: str) -> None:
    """Each look into the tables goes by an index, and by one that holds only what is not over yet."""
    old = [run(number, status=ENDED) for number in range(2, 300)]
    await put(filed, incident(), episode(), run(1), *old)
    with closing(open_reader(path)) as connection:
        plans: list[str] = []

        def trace(statement: str) -> None:
            if statement.startswith("SELECT"):
                plans.extend(row[3] for row in explaining.execute(f"EXPLAIN QUERY PLAN {statement}"))

        with closing(open_reader(path)) as explaining:
            connection.set_trace_callback(trace)
            Reader(connection).snapshot(fingerprints=["ab"], keys=["service:web"], runs=[1])
    of_runs = {plan for plan in plans if " runs " in plan}
    assert of_runs == {
        "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH runs USING INDEX one_unfinished_run (incident_id=?)",
        "SEARCH runs USING INDEX unfinished_runs_of_service (service=?)",
    }
    scans = [plan for plan in plans if plan.startswith("SCAN") and "each_" not in plan]
    assert scans == ["SCAN controls"]
