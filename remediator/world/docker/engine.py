"""The face of one Docker engine: asks on threads of its own, so that a slow engine blocks nobody else.

Reads and acts have separate threads, since a restart may take minutes; all of them are few. Every
call ends in time for its caller, also where the thread itself cannot be ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from remediator.model.service import TargetKind
from remediator.model.words import Reason
from remediator.model.world import TargetError, WorldError
from remediator.world.base import EngineRefused, EngineTimeout
from remediator.world.docker import questions
from remediator.world.docker.api import Api
from remediator.world.docker.watcher import Watcher
from remediator.world.threads import NoThreadFree, Threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from remediator.clock import Clock
    from remediator.model.service import Target
    from remediator.model.world import Container, Image, MadeOf, SwarmService, Usage
    from remediator.world.base import EngineInfo, History
    from remediator.world.docker.api import Call

READERS = 8
ACTORS = 16
ACT_SECONDS = 45.0
"""An act may take so long beyond its stop timeout: the engine has to unmount, mount and start."""
_LAG = 2.0
"""Seconds that a caller waits on after a thread should have given up by itself."""

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class DockerEngine:
    """One Docker engine. Its face is `Engine`."""

    def __init__(
        self,
        host: str,
        clock: Clock,
        *,
        name: str = "local",
        timeout: float = 10.0,
        patience: float = 10.0,
        ca: str | None = None,
        cert: str | None = None,
        key: str | None = None,
    ) -> None:
        """Connects to nothing yet. ValueError if `host` or the TLS files are of no use.

        `host`: as in DOCKER_HOST. `name`: its name in the configuration. `timeout`: seconds that an
        answer to a question may take. `patience`: seconds that a call may wait for others to end.
        `ca`, `cert`, `key`: paths of TLS files, for `tcp://`.

        An act is over for its caller after patience + stop timeout + ACT_SECONDS + 2 seconds, and is
        never sent later than that.
        """
        self.name = name
        self._timeout = timeout
        self._api = Api(host, clock, connections=READERS + ACTORS, ca=ca, cert=cert, key=key)
        listening = Api(host, clock, connections=1, ca=ca, cert=cert, key=key)
        self._readers = Threads(READERS, f"engine-{name}-read", patience=patience)
        self._actors = Threads(ACTORS, f"engine-{name}-act", patience=patience)
        self._watcher = Watcher(listening, clock, name, self._read)

    async def ping(self) -> EngineInfo:
        """See `Engine.ping`."""
        return await self._read(questions.ping)

    async def containers(self, target: Target) -> list[Container]:
        """See `Engine.containers`. TargetError if the target names nothing."""
        if target.kind is TargetKind.NONE:
            return []
        if not target.name:
            wrong = f"a target of the kind {target.kind} without a name"
            raise TargetError(Reason.NO_TARGET, wrong, lasting=True)
        return await self._read(lambda call: questions.containers(call, target))

    async def container(self, container_id: str) -> Container | None:
        """See `Engine.container`."""
        if not container_id:
            return None
        return await self._read(lambda call: questions.container(call, container_id))

    async def logs(self, container_id: str, tail: int) -> str:
        """See `Engine.logs`. What looks like a secret is taken out."""
        return await self._read(lambda call: questions.logs(call, container_id, tail))

    async def usage(self, container_id: str) -> Usage | None:
        """See `Engine.usage`. Engines before Docker 20.10 take a second or two to answer."""
        if not container_id:
            return None
        return await self._read(lambda call: questions.usage(call, container_id))

    async def made_of(self, container_id: str) -> MadeOf | None:
        """See `Engine.made_of`."""
        return await self._read(lambda call: questions.made_of(call, container_id)) if container_id else None

    async def image(self, name_or_id: str) -> Image | None:
        """See `Engine.image`."""
        return await self._read(lambda call: questions.image(call, name_or_id)) if name_or_id else None

    async def history(self, since: datetime) -> History:
        """See `Engine.history`."""
        return await self._watcher.history(since)

    async def watch(self) -> None:
        """See `Engine.watch`."""
        await self._watcher.watch()

    async def restart_container(self, container_id: str, stop_timeout: int) -> None:
        """See `Engine.restart_container`."""
        if not container_id or stop_timeout < 0:
            raise EngineRefused("a restart needs a container's id and a stop timeout of 0 or more")
        await self._act(
            lambda call: questions.restart(call, container_id, stop_timeout), stop_timeout + ACT_SECONDS
        )

    async def swarm_service(self, name_or_id: str) -> SwarmService | None:
        """See `Engine.swarm_service`. WorldError where this node is in a Swarm that it does not manage."""
        if not name_or_id:
            return None
        return await self._read(lambda call: questions.swarm_service(call, name_or_id))

    async def force_update(self, service_id: str, version: int) -> None:
        """See `Engine.force_update`."""
        await self._act(lambda call: questions.force_update(call, service_id, version), ACT_SECONDS)

    async def scale_service(self, service_id: str, version: int, replicas: int) -> None:
        """See `Engine.scale_service`."""
        if replicas < 0:
            raise EngineRefused("a service has 0 replicas or more")
        await self._act(
            lambda call: questions.scale_service(call, service_id, version, replicas), ACT_SECONDS
        )

    async def close(self) -> None:
        """See `Engine.close`. Calls that still run end by themselves and keep nobody waiting."""
        self._watcher.close()
        self._api.close()

    async def _read(self, job: Callable[[Call], T]) -> T:
        try:
            return await self._readers.run(
                lambda: job(self._api.within(self._timeout)), limit=self._timeout + _LAG
            )
        except TimeoutError:
            raise self._told(EngineTimeout(f"no answer within {self._timeout:g} s")) from None
        except NoThreadFree as error:
            raise self._told(WorldError(str(error))) from None
        except WorldError as error:
            raise self._told(error) from None

    async def _act(self, job: Callable[[Call], None], seconds: float) -> None:
        try:
            await self._actors.run(lambda: job(self._api.within(seconds)), limit=seconds + _LAG)
        except TimeoutError:
            raise self._told(EngineTimeout(f"no answer within {seconds:g} s")) from None
        except NoThreadFree as error:
            raise self._told(EngineRefused(f"not sent: {error}")) from None
        except (WorldError, EngineRefused) as error:
            raise self._told(error) from None

    def _told(self, error: E) -> E:
        return type(error)(f"Docker engine {self.name}: {error}")
