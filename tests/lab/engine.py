"""Find a working Docker Engine, or start one where the machine has none but may have one.

Starting means: as root, and asked for by CI or by REMEDIATOR_LAB_ENGINE=start. The engine that the lab
starts keeps its images in the lab's cache, so that a second start finds them, and listens on the socket that
every client tries first. It is stopped by whoever started it, by the process id in the lab's own pid file; an
engine that was there before is never touched.

    python -m tests.lab.engine start|stop|status
    python -m tests.lab.engine run COMMAND...     with an engine, stopped afterwards if this started it
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from docker.errors import DockerException

from tests.lab.paths import LabError, cache, in_ci, lock, say
from tests.lab.wait import NotYetError, until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_HOST = "unix:///var/run/docker.sock"
PIDFILE = "dockerd.pid"


@dataclass(frozen=True)
class Engine:
    """An engine that answers. *started* says that this call started it, and so has to stop it."""

    host: str
    version: str
    started: bool = False

    def client(self, timeout: int = 60) -> docker.DockerClient:
        """A new client of this engine; the caller closes it."""
        return docker.DockerClient(base_url=self.host, timeout=timeout)

    @property
    def socket(self) -> Path | None:
        """The socket's file, to be mounted into a container; None when the engine is reached otherwise."""
        return Path(self.host.removeprefix("unix://")) if self.host.startswith("unix://") else None


def find() -> Engine | None:
    """The engine that DOCKER_HOST, the docker command's context or the default socket leads to."""
    if os.environ.get("DOCKER_HOST"):
        return _ask(os.environ["DOCKER_HOST"])
    return _ask(DEFAULT_HOST) or _of_context()


def ensure() -> Engine:
    """An engine that answers, started now if need be and allowed; LabError says why there is none."""
    found = find()
    if found is not None:
        return found
    if not may_start():
        raise LabError(
            "no Docker Engine answers. Start yours, or name it with DOCKER_HOST; as root, "
            "REMEDIATOR_LAB_ENGINE=start lets the lab install and start one"
        )
    with lock("engine"):
        found = find()
        return found if found is not None else _start()


def may_start() -> bool:
    """Whether the lab may install and start an engine on this machine."""
    asked = os.environ.get("REMEDIATOR_LAB_ENGINE", "start" if in_ci() else "") == "start"
    return asked and os.geteuid() == 0 and not os.environ.get("DOCKER_HOST")


def stop() -> bool:
    """Stop the engine that the lab started; False when it started none."""
    pid = _own_pid()
    if pid is None:
        return False
    for container in _running_containers():
        say(f"the engine stops while container {container} runs")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    until_sync(lambda: _own_pid() is None, 60, f"the end of the engine, process {pid}")
    return True


@contextlib.contextmanager
def running() -> Iterator[Engine]:
    """An engine for the length of a block, stopped afterwards if this started it."""
    engine = ensure()
    try:
        yield engine
    finally:
        if engine.started:
            stop()


def _ask(host: str) -> Engine | None:
    if not _listens(host):
        return None
    try:
        client = docker.DockerClient(base_url=host, timeout=10)
    except DockerException:
        return None
    try:
        return Engine(host=host, version=str(client.version()["Version"]))
    except (DockerException, OSError, KeyError):
        return None
    finally:
        client.close()


def _listens(host: str) -> bool:
    """Whether anybody is at a socket's other end; the client would leave one open that it cannot connect."""
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(host.removeprefix("unix://"))
        except OSError:
            return False
    return True


def _of_context() -> Engine | None:
    if shutil.which("docker") is None:
        return None
    done = subprocess.run(["docker", "context", "inspect"], capture_output=True, text=True, check=False)
    try:
        host = json.loads(done.stdout)[0]["Endpoints"]["docker"]["Host"]
    except (ValueError, LookupError, TypeError):
        return None
    return _ask(host) if host and host != DEFAULT_HOST else None


def _start() -> Engine:
    """Start dockerd by hand; the caller holds the lock."""
    _install()
    home = _home()
    log = home / "dockerd.log"
    say("starting a Docker Engine")
    _forget_stale_pid()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                "dockerd",
                f"--data-root={home / 'data'}",
                f"--pidfile={home / PIDFILE}",
                f"--host={DEFAULT_HOST}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    with contextlib.suppress(NotYetError):
        until_sync(lambda: process.poll() is not None or _ask(DEFAULT_HOST), 90, "an answer")
    engine = _ask(DEFAULT_HOST)
    if engine is None or process.poll() is not None:
        process.terminate()
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"the Docker Engine did not come up; the end of {log}:\n{tail}")
    return replace(engine, started=True)


def _install() -> None:
    """Install the Engine from the machine's own packages when its programs are missing."""
    if shutil.which("dockerd") and shutil.which("iptables"):
        return
    if shutil.which("apt-get") is None:
        raise LabError("dockerd is not installed, and there is no apt-get to install it with")
    say("installing docker.io")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (
        ["apt-get", "update", "--quiet"],
        ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "docker.io", "iptables"],
    ):
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            raise LabError(f"{' '.join(argv)} failed ({done.returncode}):\n{done.stderr.strip()}")


def _home() -> Path:
    home = cache() / "engine"
    home.mkdir(exist_ok=True)
    return home


def _own_pid() -> int | None:
    """The process that the lab started as the engine, if it is still that process."""
    try:
        pid = int((_home() / PIDFILE).read_text())
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    named = any(b"data-root" in word for word in argv) and any(str(_home()).encode() in word for word in argv)
    return pid if argv[0].endswith(b"dockerd") and named else None


def _forget_stale_pid() -> None:
    """A pid file left by a machine that went down would keep dockerd from starting."""
    if _own_pid() is None:
        (_home() / PIDFILE).unlink(missing_ok=True)


def _running_containers() -> list[str]:
    with contextlib.suppress(DockerException, OSError):
        client = docker.DockerClient(base_url=DEFAULT_HOST, timeout=10)
        try:
            return [str(container.name) for container in client.containers.list()]
        finally:
            client.close()
    return []


def main(argv: list[str]) -> int:
    """The command line told in the module's docstring."""
    try:
        match argv:
            case ["start"]:
                os.environ.setdefault("REMEDIATOR_LAB_ENGINE", "start")
                engine = ensure()
                print(f"{engine.host} {engine.version}" + (" (started)" if engine.started else ""))
            case ["stop"]:
                print("stopped" if stop() else "the lab has started no engine that still runs")
            case ["status"]:
                found = find()
                print(f"{found.host} {found.version}" if found else "no Docker Engine answers")
                return 0 if found else 1
            case ["run", *command] if command:
                with running():
                    return subprocess.run(command, check=False).returncode
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
