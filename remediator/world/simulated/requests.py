"""Named requests in memory: nothing is sent, but each is remembered, and answered as it was told to be."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from remediator.model.world import WorldError
from remediator.world.base import Reply, RequestNotSent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from remediator.clock import Clock
    from remediator.model.request import Expected, FilledRequest, RequestSpec
    from remediator.model.words import Json


@dataclass(frozen=True, kw_only=True)
class Server:
    """How what a request is sent to behaves."""

    status: int | None = None
    """None: the one that is expected."""
    body: Json = None
    """What it tells, as JSON. With neither it answers as is expected."""
    seconds: float = 0.0
    """How long it takes; one that is longer than the timeout acts, and its answer is not heard."""
    unreachable: str | None = None
    """Why it cannot be connected to."""
    breaks: bool = False
    """It acts, and closes the connection instead of answering."""
    effect: Callable[[], object] | None = None
    """What a request brings about when it arrives."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request that arrived."""

    name: str
    method: str
    url: str
    body: Json
    attempt: int | None
    at: datetime


class SimulatedRequests:
    """Named requests in memory."""

    def __init__(self, clock: Clock, specs: Iterable[RequestSpec] = ()) -> None:
        self.clock = clock
        self.specs: Mapping[str, RequestSpec] = {spec.name: spec for spec in specs}
        self.servers: dict[str, Server] = {}
        """By the request's name; without an entry all goes as is expected."""
        self.arrived: list[Sent] = []
        """Every request, in order."""

    def behaves(self, name: str, **how: Any) -> None:
        """Say how a request's server behaves from now on; see `Server`."""
        self.servers[name] = Server(**how)

    def sent(self, name: str) -> list[Sent]:
        """Those of one name."""
        return [sent for sent in self.arrived if sent.name == name]

    async def send(self, spec: RequestSpec, filled: FilledRequest, *, attempt: int | None = None) -> Reply:
        """One try, however many the configuration allows."""
        server = self.servers.get(spec.name, Server())
        if server.unreachable is not None:
            why = server.unreachable
            raise RequestNotSent(f"{spec.origin} could not be reached, nothing was sent: {why}")
        self.arrived.append(
            Sent(
                name=spec.name,
                method=spec.method,
                url=filled.url,
                body=None if filled.body is None else json.loads(filled.body),
                attempt=attempt,
                at=self.clock.now(),
            )
        )
        if server.effect is not None:
            server.effect()
        limit = spec.timeout.total_seconds()
        await self.clock.sleep(min(server.seconds, limit))
        if server.seconds > limit:
            raise WorldError(f"{spec.origin}: no answer within {limit:g} s")
        if server.breaks:
            raise WorldError(f"{spec.origin}: ServerDisconnectedError")
        expected = reply_meeting(filled.expect)
        if server.status is None and server.body is None:
            return replace(expected, seconds=server.seconds)
        return _reply(server.status or expected.status, server.body, server.seconds)

    async def close(self) -> None:
        """Nothing to let go of."""


def reply_meeting(expect: Expected) -> Reply:
    """An answer as it is expected."""
    return _reply(expect.status[0] if expect.status else 200, _meeting(expect))


def _reply(status: int, told: Json, seconds: float = 0.0) -> Reply:
    text = "" if told is None else json.dumps(told)
    return Reply(status=status, body=text, body_bytes=len(text.encode()), told=told, seconds=seconds)


def _meeting(expect: Expected) -> Json:
    """A body that is as expected; None if nothing is expected of it."""
    told: dict[str, Any] = {}
    for pointer, text in expect.json.items():
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        place = told
        for part in way:
            place = place.setdefault(part, {})
        place[last] = text
    return told or None
