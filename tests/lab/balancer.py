"""A load balancer as far as its API goes: the states of servers, and the ways in which an API can fail."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.lab.sink import Received


class Balancer:
    """Listens on a free port of loopback. `GET /servers/NAME` tells a state, `POST` sets it.

    mute      it does as it is asked to, and closes the connection instead of answering
    status    what it answers a POST with; above 299 it does nothing
    """

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.posts: list[Received] = []
        self.mute = False
        self.status = 200
        balancer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._tell(200, {"state": balancer.states.get(self._name, "ready")})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                balancer.posts.append(Received(self.path, dict(self.headers), body))
                if balancer.status <= 299:
                    balancer.states[self._name] = json.loads(body)["state"]
                if not balancer.mute:
                    self._tell(balancer.status, {"credentials": self.headers.get("Authorization")})

            @property
            def _name(self) -> str:
                return self.path.rpartition("/")[2]

            def _tell(self, status: int, told: object) -> None:
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
