"""One server process of the lab: started on a free port of loopback, waited for, stopped by its id."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Self

from tests.lab.answer import ask
from tests.lab.paths import LabError
from tests.lab.wait import NotYetError, until_sync

if TYPE_CHECKING:
    from pathlib import Path

READY_SECONDS = 60.0


def free_port() -> int:
    """A port of loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server with an HTTP page that says when it is ready. Stays on its port over restarts."""

    name = "server"
    ready_path = "/-/ready"

    def __init__(self, folder: Path, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.fixed_port = port is not None
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / f"{self.name}.log"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def argv(self) -> list[str]:
        """The command line, for the present port."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What it needs in its environment beside that of this process."""
        return {}

    def start(self) -> Self:
        """Start it and wait until it is ready; another process may take a free port first, so try a few."""
        for left in (2, 1, 0):
            if self._try_start():
                return self
            if self.fixed_port or not left or "address already in use" not in self.tail():
                break
            self.port = free_port()
        raise LabError(f"{self.name} did not become ready; the end of {self.log}:\n{self.tail()}")

    def stop(self, kill: bool = False) -> None:
        """End it, politely or at once, and wait for its end."""
        process, self.process = self.process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)

    def restart(self, kill: bool = False) -> None:
        """Stop and start on the same port and folder, with the configuration as it is now."""
        self.stop(kill=kill)
        self.fixed_port = True
        self.start()

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        if not self.log.is_file():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def http(self, method: str, path: str, body: object = None) -> Any:
        """Ask it something; its JSON answer, or its text. LabError when it refuses, OSError without one."""
        answer = ask(method, self.url + path, body, timeout=10)
        if not answer.ok:
            raise LabError(f"{method} {path}: {answer}")
        try:
            return answer.json()
        except ValueError:
            return answer.body.decode()

    def is_ready(self) -> bool:
        """Whether its ready page answers 200."""
        try:
            self.http("GET", self.ready_path)
        except (OSError, LabError):
            return False
        return True

    def _try_start(self) -> bool:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.argv(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for whoever started it, who then stops it in turn
                env={**os.environ, **self.environment()},
            )
        process = self.process
        ready = False
        try:
            with contextlib.suppress(NotYetError):
                until_sync(lambda: process.poll() is not None or self.is_ready(), READY_SECONDS, self.name)
            ready = process.poll() is None and self.is_ready()
        finally:
            if not ready:  # also when somebody lost patience
                self.stop(kill=True)
        return ready

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()
