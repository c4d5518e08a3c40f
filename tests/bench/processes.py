"""Both sides as processes of their own: started, waited for, looked at, and always ended by their id."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypedDict

from tests.bench.alerts import STARTS_AT

if TYPE_CHECKING:
    from types import TracebackType

    from tests.bench.alerts import Kind

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 30.0


class BenchError(RuntimeError):
    """A figure could not be taken; the message says why."""


class LoadResult(TypedDict):
    """What the load process measured: seconds, and answers 200 per second."""

    seconds: float
    statuses: dict[str, int]
    rate: float
    p50: float
    p99: float
    max: float
    busy: float


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One side, from its start to its end; a context manager."""

    def __init__(self, name: str, argv: list[str], port: int, folder: Path) -> None:
        self.name = name
        self.port = port
        self.log = folder / f"{name}.log"
        self.start_seconds = 0.0
        self._argv = argv
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            begin = time.perf_counter()
            self._process = subprocess.Popen(
                self._argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._wait_ready(begin)
        except BaseException:
            self._stop()
            raise
        self.start_seconds = time.perf_counter() - begin
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """Process id, while it runs."""
        if self._process is None:
            raise BenchError(f"{self.name} was not started")
        return self._process.pid

    def memory(self) -> float:
        """Resident memory, in MB (10^6 bytes)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise BenchError(f"{self.name} is no longer running:\n{self.tail()}")

    def cpu_seconds(self) -> float:
        """Processor time used so far, by all threads that live, without its children."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def get(self, path: str, token: str | None = None) -> tuple[int, bytes]:
        """Status and body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def tail(self) -> str:
        """The end of what it wrote to its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def _wait_ready(self, begin: float) -> None:
        assert self._process is not None
        seen = "nothing listened"
        while time.perf_counter() - begin < START_SECONDS:
            if self._process.poll() is not None:
                raise BenchError(
                    f"{self.name} ended with {self._process.returncode} at its start:\n{self.tail()}"
                )
            try:
                status, body = self.get("/-/ready")
            except OSError:
                time.sleep(0.002)
                continue
            if status == 200:
                return
            seen = f"{status} {body[:500]!r}"
            time.sleep(0.005)
        raise BenchError(f"{self.name} was not ready within {START_SECONDS:.0f} s: {seen}\n{self.tail()}")

    def _stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def bare_server(folder: Path) -> Server:
    """The bare limit with a new database."""
    port = free_port()
    database = folder / "bare.db"
    return Server("bare", [sys.executable, "-m", "tests.bench.bare", str(port), str(database)], port, folder)


def load(
    server: Server,
    token_file: Path,
    kind: Kind,
    *,
    connections: int,
    requests: int,
    alerts: int,
    first: int = 0,
    distinct: int = 0,
    seconds: float = 60,
) -> LoadResult:
    """Run the load against one side, in a process of its own."""
    options: dict[str, Any] = {
        "port": server.port,
        "token-file": token_file,
        "kind": kind.value,
        "connections": connections,
        "requests": requests,
        "alerts": alerts,
        "first": first,
        "distinct": distinct,
        "seconds": seconds,
        "starts-at": STARTS_AT,
    }
    argv = [sys.executable, "-m", "tests.bench.load"]
    argv += [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 120, check=False)
    if done.returncode != 0:
        raise BenchError(f"the load on {server.name} failed:\n{done.stderr[-2000:]}\n{server.tail()}")
    result: LoadResult = json.loads(done.stdout)
    return result
