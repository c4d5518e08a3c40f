"""A socket in front of the Docker Engine that passes everything on, until it is told to misbehave.

    proxy.misbehave("swallow", "/restart")    of the requests whose path holds that; "" for all

    refuse    the engine does not get it; the answer is HTTP 500 in the engine's own form
    drop      the engine does not get it, and the connection ends without an answer
    swallow   the engine does it, and the connection ends without an answer
    hold      the engine gets it only after behave(), the asker may long have gone

Each connection carries one request, which the engine is asked to close as well.
"""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.engine import Engine

Way = Literal["refuse", "drop", "swallow", "hold"]

_REFUSAL = b'{"message":"the lab says no"}'
_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PIECE = 65_536


class EngineProxy:
    """Listens at *host* between start() and stop(); outside of that the socket is missing."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.socket = folder / "engine.sock"
        self.host = f"unix://{self.socket}"
        self._way: tuple[Way, str] | None = None
        self._behaves = threading.Event()
        self._behaves.set()
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    def start(self) -> Self:
        """Be there."""
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):  # either side may go away
                    proxy._serve(self.connection)

        self._server = socketserver.ThreadingUnixStreamServer(str(self.socket), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Be gone, as an engine that is not running."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            self.socket.unlink()

    def misbehave(self, way: Way, path: str = "") -> None:
        """Do so with every request from now on whose path holds *path*."""
        self._way = (way, path)
        if way == "hold":
            self._behaves.clear()

    def behave(self) -> None:
        """Pass everything on again, what is held included."""
        self._way = None
        self._behaves.set()

    def _serve(self, asker: socket.socket) -> None:
        request = _read_request(asker)
        if request is None:
            return
        path = request.split(b" ", 2)[1].decode()
        way = self._way[0] if self._way is not None and self._way[1] in path else None
        if way == "refuse":
            head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
            asker.sendall(
                head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(_REFUSAL) + _REFUSAL
            )
        elif way != "drop":
            if way == "hold":
                self._behaves.wait()
            with self._connected() as engine:
                engine.sendall(request)
                while piece := engine.recv(_PIECE):
                    if way != "swallow":
                        asker.sendall(piece)

    def _connected(self) -> socket.socket:
        if self.engine.socket is None:
            address = urlsplit(self.engine.host)
            return socket.create_connection((address.hostname, address.port))
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(str(self.engine.socket))
        return engine

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.behave()
        self.stop()


def _read_request(asker: socket.socket) -> bytes | None:
    """The next request, whole, with the wish to end the connection after it; None at the end."""
    told = b""
    while b"\r\n\r\n" not in told:
        piece = asker.recv(_PIECE)
        if not piece:
            return None
        told += piece
    head, _, body = told.partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    while found and len(body) < int(found[1]):
        piece = asker.recv(_PIECE)
        if not piece:
            return None
        body += piece
    return _CONNECTION.sub(b"", head) + b"\r\nConnection: close\r\n\r\n" + body
