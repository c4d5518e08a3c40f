"""Several Alertmanagers as one: merged, shared, and honest about what proves an absence."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from remediator.clock import SystemClock
from remediator.world.alertmanager import AlertmanagerClients
from remediator.world.asking import Endpoint
from tests.lab.wait import until
from tests.unit.world.stub import (
    Answer,
    Request,
    Stub,
    break_off,
    cut_short,
    hang,
    raw,
    serving,
    told,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""Where the clocks of the Alertmanagers stand still. They are nowhere near ours."""
DATE = format_datetime(NOW, usegmt=True)
ANY_AGE = timedelta(days=1)
FRESH = timedelta(0)


def alert(fingerprint: str = "aa", state: str = "active", **changes: Any) -> dict[str, Any]:
    return {
        "fingerprint": fingerprint,
        "labels": {"alertname": "Down", "job": fingerprint},
        "annotations": {"summary": "it is down"},
        "startsAt": "2026-03-01T11:00:00.123Z",
        "updatedAt": "2026-03-01T11:30:00Z",
        "endsAt": "2026-03-01T12:04:00Z",
        "generatorURL": "http://prometheus/graph",
        "receivers": [{"name": "remediator"}],
        "status": {"state": state, "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        **changes,
    }


def up(stub: Stub, *alerts: dict[str, Any], since: timedelta = timedelta(days=1)) -> None:
    """It holds these alerts, and has been up for so long."""
    stub.on("GET /api/v2/alerts", told(list(alerts), Date=DATE))
    stub.on("GET /api/v2/status", told({"uptime": (NOW - since).isoformat()}, Date=DATE))


@pytest.fixture
async def one() -> AsyncIterator[Stub]:
    async with serving() as stub:
        up(stub)
        yield stub


@pytest.fixture
async def two() -> AsyncIterator[Stub]:
    async with serving() as stub:
        up(stub)
        yield stub


@pytest.fixture
async def both(one: Stub, two: Stub) -> AsyncIterator[AlertmanagerClients]:
    clients = AlertmanagerClients(
        [Endpoint(url=one.url), Endpoint(url=two.url + "/")], SystemClock(), timeout=2
    )
    yield clients
    await clients.close()


async def test_an_alert_as_it_is(one: Stub, both: AlertmanagerClients) -> None:
    up(one, alert())
    seen = await both.look(FRESH)
    assert seen.complete
    assert seen.errors == {}
    (found,) = seen.alerts.values()
    assert found.fingerprint == "aa"
    assert found.labels == {"alertname": "Down", "job": "aa"}
    assert found.annotations == {"summary": "it is down"}
    assert found.starts_at == datetime(2026, 3, 1, 11, 0, 0, 123_000, tzinfo=UTC)
    assert (found.state, found.firing) == ("active", True)
    assert found.receivers == ("remediator",)
    assert found.generator_url == "http://prometheus/graph"


async def test_alerts_of_all_are_told(one: Stub, two: Stub, both: AlertmanagerClients) -> None:
    up(one, alert("aa"))
    up(two, alert("bb"))
    seen = await both.look(FRESH)
    assert set(seen.alerts) == {"aa", "bb"}
    assert seen.complete


MUTED = {"state": "suppressed", "silencedBy": ["silence-1"], "inhibitedBy": None}


@pytest.mark.parametrize("muted_first", [True, False])
async def test_firing_wins_over_muted(
    one: Stub, two: Stub, both: AlertmanagerClients, muted_first: bool
) -> None:
    muting, firing = (one, two) if muted_first else (two, one)
    up(muting, alert(status=MUTED, updatedAt="2026-03-01T11:59:00Z"))
    up(firing, alert())
    assert (await both.look(FRESH)).alerts["aa"].firing
    assert (await both.look(FRESH)).sighting("aa").state == "firing"


async def test_of_two_that_agree_the_later_word_counts(
    one: Stub, two: Stub, both: AlertmanagerClients
) -> None:
    up(one, alert(updatedAt="2026-03-01T11:59:00Z", annotations={"n": "new"}))
    up(two, alert(annotations={"n": "old"}))
    assert (await both.look(FRESH)).alerts["aa"].annotations == {"n": "new"}


async def test_what_an_alert_is_muted_by_is_told(one: Stub, both: AlertmanagerClients) -> None:
    up(one, alert(status=MUTED))
    sighting = (await both.look(FRESH)).sighting("aa")
    assert sighting.state == "muted"
    assert sighting.detail == {"silenced_by": ["silence-1"], "inhibited_by": []}


async def test_an_alert_that_nobody_lists_is_absent(both: AlertmanagerClients) -> None:
    sighting = (await both.look(FRESH)).sighting("aa")
    assert (sighting.state, sighting.detail) == ("absent", None)


async def test_an_alert_that_nobody_has_handled_yet_fires(one: Stub, both: AlertmanagerClients) -> None:
    up(one, alert(state="unprocessed"))
    assert (await both.look(FRESH)).sighting("aa").state == "firing"


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ("2026-03-01T12:00:00Z", "absent"),
        ("2026-03-01T11:59:59Z", "absent"),
        ("2026-03-01T12:00:01Z", "firing"),
        ("0001-01-01T00:00:00Z", "firing"),
    ],
)
async def test_by_its_own_clock_an_alert_may_be_over(
    one: Stub, both: AlertmanagerClients, ends: str, state: str
) -> None:
    up(one, alert(endsAt=ends))
    assert (await both.look(FRESH)).sighting("aa").state == state


