"""Ask an HTTP API for JSON: one place for limits, credentials and words, for all who are only read.

Since nothing is changed by asking, a connection that fails is tried again at once; what lasts longer
than a moment is for whoever asks. Neither URLs nor errors of the client library are told on, since both
may hold a password.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential
from yarl import URL

from remediator.model.world import WorldError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from remediator.clock import Clock
    from remediator.model.words import Json

TRIES = 3
"""How often one question is asked, when connections fail."""
FIRST_PAUSE = 0.1
"""Seconds between the first two tries; doubled with each."""
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer that are read at most."""
_LARGE = 262_144
"""Bytes from which on an answer is parsed beside the event loop."""
_SAID = 300


class AnswerTooLarge(WorldError):  # noqa: N818 - named by what is the matter
    """The answer is longer than is read; a smaller question may have a shorter one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server to ask."""

    url: str
    """Its base address, with the path in front of `/api`, if there is one."""
    authorization: Callable[[], str] | None = None
    """Gives the value of the Authorization header, anew for each request; may raise OSError."""
    ca_file: str | None = None
    """File with the certificates to trust, instead of the system's."""


def bearer(read: Callable[[], str]) -> Callable[[], str]:
    """Authorization with a token, which `read` gives each time."""
    return lambda: f"Bearer {read()}"


def basic(user: str, read: Callable[[], str]) -> Callable[[], str]:
    """Authorization with a password, which `read` gives each time."""
    return lambda: "Basic " + base64.b64encode(f"{user}:{read()}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer."""

    told: Json
    headers: Mapping[str, str]


class _Read(NamedTuple):
    """Any answer, as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Asker:
    """Asks one server, with a limit in seconds for a whole answer. Everything that fails is a WorldError."""

    def __init__(self, endpoint: Endpoint, clock: Clock, *, timeout: float) -> None:
        """Connects to nothing yet. ValueError if the URL or the file with the certificates is of no use."""
        self._base = URL(endpoint.url)
        if self._base.scheme not in ("http", "https") or not self._base.host:
            raise ValueError("expected an address like http://127.0.0.1:9093")
        self.address = str(self._base.with_user(None).with_query(None).with_fragment(None)).rstrip("/")
        """Where it is, without credentials."""
        self._authorization = endpoint.authorization
        self._clock = clock
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._ssl: ssl.SSLContext | bool = True
        if endpoint.ca_file is not None:
            try:
                self._ssl = ssl.create_default_context(cafile=endpoint.ca_file)
            except OSError as error:  # an SSLError is one, too
                raise ValueError(f"{endpoint.ca_file} is no file of certificates: {error.strerror}") from None

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """GET, and the JSON of a 200."""
        return await self._ask("GET", path, params=params)

    async def post(self, path: str, form: Mapping[str, str]) -> Answer:
        """POST a form that changes nothing, and the JSON of a 200."""
        return await self._ask("POST", path, form=form)

    async def touch(self, path: str) -> None:
        """GET, and nothing but a 200 is wanted."""
        await self._ask("GET", path, parse=False)

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        parse: bool = True,
    ) -> Answer:
        async def once() -> _Read:
            async with self._opened().request(
                method,
                self.address + path,
                params=params,
                data=form,
                headers=self._headers(),
                ssl=self._ssl,
                allow_redirects=False,
            ) as response:
                return _Read(response.status, dict(response.headers), await self._body(response))

        try:
            async with asyncio.timeout(self._timeout):
                read: _Read = await self._persistent()(once)
        except TimeoutError:
            raise WorldError(f"{self.address}: no answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise WorldError(f"{self.address}: {reason(error)}") from None
        if read.status != 200:
            raise WorldError(f"{self.address}: {path} answered HTTP {read.status}{_said(read.body)}")
        return Answer(await self._parsed(path, read.body) if parse else None, read.headers)

    def _persistent(self) -> AsyncRetrying:
        """One for each question, for it counts the tries."""
        return AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(multiplier=FIRST_PAUSE),
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "remediator"}
            )
        return self._session

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self._authorization is not None:
            try:
                headers["Authorization"] = self._authorization()
            except OSError as error:
                raise WorldError(
                    f"{self.address}: the credentials cannot be read: {error.strerror}"
                ) from None
        elif self._base.user is not None:
            headers["Authorization"] = basic(self._base.user, lambda: self._base.password or "")()
        return headers

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > MAX_ANSWER:
                raise AnswerTooLarge(f"{self.address}: an answer of more than {MAX_ANSWER} bytes")
        return bytes(body)

    async def _parsed(self, path: str, body: bytes) -> Json:
        try:
            return await asyncio.to_thread(json.loads, body) if len(body) > _LARGE else json.loads(body)
        except (ValueError, RecursionError):
            raise WorldError(f"{self.address}: {path} answered with something that is not JSON") from None


def _may_pass(error: BaseException) -> bool:
    """True for a connection that could not be made, or broke off. A wrong certificate stays wrong."""
    return isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError) and not isinstance(
        error, aiohttp.ClientSSLError | TimeoutError
    )


def reason(error: Exception) -> str:
    """What is the matter, in words that hold no address and no credentials."""
    detail = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {detail}" if detail else type(error).__name__


def _said(body: bytes) -> str:
    """The server's own words, if it has any: both servers put them under `error`, or speak plain text."""
    text = body.decode(errors="replace").strip()
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return f": {text[:_SAID]}" if text and not text.startswith("<") else ""
    if isinstance(told, dict):
        told = told.get("error") or told.get("message")
    return f": {told[:_SAID]}" if isinstance(told, str) else ""
