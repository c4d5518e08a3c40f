"""Named requests for real: what is known to have been sent, and answers that cannot do harm.

The difference that counts is whether anything left: a connection that was never made is a clear "not
sent", everything that goes wrong afterwards leaves open what the other side did. So connections are not
kept for the next request, for then that could not be told.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, retry_if_result, stop_after_attempt, wait_fixed
from yarl import URL

from remediator.model.request import HALFWAY, MAY_PASS
from remediator.model.world import WorldError
from remediator.world.asking import reason
from remediator.world.base import Reply, RequestNotSent
from remediator.world.output import REDACTED, CutBuffer, redact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import SimpleNamespace

    from tenacity import RetryCallState

    from remediator.clock import Clock
    from remediator.model.request import FilledRequest, RequestSpec
    from remediator.model.words import Json

MAX_BODY = 1024 * 1024
"""Bytes of an answer that are read; one that goes on is cut off there, and is not read as JSON."""
KEPT = 16_384
"""Bytes of an answer that are kept and shown."""
SHORTEST_SECRET = 4
"""Shorter ones are not looked for in answers: they would be found in half of all words."""


class _BrokeOff(aiohttp.ClientError):
    """The connection could not be made, or was lost. aiohttp would try once more by itself, and not tell."""


@dataclass
class _Sending:
    """How far the tries of one request have come."""

    tries: int = 0
    connected: bool = False
    """Whether the present try has a connection."""
    open: int = 0
    """Tries of which nobody knows what became."""


class NamedRequests:
    """The named requests of the configuration. Its face is `Requests`."""

    def __init__(self, specs: Mapping[str, RequestSpec], clock: Clock, *, instance: str) -> None:
        """`instance` tells this daemon's idempotency keys from those of others."""
        self.specs = specs
        self._clock = clock
        self._instance = instance
        self._session: aiohttp.ClientSession | None = None

    async def send(self, spec: RequestSpec, filled: FilledRequest, *, attempt: int | None = None) -> Reply:
        """See `Requests.send`."""
        begin = self._clock.monotonic()
        headers = _headers(spec, filled)
        if attempt is not None:
            headers["Idempotency-Key"] = f"{self._instance}/{attempt}"
        sending = _Sending()

        async def once() -> Reply:
            sending.tries += 1
            sending.connected = False
            reply = await self._once(spec, filled, headers, sending)
            sending.open += reply.status in HALFWAY
            return reply

        try:
            reply: Reply = await self._persistent(spec)(once)
        except RequestNotSent as error:
            if sending.open:
                raise WorldError(f"{error}; an earlier try may have arrived") from None
            raise
        doubtful = sending.open > (reply.status in HALFWAY)
        seconds = self._clock.monotonic() - begin
        return replace(reply, seconds=seconds, tries=sending.tries, doubtful=doubtful)

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _persistent(self, spec: RequestSpec) -> AsyncRetrying:
        """One for each request. The configuration gives several tries only to what is safe to repeat."""
        return AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(spec.tries),
            wait=wait_fixed(spec.pause.total_seconds()),
            retry=retry_if_exception_type((RequestNotSent, WorldError))
            | retry_if_result(lambda reply: reply.status in MAY_PASS),
            retry_error_callback=_as_it_ended,
        )

    async def _once(
        self, spec: RequestSpec, filled: FilledRequest, headers: Mapping[str, str], sending: _Sending
    ) -> Reply:
        limit = spec.timeout.total_seconds()
        try:
            async with (
                asyncio.timeout(limit),
                self._opened().request(
                    spec.method,
                    URL(filled.url, encoded=True),
                    data=None if filled.body is None else filled.body.encode(),
                    headers=headers,
                    ssl=_trust(spec),
                    proxy=spec.proxy,
                    allow_redirects=False,
                    trace_request_ctx=sending,
                ) as response,
            ):
                return _reply(spec, response.status, await _body(response))
        except TimeoutError:
            wrong = f"no answer within {limit:g} s"
        except _BrokeOff as error:
            wrong = str(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            wrong = reason(error)
        if not sending.connected:
            raise RequestNotSent(f"{spec.origin} could not be reached, nothing was sent: {wrong}")
        sending.open += 1
        raise WorldError(f"{spec.origin}: {wrong}")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_create_end.append(_connected)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                # The limits are those of each request; the environment says nothing of proxies.
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                trace_configs=[tracing],
                middlewares=(_but_once,),
            )
        return self._session


async def _connected(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionCreateEndParams
) -> None:
    sending: _Sending = context.trace_request_ctx
    sending.connected = True


async def _but_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokeOff(reason(error)) from None


def _as_it_ended(state: RetryCallState) -> Reply:
    """What the last try came to, whether that is an answer or an exception."""
    assert state.outcome is not None  # noqa: S101 - for the type checker: a try has ended
    reply: Reply = state.outcome.result()
    return reply


def _headers(spec: RequestSpec, filled: FilledRequest) -> dict[str, str]:
    headers = {"User-Agent": "remediator", "Accept": "application/json", "Accept-Encoding": "identity"}
    if filled.body is not None:
        headers["Content-Type"] = "application/json"
    headers |= spec.headers
    return headers | {name: value.get_secret_value() for name, value in spec.secret_headers.items()}


def _trust(spec: RequestSpec) -> ssl.SSLContext | bool:
    """The certificates that count. OSError if the file is gone."""
    return True if spec.ca_file is None else ssl.create_default_context(cafile=spec.ca_file)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_BODY:
            break
    return bytes(body)


def _reply(spec: RequestSpec, status: int, body: bytes) -> Reply:
    text = body.decode(errors="replace")
    for secret in spec.conceal:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret.get_secret_value(), REDACTED)
    kept = CutBuffer(KEPT)
    kept.add(text.encode(errors="replace"))
    return Reply(
        status=status,
        body=redact(kept.text()),
        body_bytes=len(body),
        told=_told(body) if len(body) <= MAX_BODY else None,
        seconds=0.0,
    )


def _told(body: bytes) -> Json:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
