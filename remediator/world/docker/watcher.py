"""Listen to an engine's events, so that its history can be told for longer than it remembers.

It listens in windows: the engine is asked for events until a moment in the near future, and ends
the stream then. Each window begins by asking what the engine still remembers, which must reach
back to the end of the window before; else something is missing, and the history says so. A
connection that died silently is noticed when its window has passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from docker.errors import DockerException
from docker.types import CancellableStream

from remediator.model.world import WorldError
from remediator.world.docker import answers
from remediator.world.docker.events import Backlog, EventLog
from remediator.world.threads import NoThreadFree, Threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import requests

    from remediator.clock import Clock
    from remediator.world.base import History
    from remediator.world.docker.api import Api, Call
    from remediator.world.docker.events import Stamped

log = structlog.get_logger(__name__)

WINDOW = timedelta(seconds=30)
"""How long one stream of events lasts."""
REMEMBERED = 256
"""Events that an engine remembers at least, of all kinds. Newer ones remember 1024."""

_FILTERS = json.dumps({"type": list(answers.KINDS), "event": list(answers.ACTIONS)})
_PATIENCE = 10.0
_LATE = 10.0
"""Seconds after its window in which a stream has to end."""
_EARLY = timedelta(seconds=1)
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Watcher:
    """The history of one engine: asked for, and listened to as long as `watch` runs."""

    def __init__(
        self,
        api: Api,
        clock: Clock,
        name: str,
        read: Callable[[Callable[[Call], Any]], Awaitable[Any]],
        *,
        window: timedelta = WINDOW,
    ) -> None:
        """`api` is for the stream alone, since that is ended by taking its connection away.

        `read` runs a question on a thread, in bounded time; WorldError when it fails.
        """
        self._api = api
        self._clock = clock
        self._name = name
        self._read = read
        self._window = window
        self._log = EventLog()
        self._threads = Threads(1, f"engine-{name}-watch", patience=_PATIENCE)
        self._live = False
        self._ahead = timedelta()
        """How far the engine's clock may be ahead of ours."""

    async def history(self, since: datetime) -> History:
        """What happened since then, until now, both by the engine's clock."""
        if self._live:
            start, end = max(since, self._log.complete_to), self._clock.now() + self._ahead
            self._log.add(await self._read(lambda call: list(_events(call, start, end, filters=_FILTERS))))
        if not self._live:  # also when it was lost just now
            await self._catch_up()
        return self._log.since(since)

    async def watch(self) -> None:
        """Listen until cancelled; when the engine is lost, try again, ever more slowly."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._catch_up()
                if pause > _FIRST_PAUSE:
                    log.info("the engine's events are heard again", engine=self._name)
                    pause = _FIRST_PAUSE
                await self._listen()
                continue
            except WorldError as error:
                if pause == _FIRST_PAUSE:
                    log.warning("the engine's events are not heard", engine=self._name, error=str(error))
            finally:
                self._live = False
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def close(self) -> None:
        """Let go of the connection."""
        self._api.close()

    async def _catch_up(self) -> None:
        backlog, self._ahead = await self._read(lambda call: _backlog(call, self._clock))
        self._log.join(backlog)

    async def _listen(self) -> None:
        """One window. WorldError when it ended otherwise than in time."""
        loop = asyncio.get_running_loop()
        since = self._log.complete_to
        until = self._clock.now() + self._ahead + self._window
        stream = _Stream(
            lambda events: loop.call_soon_threadsafe(self._log.add, events),
            lambda: loop.call_soon_threadsafe(self._opened),
        )
        seconds = self._window.total_seconds() + _LATE
        try:
            await self._threads.run(
                lambda: stream.run(self._api.within(seconds), since, until), limit=seconds + _LATE
            )
        except NoThreadFree as error:
            raise WorldError(f"the stream of events before this one has not ended: {error}") from None
        except TimeoutError:
            raise WorldError("the stream of events did not end in time") from None
        finally:
            stream.close()
        if self._clock.now() + self._ahead < until - _EARLY:
            raise WorldError("the engine ended its stream of events early: perhaps it is stopping")
        self._log.complete_to = until

    def _opened(self) -> None:
        self._live = True


class _Stream:
    """One stream of events, read by one thread and closed by another."""

    def __init__(self, take: Callable[[list[Stamped]], object], opened: Callable[[], object]) -> None:
        self._take = take
        self._tell_opened = opened
        self._lock = threading.Lock()
        self._response: requests.Response | None = None
        self._closed = False
        self._rest = b""

    def run(self, call: Call, since: datetime, until: datetime) -> None:
        """Read it to its end."""
        params = {"since": _seconds(since), "until": _seconds(until), "filters": _FILTERS}
        try:
            call.stream("/events", self._piece, opened=self._opened, **params)
        finally:
            with self._lock:
                self._response = None

    def close(self) -> None:
        """Wake the thread that reads, if it still does."""
        with self._lock:
            self._closed = True
            if self._response is None:
                return
            # If the transport cannot be woken, the thread ends with its window.
            with contextlib.suppress(DockerException, OSError, AttributeError):
                CancellableStream(iter(()), self._response).close()

    def _opened(self, response: requests.Response) -> None:
        with self._lock:
            if self._closed:
                raise WorldError("nobody listens any more")
            self._response = response
        self._tell_opened()

    def _piece(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        events = list(_stamped(lines))
        if events:
            self._take(events)


def _backlog(call: Call, clock: Clock) -> tuple[Backlog, timedelta]:
    """What the engine remembers, how far that reaches back, and how far its clock may be ahead of ours."""
    before = clock.now()
    info = answers.info_of(call.need("/info"))
    ahead = info.system_time - before
    upto = clock.now() + ahead
    lines = _lines(call, _EPOCH, upto)
    events = tuple(_stamped(lines))
    oldest = answers.event_of(_parsed(lines[0]))[0] if lines else None
    reach = upto if oldest is None else answers.at_nanoseconds(oldest)
    if len(lines) < REMEMBERED and not info.live_restore:
        # It has forgotten nothing yet, so this is all since it started. It does not say when that
        # was; but it makes its default network anew at each start, unless containers outlived it.
        bridge = call.get("/networks/bridge")
        if bridge is not None:
            reach = min(reach, answers.created_of(bridge))
    return Backlog(reach=reach, upto=upto, events=events), ahead


def _events(call: Call, since: datetime, until: datetime, **params: str) -> Iterator[Stamped]:
    return _stamped(_lines(call, since, until, **params))


def _lines(call: Call, since: datetime, until: datetime, **params: str) -> list[bytes]:
    told = call.text("/events", since=_seconds(since), until=_seconds(until), **params)
    return [line for line in told.split(b"\n") if line.strip()]


def _stamped(lines: list[bytes]) -> Iterator[Stamped]:
    for line in lines:
        if line.strip():
            nanoseconds, event = answers.event_of(_parsed(line))
            if event is not None:
                yield nanoseconds, event


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise WorldError("an event cannot be read from the engine's answer: it is not JSON") from None


def _seconds(moment: datetime) -> str:
    """As the engine reads times: seconds since 1970, with a fraction."""
    micros = (moment - _EPOCH) // timedelta(microseconds=1)
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}000"