NOTHING_PROVEN: list[tuple[str, Answer]] = [
    ("breaks-off", break_off),
    ("cut-short", cut_short),
    ("500", raw(b"<html>oh</html>", 500)),
    ("401", raw(b"Unauthorized", 401)),
    ("redirect", raw(b"", 302, Location="http://127.0.0.1:1")),
    ("html", raw(b"<html>")),
    ("object", told({"data": []})),
    ("null", told(None)),
    ("deep", raw(b"[" * 100_000)),
]


@pytest.mark.parametrize("path", ["alerts", "status"])
@pytest.mark.parametrize("answer", [a for _, a in NOTHING_PROVEN], ids=[name for name, _ in NOTHING_PROVEN])
async def test_one_that_gives_no_answer_proves_nothing(
    one: Stub, two: Stub, both: AlertmanagerClients, path: str, answer: Answer
) -> None:
    up(one, alert("aa"))
    two.on(f"GET /api/v2/{path}", answer)
    seen = await both.look(FRESH)
    assert not seen.complete
    assert set(seen.errors) == {two.url}
    assert seen.errors[two.url]
    assert (await both.look(ANY_AGE)).sighting("aa").state == "firing", "what the other one says still counts"
    unknown = (await both.look(ANY_AGE)).sighting("bb")
    assert unknown.state == "unknown"
    assert set(unknown.detail["errors"]) == {two.url}


async def test_one_that_is_not_there() -> None:
    clients = AlertmanagerClients([Endpoint(url="http://127.0.0.1:1")], SystemClock())
    seen = await clients.look(FRESH)
    assert not seen.complete
    assert "Connect" in seen.errors["http://127.0.0.1:1"]
    await clients.close()


async def test_one_that_does_not_answer_holds_up_nobody_for_long(one: Stub, two: Stub) -> None:
    clients = AlertmanagerClients([Endpoint(url=one.url), Endpoint(url=two.url)], SystemClock(), timeout=0.2)
    up(one, alert("aa"))
    two.on("GET /api/v2/alerts", hang)
    seen = await clients.look(FRESH)
    assert set(seen.alerts) == {"aa"}
    assert seen.errors == {two.url: "no answer within 0.2 s"}
    await clients.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"fingerprint": "not hex"},
        {"labels": None},
        {"labels": {"a": 1}},
        {"startsAt": "yesterday"},
        {"endsAt": "0001-01-01T00:00:00+02:00"},
        {"status": {"state": "asleep"}},
        {"status": None},
    ],
    ids=str,
)
async def test_one_unreadable_alert_is_told_and_costs_only_the_proof_of_absence(
    one: Stub, both: AlertmanagerClients, wrong: dict[str, Any]
) -> None:
    up(one, alert("aa"), {**alert("bb"), **wrong}, alert("cc"))
    seen = await both.look(FRESH)
    assert {"aa", "cc"} <= set(seen.alerts)
    assert "bb" not in seen.alerts
    assert not seen.complete
    assert "alert 1 cannot be read: " in seen.errors[one.url]


async def test_one_that_has_just_started_proves_no_absence(one: Stub, two: Stub) -> None:
    clients = AlertmanagerClients(
        [Endpoint(url=one.url), Endpoint(url=two.url)], SystemClock(), settle=timedelta(minutes=3)
    )
    up(one, alert("aa"), since=timedelta(seconds=179))
    assert (await clients.look(FRESH)).sighting("aa").state == "firing"
    unknown = (await clients.look(FRESH)).sighting("bb")
    assert unknown.state == "unknown"
    assert "started 179 s ago" in unknown.detail["errors"][one.url]
    up(one, alert("aa"), since=timedelta(seconds=180))
    assert (await clients.look(FRESH)).sighting("bb").state == "absent"
    await clients.close()


