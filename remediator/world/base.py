"""The faces of the world: what checks and actions may ask of it, whoever answers.

The real clients stand beside this file; a simulated world has the same faces. There are four
answers to a question: data, "no such thing" (None or an empty list), a definite refusal
(`EngineRefused`, `CommandNotStarted`, `RequestNotSent`), and `WorldError`, which means that nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from remediator.model.alert import Sighting
from remediator.model.words import Reason
from remediator.model.world import TargetError, WorldError
from remediator.world.near import Unseen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from remediator.clock import Clock
    from remediator.model.command import CommandSpec
    from remediator.model.request import FilledRequest, RequestSpec
    from remediator.model.service import Target
    from remediator.model.words import Json
    from remediator.model.world import Container, Image, MadeOf, SwarmService, Usage
    from remediator.world.compose import Compose
    from remediator.world.near import Host, Network

ENABLE_LABEL = "remediator.enable"
"""With the value `true` on a container or Swarm service it may be acted on without a catalogue entry."""


class EngineTimeout(WorldError):  # noqa: N818 - named by what is the matter, like TimeoutError's kin
    """The engine took a request and did not answer in time: it may still carry it out."""


class EngineRefused(Exception):  # noqa: N818 - see above
    """The engine said no, or was never reached: what was asked did not happen."""


class CommandNotStarted(Exception):  # noqa: N818 - see above
    """The program of a named command could not be started: nothing ran."""


class RequestNotSent(Exception):  # noqa: N818 - see above
    """There was no connection for a named request: nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """An engine that answers."""

    version: str
    api: str
    system_time: datetime
    """The engine's own clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """One entry of an engine's own history."""

    at: datetime
    """By the engine's clock."""
    kind: Literal["container", "service"]
    action: str
    """`create`, `start`, `kill`, `die`, `stop`, ... as the engine names it."""
    object_id: str
    attributes: dict[str, str]
    """The object's name and labels, and what the action adds: signal, exitCode, updatestate.new, ..."""

    @property
    def name(self) -> str:
        """The object's name when it happened."""
        return self.attributes.get("name", self.object_id[:12])


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened on an engine, in order."""

    complete_from: datetime
    """Nothing is missing since then. Engines forget, so this may be later than what was asked for."""
    events: tuple[EngineEvent, ...]


class Engine(Protocol):
    """One Docker engine. Every method may raise WorldError."""

    async def ping(self) -> EngineInfo:
        """Version and clock of the engine."""

    async def containers(self, target: Target) -> list[Container]:
        """The containers of a target, running or not, by name; of a Swarm service those on this node."""

    async def container(self, container_id: str) -> Container | None:
        """One container by its id; None if there is none."""

    async def logs(self, container_id: str, tail: int) -> str:
        """The last `tail` lines, both streams, with the engine's time stamps; long output is cut."""

    async def usage(self, container_id: str) -> Usage | None:
        """What a container uses now; None if it does not run, or there is none."""

    async def made_of(self, container_id: str) -> MadeOf | None:
        """What a container was made of; None if there is none. Secrets are in it."""

    async def image(self, name_or_id: str) -> Image | None:
        """The image that a name stands for now; None if there is none here."""

    async def history(self, since: datetime) -> History:
        """What happened to containers and Swarm services since then."""

    async def watch(self) -> None:
        """Keep the history from being forgotten, until cancelled. Runs beside everything else."""

    async def restart_container(self, container_id: str, stop_timeout: int) -> None:
        """Restart it, or start it if it is stopped. Raises EngineRefused or EngineTimeout too."""

    async def swarm_service(self, name_or_id: str) -> SwarmService | None:
        """One Swarm service by its exact name or id; None if there is none, or no Swarm."""

    async def force_update(self, service_id: str, version: int) -> None:
        """Let Swarm replace all tasks, changing nothing else of the service.

        EngineRefused if the service is not at this version any more.
        """

    async def scale_service(self, service_id: str, version: int, replicas: int) -> None:
        """Let Swarm run so many tasks, changing nothing else of the service.

        EngineRefused if the service is not at this version any more, or runs on every node.
        """

    async def close(self) -> None:
        """Let go of connections and threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAlert:
    """One alert as Alertmanager's API tells of it."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    updated_at: datetime
    ends_at: datetime
    state: Literal["active", "suppressed", "unprocessed"]
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    generator_url: str = ""

    @property
    def firing(self) -> bool:
        """True unless a silence or another alert mutes it."""
        return self.state != "suppressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsSeen:
    """What all Alertmanagers together said at one time."""

    at: datetime
    """When they were asked: nothing in here is older."""
    alerts: Mapping[str, SeenAlert]
    """By fingerprint. Where they differ, firing wins."""
    complete: bool
    """Only then is an alert that is missing here proven absent."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Alertmanager's address -> why its answer is missing or proves no absence."""
    answered: bool = True
    """Whether at least one of them told what it knows, however little that proves."""

    def sighting(self, fingerprint: str) -> Sighting:
        """What they said of one alert."""
        alert = self.alerts.get(fingerprint)
        if alert is not None:
            muted_by: Json = {"silenced_by": [*alert.silenced_by], "inhibited_by": [*alert.inhibited_by]}
            return Sighting(
                fingerprint=fingerprint,
                state="firing" if alert.firing else "muted",
                at=self.at,
                detail=None if alert.firing else muted_by,
            )
        if self.complete:
            return Sighting(fingerprint=fingerprint, state="absent", at=self.at)
        return Sighting(
            fingerprint=fingerprint, state="unknown", at=self.at, detail={"errors": dict(self.errors)}
        )


