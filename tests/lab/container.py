"""The lab's service in a container of its own, to be broken and mended."""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import TYPE_CHECKING, Any, Self

from docker.errors import NotFound

from tests.lab.answer import ask
from tests.lab.process import free_port
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker.models.containers import Container

    from tests.lab.engine import Engine

PORT = 8000


class ServiceContainer:
    """One container of the service, published on a port of loopback that it keeps over restarts.

    A port that the engine chose itself would change with every restart, and Prometheus would look at the
    old one.
    """

    def __init__(
        self,
        engine: Engine,
        image: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.client = engine.client()
        self.image = image
        self.name = name or f"robo-rlhf-{secrets.token_hex(4)}"
        self.labels = {"remediator.enable": "true"} if labels is None else dict(labels)
        self.environment = dict(environment or {})
        self.options = options
        self.port = free_port()

    @property
    def target(self) -> str:
        """``host:port``, as Prometheus scrapes it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.target}"

    @property
    def container(self) -> Container:
        """The container as the engine knows it now."""
        return self.client.containers.get(self.name)

    def start(self) -> Self:
        """Create and start it, and wait until its health check passes; what does not is removed."""
        try:
            self.client.containers.run(
                self.image,
                name=self.name,
                labels=self.labels,
                environment=self.environment,
                ports={f"{PORT}/tcp": ("127.0.0.1", self.port)},
                detach=True,
                **self.options,
            )
            until_sync(self.healthy, 60, f"{self.name} to become healthy")
        except BaseException:
            self.remove()
            raise
        return self

    def state(self) -> dict[str, Any]:
        """``State`` of the engine's own inspection: Status, Running, ExitCode, StartedAt, Health..."""
        found: dict[str, Any] = self.container.attrs["State"]
        return found

    def status(self) -> str:
        """One of the engine's words: running, exited, paused..."""
        return str(self.state()["Status"])

    def healthy(self) -> bool:
        """Whether it runs and its health check passes."""
        state = self.state()
        return bool(state["Running"]) and state.get("Health", {}).get("Status") == "healthy"

    def started_at(self) -> str:
        """When the process was started; changes with every restart."""
        return str(self.state()["StartedAt"])

    def restarts(self) -> int:
        """How often anybody had the engine restart it, by the engine's own record."""
        events = self.client.events(
            since=0,
            until=f"{time.time():.6f}",  # as text, since the SDK cuts times to whole seconds
            decode=True,
            filters={"container": self.name, "event": "restart"},
        )
        return sum(1 for _ in events)

    def post(self, path: str) -> None:
        """Ask the service to break: /crash, /hang, /leak?mb=64, /fail?rate=1, /stall; or to /mend."""
        with contextlib.suppress(OSError):
            ask("POST", self.url + path, b"", timeout=5)

    def crash(self) -> None:
        """Let the process end with exit code 1, and wait until the engine says so."""
        self.post("/crash")
        until_sync(lambda: self.status() == "exited", 30, f"the end of {self.name}")

    def remove(self) -> None:
        """Remove it, whatever state it is in."""
        with contextlib.suppress(NotFound):
            self.container.remove(force=True, v=True)
        self.client.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.remove()
