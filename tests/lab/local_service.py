"""The lab's service as a plain local process, and the named commands that mend it and look at it.

For machines without a Docker Engine. The daemon starts the service anew with its command `mend`, as it
would with a `systemctl restart` that an operator allowed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.lab.answer import ask
from tests.lab.process import free_port
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Mapping

APP = Path(__file__).parent / "service" / "app.py"
MEND = """\
#!/bin/sh
# End the service if it still runs, and start it anew. It lives on when this script has ended.
set -eu
old=$(cat "{pid}" 2> /dev/null || echo none)
runs() {{ grep -qs "{app}" "/proc/$old/cmdline"; }}
if runs; then kill "$old"; fi
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if runs; then sleep 0.1; fi
done
if runs; then kill -9 "$old"; fi
"{python}" "{app}" --port {port} < /dev/null >> "{log}" 2>&1 &
echo $! > "{pid}"
echo "started as process $!"
"""


class LocalService:
    """One process of the service on a port of loopback that it keeps; a context manager."""

    def __init__(self, folder: Path, name: str = "robo-rlhf") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.port = free_port()
        self.log = folder / "service.log"
        self._pid_file = folder / "service.pid"
        self._script = folder / "mend"
        self._script.write_text(
            MEND.format(pid=self._pid_file, app=APP, python=sys.executable, port=self.port, log=self.log)
        )
        self._script.chmod(0o755)

    @property
    def target(self) -> str:
        """``host:port``, as Prometheus scrapes it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.target}"

    def commands(self) -> Mapping[str, Any]:
        """The named commands, as remediator.yml has them."""
        return {
            "mend": {"argv": [str(self._script)], "timeout": "20s"},
            "service-log": {"argv": ["/usr/bin/tail", "-n", "20", str(self.log)], "timeout": "5s"},
        }

    def pid(self) -> int | None:
        """Its process, if it runs."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(self._pid_file.read_text())
            if str(APP).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def healthy(self) -> bool:
        """Whether its health page answers 200."""
        try:
            return ask("GET", f"{self.url}/health", timeout=2).ok
        except OSError:
            return False

    def post(self, path: str) -> None:
        """Ask it to break: /crash, /hang, /fail?rate=1."""
        with contextlib.suppress(OSError):
            ask("POST", self.url + path, b"", timeout=5)

    def crash(self) -> None:
        """Let the process end with exit code 1, and wait until it has."""
        self.post("/crash")
        until_sync(lambda: self.pid() is None, 30, f"the end of {self.name}")

    def __enter__(self) -> Self:
        subprocess.run([self._script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        try:
            until_sync(self.healthy, 30, f"{self.name} to answer")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            until_sync(lambda: self.pid() is None, 30, f"the end of {self.name}")
