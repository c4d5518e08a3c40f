"""One engine's HTTP API as a single thread speaks it: bounded in time and size, and strict.

The SDK brings the ways to reach an engine. Its methods, though, wait for and read answers without
bound and believe any JSON, so requests are made here, on its session. Which error is raised says
what is known: an act that was never sent, one that was refused, or one that may still happen.
"""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import quote

import docker
import requests
from docker.errors import DockerException
from docker.tls import TLSConfig
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from remediator.model.world import WorldError
from remediator.world.base import EngineRefused, EngineTimeout
from remediator.world.docker.socket import UnixAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from remediator.clock import Clock
    from remediator.model.words import Json

MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of an answer that are read at most."""
OLDEST_API = (1, 30)
"""Docker 17.06. Older engines keep fewer events and lose fields of services."""

_CHUNK = 65_536
_CONNECT_SECONDS = 5


class NotReached(WorldError):  # noqa: N818 - named by what is the matter, like EngineTimeout
    """No connection to the engine was made, so nothing was asked of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str | None:
        """The engine's own words for an error; None if it was not the engine that spoke."""
        try:
            message = json.loads(self.body)["message"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        return message if isinstance(message, str) else None


class Api:
    """How one engine is reached. May be used by several threads at once."""

    def __init__(
        self,
        host: str,
        clock: Clock,
        *,
        connections: int,
        ca: str | None = None,
        cert: str | None = None,
        key: str | None = None,
    ) -> None:
        """`host` as in DOCKER_HOST; the paths switch TLS on. ValueError says what is wrong with them."""
        self.clock = clock
        self._version: str | None = None
        if not host:
            raise ValueError(
                "Docker engine at an empty address; the usual one is unix:///var/run/docker.sock"
            )
        pair = (cert, key) if cert and key else None
        try:
            tls = TLSConfig(client_cert=pair, ca_cert=ca, verify=True) if ca or pair else False
            self._session = docker.APIClient(
                base_url=host, version="1.30", tls=tls, timeout=_CONNECT_SECONDS, max_pool_size=connections
            )
        except DockerException as error:
            raise ValueError(f"Docker engine at {host}: {error}") from None
        # Proxies and passwords of the environment are not meant for an engine.
        self._session.trust_env = False
        self.base_url = str(self._session.base_url)
        if host.startswith("unix://"):
            path = host.removeprefix("unix://")
            self._session.mount(
                "http+docker://",
                UnixAdapter(f"http+unix://{path}", timeout=_CONNECT_SECONDS, max_pool_size=connections),
            )

    def within(self, seconds: float) -> Call:
        """A call, of one or more requests, that may take this long in all."""
        return Call(self, self.clock.monotonic() + seconds)

    def version(self, call: Call, *, anew: bool = False) -> str:
        """The newest API version that the engine speaks: an older one would hide fields."""
        if self._version is None or anew:
            self._version = None
            answer = call.send("GET", self.base_url + "/version")
            told = _json(answer, "/version") if answer.ok else None
            version = told.get("ApiVersion") if isinstance(told, dict) else None
            if not isinstance(version, str) or not re.fullmatch(r"\d{1,3}\.\d{1,3}", version):
                said = answer.message or "no ApiVersion, so it is not a Docker engine"
                raise WorldError(f"/version answered HTTP {answer.status}: {said}")
            major, minor = version.split(".")
            if (int(major), int(minor)) < OLDEST_API:
                raise WorldError(f"the engine speaks API {version}; at least 1.30 is needed (Docker 17.06)")
            self._version = version
        return self._version

    def open(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        seconds: float,
        *,
        last: bool = False,
    ) -> requests.Response:
        """Send a request and wait for the head of its answer, which the caller closes.

        `last`: the connection is not kept for another request.
        """
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if last:
            headers["Connection"] = "close"
        try:
            return self._session.request(
                method,
                url,
                params=params,
                data=body,
                headers=headers,
                timeout=(min(_CONNECT_SECONDS, seconds), seconds),
                stream=True,
                allow_redirects=False,
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            self._version = None  # whoever answers next may be a newer engine
            if _never_connected(error):
                raise NotReached(f"cannot be reached: {_reason(error)}") from None
            raise EngineTimeout(f"no answer within {seconds:.0f} s: {_reason(error)}") from None

    def close(self) -> None:
        """Let go of idle connections."""
        self._session.close()


class Call:
    """A few requests with one time limit."""

    def __init__(self, api: Api, deadline: float) -> None:
        self._api = api
        self._deadline = deadline

    def get(self, path: str, **params: str) -> Json | None:
        """The JSON answer; None for 404. WorldError for everything else."""
        answer = self.send("GET", self._url(path), params)
        if answer.status == 404 and answer.message is not None:
            return None
        return self._told(answer, path)

    def need(self, path: str, **params: str) -> Json:
        """The JSON answer to a question that every engine can answer."""
        return self._told(self.send("GET", self._url(path), params), path)

    def act(self, path: str, body: bytes | None = None, **params: str) -> None:
        """POST. EngineRefused: it did not happen. EngineTimeout or WorldError: it may have."""
        try:
            url = self._url(path)
            self.left()
        except WorldError as error:
            raise EngineRefused(f"not sent: {error}") from None
        try:
            answer = self.send("POST", url, params, body)
        except NotReached as error:
            raise EngineRefused(str(error)) from None
        if answer.ok:
            return
        told = answer.message
        if told is not None or 400 <= answer.status < 500:
            raise EngineRefused(f"HTTP {answer.status}: {told or 'refused without the words of an engine'}")
        if answer.status in (502, 503, 504):
            # Something between us and the engine gave up waiting; the engine may not have.
            raise EngineTimeout(f"HTTP {answer.status} from a proxy on the way to the engine")
        raise WorldError(f"{path} answered HTTP {answer.status}, which is no answer of a Docker engine")

    def text(self, path: str, **params: str) -> bytes:
        """A good answer as it is."""
        return self._good(self.send("GET", self._url(path), params), path).body

    def stream(
        self,
        path: str,
        take: Callable[[bytes], None],
        *,
        opened: Callable[[requests.Response], None] | None = None,
        **params: str,
    ) -> None:
        """Hand the body of a good answer to `take`, piece by piece as it comes."""
        url = self._url(path)
        with self._api.open("GET", url, params, None, self.left(), last=True) as response:
            if response.status_code != 200:
                self._good(self._whole(response), path)
                raise WorldError(f"{path} answered HTTP {response.status_code}")
            if opened is not None:
                opened(response)
            for piece in self._pieces(response):
                take(piece)

    def version(self, *, anew: bool = False) -> str:
        """See `Api.version`."""
        return self._api.version(self, anew=anew)

    def left(self) -> float:
        """Seconds that are left; EngineTimeout if none are."""
        left = self._deadline - self._api.clock.monotonic()
        if left <= 0:
            raise EngineTimeout("no answer in time")
        return left

    def send(
        self, method: str, url: str, params: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One request and its whole answer, whatever it says."""
        with self._api.open(method, url, params, body, self.left()) as response:
            return self._whole(response)

    def _url(self, path: str) -> str:
        return f"{self._api.base_url}/v{self.version()}{path}"

    def _told(self, answer: Answer, path: str) -> Json:
        told = _json(self._good(answer, path), path)
        if told is None:
            raise WorldError(f"{path} answered with nothing")
        return told

    def _good(self, answer: Answer, path: str) -> Answer:
        if not answer.ok:
            told = answer.message or "without the words of an engine"
            raise WorldError(f"{path} answered HTTP {answer.status}: {told}")
        return answer

    def _whole(self, response: requests.Response) -> Answer:
        body = bytearray()
        for piece in self._pieces(response):
            body += piece
            if len(body) > MAX_ANSWER:
                raise WorldError(f"an answer of more than {MAX_ANSWER} bytes")
        return Answer(response.status_code, bytes(body))

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        """What has arrived, as it arrives. EngineTimeout when the time is up or the connection breaks."""
        while True:
            try:
                # Not iter_content: that waits until a piece is full, however slowly it drips in.
                piece = response.raw.read1(_CHUNK, decode_content=True)
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                raise EngineTimeout(f"the answer broke off: {_reason(error)}") from None
            if not piece:
                return
            yield piece
            self.left()


def quoted(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _json(answer: Answer, path: str) -> Json:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise WorldError(f"{path} answered with something that is not JSON") from None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it wraps: requests wraps urllib3's errors, which wrap the system's."""
    todo: list[object] = [error]
    seen: set[int] = set()
    while todo:
        here = todo.pop()
        if isinstance(here, BaseException) and id(here) not in seen:
            seen.add(id(here))
            yield here
            # Not __context__: that may be another request's error, and a wrong answer here is a double act.
            todo += [*here.args, getattr(here, "reason", None), here.__cause__]


def _never_connected(error: BaseException) -> bool:
    kinds = (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)
    return any(isinstance(cause, kinds) for cause in _causes(error)) or isinstance(
        error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema
    )


def _reason(error: BaseException) -> str:
    """The innermost words, which are the plainest."""
    *_, last = (cause for cause in _causes(error) if str(cause))
    text = last.strerror if isinstance(last, OSError) and last.strerror else str(last)
    return f"{type(last).__name__}: {text}"
