"""What is seen of the world: containers, changes made by others, findings of checks."""

from dataclasses import dataclass, field
from datetime import datetime

from remediator.model.words import Json, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as the engine tells of it."""

    id: str
    name: str
    image: str
    labels: dict[str, str]
    running: bool
    status: str
    """The engine's word: created, running, paused, restarting, exited, dead."""
    health: str | None
    """`healthy`, `unhealthy`, `starting`, or None where there is no health check."""
    exit_code: int | None
    oom_killed: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    restart_count: int
    restart_policy: str
    stop_timeout: int
    """Seconds between SIGTERM and SIGKILL."""
    image_id: str = ""
    """The hash of the image that it was made of; the name may stand for another one by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a container uses, as the engine counts it at one moment. None is what it does not count."""

    at: datetime
    cpu_seconds: float
    """Since its start, of all CPUs together."""
    memory: int | None
    """Bytes, without the cache that is given back when memory is short."""
    memory_limit: int | None
    """Bytes; of a container without a limit the machine's memory."""
    pids: int | None
    pids_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeOf:
    """What a container was made of, as far as it can be held against a Compose file."""

    env: dict[str, str] = field(default_factory=dict, repr=False)
    """Its whole environment, the image's own included. Secrets are in it: never show a value."""
    command: tuple[str, ...] = ()
    mounts: frozenset[str] = frozenset()
    """`SOURCE:TARGET`, with a path or the name of a volume as the source."""
    ports: frozenset[str] = frozenset()
    """Those published on the machine: `[IP:]PORT:TARGET/tcp`, without the port where the engine chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image on an engine."""

    id: str
    env: dict[str, str] = field(default_factory=dict, repr=False)
    """What containers made of it have in their environment unless they are told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmService:
    """A Swarm service as the engine tells of it."""

    id: str
    name: str
    version: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    replicas: int
    running: int
    """Tasks that run the present version."""
    update_state: str | None
    """`updating`, `completed`, `paused`, `rollback_*`, or None."""
    force_update: int
    """The counter that a forced update raises."""
    running_since: datetime | None = None
    """When the youngest of the running tasks began to run."""
    update_message: str = ""
    """What the engine says of the last update, e.g. why it is paused."""
    stop_timeout: int = 10
    """Seconds between SIGTERM and SIGKILL."""
    update_parallelism: int = 1
    """Tasks replaced at once; 0 is all."""
    update_pause: float = 0.0
    """Seconds between one batch and the next: the configured delay, or monitoring if that is longer."""
    everywhere: bool = False
    """One task on each node (mode `global`), instead of a number of replicas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """Something that happened to an object, as the engine's events or its state tell."""

    object_id: str
    object_name: str
    what: str
    """`stop`, `kill`, `create`, `start`, `update`, `restart`, `pause`, `destroy`, `stopped on purpose`."""
    at: datetime | None
    """None where the engine only shows that it was so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check saw."""

    check: str
    ok: bool | None
    """None: it could not tell."""
    summary: str
    """One line."""
    text: str = ""
    """The whole of it, kept as evidence."""
    facts: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The operation is done, or a probe found it done."""

    result: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplied:
    """A probe found that the operation did not happen."""

    result: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFailed:
    """The operation was tried and failed, certainly: refused, ended with an error, or it did no good."""

    result: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody can say whether the operation happened."""

    result: dict[str, Json] = field(default_factory=dict)


ApplyResult = Applied | ActFailed | Unknown
ProbeResult = Applied | NotApplied | ActFailed | Unknown


MAY_PASS = frozenset({Reason.NO_TARGET, Reason.AMBIGUOUS_TARGET})
"""Nothing there, or more than was meant: so it is for a moment in any deploy."""


class TargetError(Exception):
    """A target could not be resolved to what an action needs; acting is out of the question."""

    def __init__(self, reason: Reason, detail: str, *, lasting: bool = False) -> None:
        """`lasting`: no waiting will change it, though its reason is one that often passes."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.lasting = lasting or reason not in MAY_PASS


class WorldError(Exception):
    """The world could not be read (engine down, slow, or answering nonsense): hold and say so."""
