"""A small service that stands for ``robo-rlhf``: it can be broken on purpose, and a restart mends it.

    GET  /health      200, or 503 when its Redis does not answer
    GET  /metrics     Prometheus text
    GET  /            one unit of work: counted, 200 or (after /fail) 500; it also gives itself some
    POST /crash       the process ends at once, with exit code 1
    POST /hang        nothing is answered any more, the health check included
    POST /leak?mb=64  that much memory is taken and kept
    POST /fail?rate=1 this share of the work answers 500
    POST /stall       training makes no more steps
    POST /mend        undo hang, leak, fail and stall by hand

Only the standard library: the image is any Python and this file. All state is in the process, so that a
restart is a real cure.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BUCKETS = (0.005, 0.05, 0.5, 5.0)


class State:
    """What is broken, and what is counted."""

    def __init__(self, redis: str, step_seconds: float) -> None:
        self.redis = redis
        self.step_seconds = step_seconds
        self.started = time.time()
        self.lock = threading.Lock()
        self.requests: Counter[tuple[str, str]] = Counter()
        self.buckets: Counter[float] = Counter()
        self.seconds = 0.0
        self.fail_rate = 0.0
        self.leaked: list[bytearray] = []
        self.steps = 0
        self.last_step = time.time()
        self.stalled = threading.Event()
        self.answering = threading.Event()
        self.answering.set()

    def train(self) -> None:
        """Make a step now and then, as training does."""
        while True:
            time.sleep(self.step_seconds)
            if not self.stalled.is_set():
                self.steps += 1
                self.last_step = time.time()

    def customers(self) -> None:
        """A little traffic of its own, so that an error rate exists without anybody's load."""
        while True:
            time.sleep(self.step_seconds)
            self.answering.wait()
            self.work()

    def work(self) -> int:
        """One request's work, and the status that it ends with."""
        began = time.perf_counter()
        status = 500 if random.random() < self.fail_rate else 200
        self.observe("/", status, time.perf_counter() - began)
        return status

    def mend(self) -> None:
        """Undo what was broken on purpose."""
        self.fail_rate = 0.0
        self.leaked.clear()
        self.stalled.clear()
        self.answering.set()

    def redis_answers(self) -> bool:
        """PING, spoken raw; a service without Redis is healthy without it."""
        if not self.redis:
            return True
        host, _, port = self.redis.partition(":")
        try:
            with socket.create_connection((host, int(port or 6379)), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count one request."""
        with self.lock:
            self.requests[path, str(status)] += 1
            self.seconds += seconds
            for bound in BUCKETS:
                self.buckets[bound] += seconds <= bound

    def metrics(self) -> str:
        """All of it, as Prometheus text."""
        with self.lock:
            total = sum(self.requests.values())
            lines = [
                "# TYPE http_requests_total counter",
                *(
                    f'http_requests_total{{path="{path}",status="{status}"}} {count}'
                    for (path, status), count in sorted(self.requests.items())
                ),
                "# TYPE http_request_duration_seconds histogram",
                *(f'http_request_duration_seconds_bucket{{le="{b}"}} {self.buckets[b]}' for b in BUCKETS),
                f'http_request_duration_seconds_bucket{{le="+Inf"}} {total}',
                f"http_request_duration_seconds_sum {self.seconds}",
                f"http_request_duration_seconds_count {total}",
            ]
        for name, kind, value in (
            ("robo_rlhf_up", "gauge", 1),
            ("robo_rlhf_redis_up", "gauge", int(self.redis_answers())),
            ("training_steps_total", "counter", self.steps),
            ("training_last_step_timestamp_seconds", "gauge", self.last_step),
            ("process_start_time_seconds", "gauge", self.started),
            ("process_resident_memory_bytes", "gauge", resident_bytes()),
        ):
            lines += [f"# TYPE {name} {kind}", f"{name} {value}"]
        return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    """The memory this process holds; 0 where there is no /proc."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123 (pathlib only costs memory here)
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        state = self.server.state
        state.answering.wait()
        path = urlsplit(self.path).path
        if path == "/metrics":
            return self.answer(200, state.metrics(), "text/plain; version=0.0.4")
        if path == "/health":
            healthy = state.redis_answers()
            return self.answer(*((200, "ok\n") if healthy else (503, "redis does not answer\n")))
        if path == "/":
            status = state.work()
            return self.answer(status, "done\n" if status == 200 else "broken on purpose\n")
        return self.answer(404, "no such page\n")

    def do_POST(self) -> None:
        state = self.server.state
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match url.path:
            case "/crash":
                print("crashing as asked", file=sys.stderr, flush=True)
                os._exit(1)
            case "/hang":
                state.answering.clear()
            case "/leak":
                state.leaked.append(bytearray(b"x") * (int(query.get("mb", ["64"])[0]) * 1024 * 1024))
            case "/fail":
                state.fail_rate = float(query.get("rate", ["1"])[0])
            case "/stall":
                state.stalled.set()
            case "/mend":
                state.mend()
            case _:
                return self.answer(404, "no such page\n")
        return self.answer(200, "as asked\n")

    def answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
        if "/metrics" not in self.path and "/health" not in self.path:
            super().log_message(format, *args)


class Server(ThreadingHTTPServer):
    """The server, with the state that its handlers share."""

    daemon_threads = True
    state: State


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    parser.add_argument("--redis", default=os.environ.get("REDIS", ""), help="host:port; empty: needs none")
    parser.add_argument("--step", type=float, default=0.2, help="seconds that a training step takes")
    options = parser.parse_args()
    server = Server((options.host, options.port), Handler)
    server.state = State(options.redis, options.step)
    for work in (server.state.train, server.state.customers):
        threading.Thread(target=work, daemon=True).start()
    # As a container's first process it would otherwise not hear a stop at all.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening on {options.host}:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
