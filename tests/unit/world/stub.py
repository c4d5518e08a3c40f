"""A server that answers what a test tells it to, nonsense included, on a Unix socket or on loopback.

It speaks HTTP by hand: what is tested with it is how a client bears answers that no library would send.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Request:
    """What a client sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


CERTIFICATE = Path(__file__).parent / "loopback.pem"
"""A certificate for 127.0.0.1 that signs itself, with its key: good for nothing but these tests."""

Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def told(value: Any, status: int = 200, **headers: str) -> Answer:
    """JSON."""
    return raw(json.dumps(value).encode(), status, **{"Content-Type": "application/json", **headers})


def raw(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Any body."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return answer


def empty(status: int = 204) -> Answer:
    """No body, as an engine answers an act."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\n\r\n".encode())
        await writer.drain()

    return answer


async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
    """Nothing, ever."""
    await asyncio.Event().wait()


async def break_off(request: Request, writer: asyncio.StreamWriter) -> None:
    """Close the connection instead of answering."""
    writer.close()


async def cut_short(request: Request, writer: asyncio.StreamWriter) -> None:
    """Promise more than comes."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{")
    await writer.drain()
    writer.close()


def chunked(*pieces: bytes, then: asyncio.Event | None = None) -> Answer:
    """A stream that goes on for ever, or ends when `then` is set."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        await (then or asyncio.Event()).wait()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer


@dataclass
class Stub:
    """The server. An answer is found by the method and a regular expression for the whole path."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def on(self, method_and_path: str, answer: Answer) -> None:
        """`GET /info` and what follows; the version in front of an engine's path is ignored."""
        self.answers[method_and_path] = answer

    def asked(self, path: str) -> list[Request]:
        """The requests for this path so far."""
        return [request for request in self.requests if request.path == path]

    def _find(self, request: Request) -> Answer:
        for pattern, answer in reversed(self.answers.items()):
            if re.fullmatch(pattern, f"{request.method} {request.path}"):
                return answer
        return told({"message": f"page not found: {request.path}"}, 404)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                parts = urlsplit(target)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                request = Request(method, re.sub(r"^/v\d+\.\d+(?=/)", "", parts.path), query, headers, body)
                self.requests.append(request)
                await self._find(request)(request, writer)
                if writer.is_closing():
                    return
        writer.close()


@contextlib.asynccontextmanager
async def serving(folder: Path | None = None, *, tls: bool = False) -> AsyncIterator[Stub]:
    """A stub on a socket in this folder, or without one on a port of loopback."""
    stub, connections = Stub(), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await stub.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            connections.discard(task)

    if folder is not None:
        server = await asyncio.start_unix_server(connected, folder / "engine.sock")
        stub.url = f"unix://{folder / 'engine.sock'}"
    else:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
        if context is not None:
            context.load_cert_chain(CERTIFICATE)
        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        stub.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield stub
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        if connections:
            await asyncio.wait(list(connections))
