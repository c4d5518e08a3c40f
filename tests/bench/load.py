"""The load: many keep-alive connections, one request in flight on each, from one small process.

It speaks just enough HTTP to time an answer, over epoll and with requests built beforehand, so that
what is measured is the server. The same process drives both sides.
"""

import argparse
import json
import select
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.bench.alerts import STARTS_AT, Kind, notifications

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"


class Connection:
    """One connection: the request under way, how much of it is sent, and what came back so far."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.started = 0.0
        self._unsent = memoryview(b"")
        self._answer = b""

    def start(self, request: bytes) -> bool:
        """Begin a request; True when all of it is sent."""
        self._unsent = memoryview(request)
        self._answer = b""
        self.started = time.perf_counter()
        return self.push()

    def push(self) -> bool:
        """Send more of the request; True when all of it is sent."""
        try:
            sent = self.socket.send(self._unsent)
        except BlockingIOError:
            return False
        self._unsent = self._unsent[sent:]
        return not self._unsent

    def pull(self) -> int | None:
        """Read more of the answer; its status when it is whole."""
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server closed a connection that was in use")
        self._answer += data
        head, end, body = self._answer.partition(END_OF_HEAD)
        if not end:
            return None
        at = head.lower().find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r", 1)[0]) if at >= 0 else 0
        return int(head[9:12]) if len(body) >= length else None


class Load:
    """A closed loop: each connection sends its next request when the last one is answered."""

    def __init__(self, port: int, connections: int, requests: list[bytes], seconds: float) -> None:
        self._requests = iter(requests)
        self._epoll = select.epoll()
        self._all = [Connection(port) for _ in range(connections)]
        self._seconds = seconds
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []

    def run(self) -> float:
        """Send until the requests or the time are used up; returns the seconds it took.

        TimeoutError when answers stay away for long after that.
        """
        busy: dict[int, Connection] = {}
        begin = time.perf_counter()
        for connection in self._all:
            self._epoll.register(connection.socket, 0)
            if self._next(connection, begin):
                busy[connection.socket.fileno()] = connection
        while busy:
            if not (ready := self._epoll.poll(30)):
                raise TimeoutError(f"{len(busy)} requests were not answered for 30 s")
            for number, what in ready:
                connection = busy[number]
                if what & select.EPOLLOUT:
                    self._watch(connection, connection.push())
                elif not self._answered(connection, begin):
                    del busy[number]
        return time.perf_counter() - begin

    def _answered(self, connection: Connection, begin: float) -> bool:
        """Take in what came; False when this connection has nothing more to do."""
        status = connection.pull()
        if status is None:
            return True
        self.statuses[status] += 1
        self.latencies.append(time.perf_counter() - connection.started)
        return self._next(connection, begin)

    def _next(self, connection: Connection, begin: float) -> bool:
        request = next(self._requests, None)
        if request is None or time.perf_counter() - begin > self._seconds:
            self._epoll.unregister(connection.socket)
            return False
        self._watch(connection, connection.start(request))
        return True

    def _watch(self, connection: Connection, sent: bool) -> None:
        self._epoll.modify(connection.socket, select.EPOLLIN if sent else select.EPOLLOUT)


def http(body: bytes, port: int, token: str) -> bytes:
    """The webhook request, as Alertmanager would send it."""
    head = (
        "POST /api/v1/webhook HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "User-Agent: Alertmanager/0.28.1",
        f"Content-Length: {len(body)}",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
    )
    return "\r\n".join(head).encode() + END_OF_HEAD + body


def quantile(ordered: list[float], share: float) -> float:
    """The value that this share of an ordered list does not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def summary(load: Load, seconds: float) -> dict[str, Any]:
    """What is handed to the bench; times in seconds, rates of answers 200 only."""
    ordered = sorted(load.latencies)
    return {
        "seconds": seconds,
        "statuses": dict(load.statuses),
        "rate": load.statuses[200] / seconds,
        "p50": quantile(ordered, 0.5),
        "p99": quantile(ordered, 0.99),
        "max": ordered[-1] if ordered else float("nan"),
    }


def main() -> None:
    """Build the requests, send them, print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--alerts", type=int, required=True, help="alerts in each request")
    parser.add_argument("--kind", type=Kind, required=True)
    parser.add_argument("--first", type=int, default=0, help="number of the first alert")
    parser.add_argument("--distinct", type=int, default=0, help="repeat after this many alerts; 0: never")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--starts-at", default=STARTS_AT, help="since when the alerts fire")
    args = parser.parse_args()
    token = args.token_file.read_text().strip()
    bodies = notifications(
        args.kind,
        args.requests,
        args.alerts,
        first=args.first,
        distinct=args.distinct or None,
        starts_at=args.starts_at,
    )
    requests = [http(body, args.port, token) for body in bodies]
    load = Load(args.port, args.connections, requests, args.seconds)
    used = time.process_time()
    seconds = load.run()
    busy = (time.process_time() - used) / seconds
    json.dump(summary(load, seconds) | {"busy": busy}, sys.stdout)


if __name__ == "__main__":
    main()
