"""Listening to an engine that floods, falls silent, restarts and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.clock import SystemClock
from remediator.model.world import WorldError
from remediator.world.docker import DockerEngine, watcher
from tests.lab.wait import until
from tests.unit.world.engine_answers import INFO, event
from tests.unit.world.stub import Answer, Request, Stub, break_off, chunked, raw, serving, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from remediator.world.base import History

ENGINE_TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""Where the engine's clock stands still. It is nowhere near ours."""
LONG_AGO = ENGINE_TIME - timedelta(days=1)


def nano(seconds: float) -> int:
    """A time by the engine's clock, in nanoseconds; negative ones lie in the past."""
    moment = ENGINE_TIME + timedelta(seconds=seconds)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def line(seconds: float, action: str = "die", kind: str = "container", **attributes: str) -> bytes:
    return json.dumps(event(nano(seconds), action, kind, **attributes)).encode() + b"\n"


class FakeEngine:
    """An engine's memory and its live events, as its API shows them."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.memory: list[bytes] = []
        self.live: list[asyncio.StreamWriter] = []
        self.streams = 0
        stub.on("GET /version", told({"ApiVersion": "1.41"}))
        stub.on("GET /events", self._events)
        self.tells(INFO)
        self.started(-3600)

    def tells(self, info: dict[str, Any]) -> None:
        self.stub.on("GET /info", told({**info, "SystemTime": "2026-03-01T12:00:00Z"}))

    def started(self, seconds: float) -> None:
        """It was started then, and made its network anew."""
        moment = ENGINE_TIME + timedelta(seconds=seconds)
        self.stub.on("GET /networks/bridge", told({"Created": moment.isoformat()}))

    async def _events(self, request: Request, writer: asyncio.StreamWriter) -> None:
        since, until_ = float(request.query["since"]), float(request.query["until"])
        filters = json.loads(request.query.get("filters", "{}"))
        chosen = [
            entry
            for entry in self.memory
            if json.loads(entry)["time"] >= int(since)
            and (not filters or json.loads(entry)["Action"] in filters["event"])
        ]
        if until_ < ENGINE_TIME.timestamp() + 10:
            await raw(b"".join(chosen))(request, writer)
        else:
            self.streams += 1
            self.live.append(writer)
            await chunked(*chosen)(request, writer)

    def happens(self, entry: bytes) -> None:
        """Remember an event and tell all who listen."""
        self.memory.append(entry)
        for writer in self.live:
            if not writer.is_closing():
                writer.write(b"%x\r\n%b\r\n" % (len(entry), entry))

    def hang_up(self) -> None:
        for writer in self.live:
            writer.close()
        self.live.clear()


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    async with serving(tmp_path) as stub:
        yield FakeEngine(stub)


@pytest.fixture
async def engine(fake: FakeEngine) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(fake.stub.url, SystemClock(), timeout=5)
    yield engine
    await engine.close()


@contextlib.asynccontextmanager
async def watching(engine: DockerEngine, fake: FakeEngine) -> AsyncIterator[None]:
    before = fake.streams
    task = asyncio.create_task(engine.watch())
    try:
        await until(lambda: fake.streams > before, 10, "the stream of events")
        await until(lambda: engine._watcher._live, 10, "the head of its answer")
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def actions(history: History) -> list[str]:
    return [entry.action for entry in history.events]


async def test_without_watching_the_engines_memory_is_told(fake: FakeEngine, engine: DockerEngine) -> None:
    fake.memory = [
        line(-50, "start"),
        line(-40, "exec_create: x"),
        line(-30, "die"),
        line(-20, "pull", "image"),
    ]
    assert actions(await engine.history(LONG_AGO)) == ["start", "die"]
    assert actions(await engine.history(ENGINE_TIME - timedelta(seconds=40))) == ["die"]


async def test_an_engine_that_forgot_nothing_reaches_back_to_its_start(
    fake: FakeEngine, engine: DockerEngine
) -> None:
    fake.started(-3600)
    assert (await engine.history(LONG_AGO)).complete_from == ENGINE_TIME - timedelta(hours=1)


async def test_an_engine_that_has_forgotten_reaches_back_to_its_oldest_event(
    fake: FakeEngine, engine: DockerEngine
) -> None:
    fake.memory = [line(-300 + i, "exec_start: x") for i in range(watcher.REMEMBERED)]
    assert (await engine.history(LONG_AGO)).complete_from == ENGINE_TIME - timedelta(seconds=300)


@pytest.mark.parametrize("how", ["live-restore", "no-bridge"])
async def test_where_nothing_shows_its_start_it_reaches_back_to_its_oldest_event(
    fake: FakeEngine, engine: DockerEngine, how: str
) -> None:
    fake.memory = [line(-60, "network", "exec")]
    if how == "live-restore":
        fake.tells({**INFO, "LiveRestoreEnabled": True})
    else:
        fake.stub.on("GET /networks/bridge", told({"message": "network bridge not found"}, 404))
    assert (await engine.history(LONG_AGO)).complete_from == ENGINE_TIME - timedelta(seconds=60)


async def test_an_engine_that_remembers_nothing_proves_nothing(
    fake: FakeEngine, engine: DockerEngine
) -> None:
    fake.tells({**INFO, "LiveRestoreEnabled": True})
    history = await engine.history(LONG_AGO)
    assert history.events == ()
    assert abs(history.complete_from - ENGINE_TIME) < timedelta(seconds=5)


async def test_the_engine_sorts_out_the_flood_itself(fake: FakeEngine, engine: DockerEngine) -> None:
    async with watching(engine, fake):
        (stream,) = [r for r in fake.stub.asked("/events") if "filters" in r.query]
        filters = json.loads(stream.query["filters"])
        assert set(filters["type"]) == {"container", "service"}
        assert {"stop", "kill", "create", "update", "remove"} <= set(filters["event"])
        assert not any(name.startswith(("exec", "health")) for name in filters["event"])


async def test_what_was_heard_outlasts_the_engines_memory(fake: FakeEngine, engine: DockerEngine) -> None:
    fake.memory = [line(-50, "start")]
    async with watching(engine, fake):
        fake.happens(line(1, "stop"))

        async def heard() -> bool:
            return "stop" in actions(await engine.history(LONG_AGO))

        await until(heard)
        fake.memory = [line(2 + i / 100, "exec_start: x") for i in range(watcher.REMEMBERED)]
        history = await engine.history(LONG_AGO)
        assert actions(history) == ["start", "stop"]
        assert history.complete_from == ENGINE_TIME - timedelta(hours=1)


async def test_what_just_happened_is_told_before_the_stream_brings_it(
    fake: FakeEngine, engine: DockerEngine
) -> None:
    async with watching(engine, fake):
        fake.memory.append(line(0.5, "kill"))  # not sent to those who listen
        assert actions(await engine.history(LONG_AGO)) == ["kill"]


async def test_a_lost_stream_is_taken_up_again_without_a_gap(
    fake: FakeEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_FIRST_PAUSE", 0.01)
    async with watching(engine, fake):
        fake.hang_up()
        fake.memory.append(line(1, "stop"))
        await until(lambda: fake.streams == 2, 10, "the second stream")
        history = await engine.history(LONG_AGO)
        assert actions(history) == ["stop"]
        assert history.complete_from == ENGINE_TIME - timedelta(hours=1)


async def test_a_restarted_engine_leaves_a_gap_and_it_says_so(
    fake: FakeEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_FIRST_PAUSE", 0.01)
    fake.memory = [line(-50, "start")]
    async with watching(engine, fake):
        fake.memory = [line(7, "create")]
        fake.started(6)
        fake.hang_up()
        await until(lambda: fake.streams == 2, 10, "the second stream")
        history = await engine.history(LONG_AGO)
        assert actions(history) == ["start", "create"]
        assert history.complete_from == ENGINE_TIME + timedelta(seconds=6)


@pytest.mark.parametrize("answer", [raw(b"<html>"), told({"message": "no"}, 500), break_off, raw(b"{\n")])
async def test_it_comes_back_after_nonsense(
    fake: FakeEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(watcher, "_FIRST_PAUSE", 0.01)
    before = threading.active_count()
    fake.stub.on("GET /events", answer)
    watch = asyncio.create_task(engine.watch())
    asked = await until(lambda: len(fake.stub.asked("/events")))
    await until(lambda: len(fake.stub.asked("/events")) > asked, 10, "another try")
    assert not watch.done()
    fake.stub.on("GET /events", fake._events)
    await until(lambda: fake.streams > 0, 10, "the stream of events")
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch
    await until(lambda: threading.active_count() <= before, 10, "the end of the thread that listened")


async def test_cancelling_ends_the_thread_that_listens(fake: FakeEngine, engine: DockerEngine) -> None:
    before = threading.active_count()
    async with watching(engine, fake):
        assert threading.active_count() == before + 1
    await until(lambda: threading.active_count() <= before, 10, "its end")
    async with watching(engine, fake):
        pass  # and it can be started again


async def test_windows_follow_one_another(
    fake: FakeEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = asyncio.Event()

    async def streams(request: Request, writer: asyncio.StreamWriter) -> None:
        if "filters" in request.query:
            fake.streams += 1
            await chunked(line(fake.streams, "stop"), then=ends)(request, writer)
        else:
            await raw(b"")(request, writer)

    fake.stub.on("GET /events", streams)
    engine._watcher._window = timedelta(0)  # so that an end at once is an end in time
    ends.set()
    watch = asyncio.create_task(engine.watch())

    async def heard() -> History | None:
        history = await engine.history(LONG_AGO)
        return history if actions(history)[:3] == ["stop"] * 3 else None

    history = await until(heard, 10, "the events of three windows")
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch
    assert history is not None
    assert history.complete_from == ENGINE_TIME - timedelta(hours=1)


async def test_a_stream_that_falls_silent_is_given_up(
    fake: FakeEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(watcher, "_LATE", 0.2)
    engine._watcher._window = timedelta(seconds=0.2)

    async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
        if "filters" in request.query:
            fake.streams += 1
            await chunked()(request, writer)
        else:
            await raw(b"")(request, writer)

    fake.stub.on("GET /events", silent)
    watch = asyncio.create_task(engine.watch())
    await until(lambda: fake.streams >= 2, 10, "a new stream")
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch


async def test_history_of_an_engine_that_went_away_is_an_error(
    fake: FakeEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_FIRST_PAUSE", 0.01)
    async with watching(engine, fake):
        for request_line in ("GET /info", "GET /events", "GET /version"):
            fake.stub.on(request_line, break_off)
        with pytest.raises(WorldError):
            await engine.history(LONG_AGO)
