"""A server that dies while it answers: an OSError to who asked, and nobody's thread ends of it."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from typing import TYPE_CHECKING

import pytest

from tests.lab import poster
from tests.lab.answer import ask
from tests.lab.process import Server
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROKEN = {
    "the body is cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhttp_requ",
    "a refusal's body is cut": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\nnot y",
    "it is not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "there is nothing at all": b"",
}
UNREADABLE = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhttp_requests_total{"


@contextlib.contextmanager
def serving(answer: bytes) -> Iterator[int]:
    """A port of loopback that answers every request with these bytes, and hangs up."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_an_error_of_the_connection(answer: bytes) -> None:
    with serving(answer) as port, pytest.raises(OSError):
        print(ask("GET", f"http://127.0.0.1:{port}/metrics", timeout=5))


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_server_that_dies_as_it_answers_is_not_ready(tmp_path: Path, answer: bytes) -> None:
    with serving(answer) as port:
        assert not Server(tmp_path, port).is_ready()


@pytest.mark.parametrize("answer", [*BROKEN.values(), UNREADABLE], ids=[*BROKEN.keys(), "it is unreadable"])
def test_the_stand_in_for_prometheus_goes_on_and_the_service_counts_as_down(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poster, "INTERVAL", 0.02)
    monkeypatch.setattr(poster, "FOR", 0.1)
    with serving(answer) as port, poster.Poster(f"http://127.0.0.1:{port}", "robo-rlhf") as watching:
        until_sync(watching.alerts, 10, "an alert")
        assert [alert["labels"]["alertname"] for alert in watching.alerts()] == ["ApplicationDown"]