async def test_a_restart_between_the_two_questions_is_noticed(one: Stub, both: AlertmanagerClients) -> None:
    async def restarts(request: Request, writer: asyncio.StreamWriter) -> None:
        up(one, since=timedelta(0))
        await told([], Date=DATE)(request, writer)

    one.on("GET /api/v2/alerts", restarts)
    assert (await both.look(FRESH)).sighting("aa").state == "unknown"


async def test_a_clock_that_is_off_does_not_matter_without_a_date(one: Stub) -> None:
    clients = AlertmanagerClients([Endpoint(url=one.url)], SystemClock())
    started = datetime.now(UTC) - timedelta(hours=1)
    one.on("GET /api/v2/alerts", told([]))
    one.on("GET /api/v2/status", told({"uptime": started.isoformat()}))
    assert (await clients.look(FRESH)).complete
    one.on("GET /api/v2/status", told({"uptime": started.isoformat()}, Date="some day"))
    assert (await clients.look(FRESH)).complete
    await clients.close()


async def test_all_who_ask_at_once_share_one_answer(one: Stub, both: AlertmanagerClients) -> None:
    looks = await asyncio.gather(*(both.look(ANY_AGE) for _ in range(100)))
    assert len(one.asked("/api/v2/alerts")) == 1
    assert all(look is looks[0] for look in looks)


async def test_an_answer_is_used_as_long_as_it_is_young_enough(one: Stub, both: AlertmanagerClients) -> None:
    first = await both.look(FRESH)
    assert await both.look(ANY_AGE) is first
    assert len(one.asked("/api/v2/alerts")) == 1
    again = await both.look(FRESH)
    assert again.at >= first.at
    assert len(one.asked("/api/v2/alerts")) == 2


async def test_who_wants_the_present_does_not_get_an_answer_that_was_asked_for_before(
    one: Stub, both: AlertmanagerClients
) -> None:
    release = asyncio.Event()

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await told([], Date=DATE)(request, writer)

    one.on("GET /api/v2/alerts", slow)
    first = asyncio.create_task(both.look(FRESH))
    await until(lambda: one.asked("/api/v2/alerts"))
    joined, later = asyncio.create_task(both.look(ANY_AGE)), asyncio.create_task(both.look(FRESH))
    await asyncio.sleep(0)
    up(one, alert("aa"))
    release.set()
    assert (await first).alerts == {}
    assert (await joined).alerts == {}, "the answer that was under way is young enough"
    assert set((await later).alerts) == {"aa"}
    assert len(one.asked("/api/v2/alerts")) == 2


async def test_one_who_stops_waiting_does_not_take_the_answer_from_the_others(
    one: Stub, both: AlertmanagerClients
) -> None:
    release = asyncio.Event()

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await told([alert("aa")], Date=DATE)(request, writer)

    one.on("GET /api/v2/alerts", slow)
    leaving, staying = (asyncio.create_task(both.look(FRESH)) for _ in range(2))
    await until(lambda: one.asked("/api/v2/alerts"))
    leaving.cancel()
    release.set()
    assert set((await staying).alerts) == {"aa"}
    assert leaving.cancelled() or leaving.cancelling()


async def test_a_failure_is_not_held_for_long(one: Stub, both: AlertmanagerClients) -> None:
    clock = both._clock = Later()
    one.on("GET /api/v2/alerts", break_off)
    assert not (await both.look(FRESH)).complete
    up(one)
    assert not (await both.look(ANY_AGE)).complete, "not asked again at once"
    clock.seconds += 3
    assert (await both.look(ANY_AGE)).complete


class Later(SystemClock):
    """The machine's clock, and some seconds on."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


async def test_closing_while_a_look_is_under_way(one: Stub) -> None:
    clients = AlertmanagerClients([Endpoint(url=one.url)], SystemClock())
    one.on("GET /api/v2/alerts", hang)
    look = asyncio.create_task(clients.look(FRESH))
    await until(lambda: one.asked("/api/v2/alerts"))
    await clients.close()
    with pytest.raises(asyncio.CancelledError):
        await look


async def test_ten_thousand_alerts(one: Stub, both: AlertmanagerClients) -> None:
    up(one, *(alert(f"{n:x}") for n in range(10_000)))
    seen = await both.look(FRESH)
    assert len(seen.alerts) == 10_000
    assert seen.complete


def test_none_at_all() -> None:
    with pytest.raises(ValueError, match="no Alertmanager"):
        AlertmanagerClients([], SystemClock())