class Alertmanagers(Protocol):
    """All configured Alertmanagers as one."""

    async def look(self, max_age: timedelta) -> AlertsSeen:
        """Every alert; asked no longer than `max_age` ago. Never raises: see `complete` and `errors`."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromAlert:
    """An alert as Prometheus itself sees it, before Alertmanager."""

    labels: dict[str, str]
    annotations: dict[str, str]
    state: Literal["pending", "firing"]
    active_at: datetime
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series of the answer to a query."""

    labels: dict[str, str]
    value: float
    scalar: bool = False
    """The answer is a number by itself, and no series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series over a time."""

    labels: dict[str, str]
    samples: tuple[tuple[float, float], ...]
    """Seconds since 1970 and value, in order; there are none where the series was not."""


class Prometheus(Protocol):
    """A Prometheus server. Every method may raise WorldError; a partial answer is an error."""

    async def alerts(self) -> list[PromAlert]:
        """The pending and firing alerts of its rules."""

    async def query(self, expr: str) -> list[Sample]:
        """An instant query; a scalar is one sample without labels."""

    async def query_range(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
        """A query at every `step` seconds from `begin` to `end`, as seconds since 1970."""

    async def ready(self) -> None:
        """Return if it is ready to serve."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a command ended."""

    exit_code: int | None
    """Minus the signal's number when a signal ended it; None if it would not even die."""
    output: str
    """Both streams in order, obvious secrets redacted, the middle cut out of a long one."""
    output_bytes: int
    """How much it wrote in all."""
    seconds: float
    timed_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A process of an attempt that is still there, perhaps from before the daemon's last start."""

    pid: int
    group: int
    argv: tuple[str, ...]


class Commands(Protocol):
    """The named commands of the configuration."""

    specs: Mapping[str, CommandSpec]
    """By name. A reload replaces the whole mapping."""

    async def run(
        self, spec: CommandSpec, argv: Sequence[str], *, attempt: int | None = None
    ) -> CommandResult:
        """Run `argv`, which `spec.fill` made. Raises CommandNotStarted.

        With an attempt its processes can be found later, and cancelling leaves them be; without
        one cancelling ends them.
        """

    async def survivors(self, attempt: int) -> list[Survivor]:
        """The processes that an attempt has left behind and that still live."""

    async def end_survivors(self, attempt: int, argv: Sequence[str]) -> None:
        """End the attempt's own command if it still runs; what it has let go of is left alone."""


_UNSEEN = Unseen()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer to a named request."""

    status: int
    body: str
    """Fit to be kept and shown: secrets taken out, the middle cut out of a long one."""
    body_bytes: int
    """How long it was; of an endless one, how much was read."""
    told: Json
    """The body as JSON, for comparing only; None if it is none, or too long."""
    seconds: float
    """For all tries."""
    tries: int = 1
    doubtful: bool = False
    """An earlier try may have reached what the request is for, so a refusal now proves nothing."""


class Requests(Protocol):
    """The named requests of the configuration."""

    specs: Mapping[str, RequestSpec]
    """By name. A reload replaces the whole mapping."""

    async def send(self, spec: RequestSpec, filled: FilledRequest, *, attempt: int | None = None) -> Reply:
        """Send what `spec.fill` made, and return the answer, whatever it is. Redirects are not followed.

        All tries of an attempt carry one idempotency key. Raises RequestNotSent, and WorldError
        if it was, or may have been, sent and no whole answer came.
        """

    async def close(self) -> None:
        """Let go of connections."""


class NoRequests:
    """For a world in which none is configured."""

    specs: Mapping[str, RequestSpec] = MappingProxyType({})

    async def send(self, spec: RequestSpec, filled: FilledRequest, *, attempt: int | None = None) -> Reply:
        """Nothing is sent."""
        raise RequestNotSent(f"the request {spec.name} is not in the configuration")

    async def close(self) -> None:
        """Nothing to let go of."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything outside, as one thing to hand around."""

    engines: Mapping[str, Engine]
    """By their name in the configuration."""
    alerts: Alertmanagers | None
    prometheus: Prometheus | None
    commands: Commands
    requests: Requests = field(default_factory=NoRequests)
    clock: Clock
    host: Host = _UNSEEN
    """The machine that the daemon runs on."""
    network: Network = _UNSEEN
    own_container_id: str | None
    """The container that the daemon itself runs in (it may be the short id); None outside of one."""
    compose: Compose | None = None
    """Docker Compose on this machine; None where it cannot be used."""

    def engine(self, name: str) -> Engine:
        """The engine of this name; TargetError if the configuration has none."""
        try:
            return self.engines[name]
        except KeyError:
            known = ", ".join(self.engines) or "none"
            raise TargetError(
                Reason.NO_TARGET, f"no engine {name!r} is configured (there is: {known})", lasting=True
            ) from None

    def is_own(self, container_id: str) -> bool:
        """True for the daemon's own container."""
        return self.own_container_id is not None and container_id.startswith(self.own_container_id)
