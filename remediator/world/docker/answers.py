"""What an engine tells of containers, services and events, checked and put into our words.

Whatever is missing or of the wrong type makes the whole answer unreadable: a half-read container
could look healthy, or stopped, when it is not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.alias_generators import to_pascal

from remediator.model.alert import Instant
from remediator.model.world import Container, SwarmService, WorldError
from remediator.world.base import EngineEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remediator.model.words import Json

DEFAULT_STOP_TIMEOUT = 10
NEVER_KILLED = 600
"""Seconds taken for a container that is never to be killed (`--stop-timeout -1`)."""
DEFAULT_MONITOR = timedelta(seconds=5)
"""How long Swarm watches a replaced task where the service does not say."""

_BEFORE_ANY_ENGINE = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000


def _parsed(value: object) -> object:
    # Of Go's nanoseconds this keeps microseconds. The year 1 is Go's "never".
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Moment = Annotated[Instant, BeforeValidator(_parsed)]
Labels = dict[str, str] | None


class Told(BaseModel):
    """Part of an answer. Fields are named as the engine names them; the rest is ignored."""

    model_config = ConfigDict(
        alias_generator=to_pascal, populate_by_name=True, extra="ignore", strict=True, frozen=True
    )


class _Health(Told):
    status: str


class _State(Told):
    status: str
    running: bool
    exit_code: int
    oom_killed: bool = Field(alias="OOMKilled", default=False)
    started_at: Moment
    finished_at: Moment
    health: _Health | None = None


class _ContainerConfig(Told):
    image: str = ""
    labels: Labels = None
    stop_timeout: int | None = None
    tty: bool = False


class _RestartPolicy(Told):
    name: str = ""


class _HostConfig(Told):
    restart_policy: _RestartPolicy = _RestartPolicy()


class _Inspected(Told):
    id: str = Field(pattern=r"^[0-9a-f]{64}$")
    name: str
    image: str = ""
    created: Moment
    restart_count: int = 0
    state: _State
    config: _ContainerConfig
    host_config: _HostConfig = _HostConfig()


def container_of(told: Json) -> Container:
    """A container from its inspection. Raises WorldError."""
    seen = read(_Inspected, told, "a container")
    state = seen.state
    stop_timeout = seen.config.stop_timeout
    if stop_timeout is None:
        stop_timeout = DEFAULT_STOP_TIMEOUT
    health = state.health.status if state.health is not None else None
    over = not state.running and state.status not in ("created", "running")
    return Container(
        id=seen.id,
        name=seen.name.removeprefix("/"),
        image=seen.config.image,
        image_id=seen.image,
        labels=seen.config.labels or {},
        running=state.running,
        status=state.status,
        health=None if health in (None, "", "none") else health,
        exit_code=state.exit_code if over else None,
        oom_killed=state.oom_killed,
        created_at=seen.created,
        started_at=if_ever(state.started_at),
        finished_at=if_ever(state.finished_at),
        restart_count=seen.restart_count,
        restart_policy=seen.host_config.restart_policy.name or "no",
        stop_timeout=stop_timeout if stop_timeout >= 0 else NEVER_KILLED,
    )


def has_tty(told: Json) -> bool:
    """True if the container writes to a terminal: its logs are then not split into two streams."""
    return read(_Inspected, told, "a container").config.tty


class _Listed(Told):
    id: str = Field(min_length=12)


def ids_of(told: Json) -> list[str]:
    """The ids in a list of containers or tasks. Raises WorldError."""
    return [read(_Listed, entry, "a list of containers").id for entry in _list(told, "a list of containers")]


class _Version(Told):
    index: int


class _Replicated(Told):
    replicas: int = 1


class _ServiceMode(Told):
    replicated: _Replicated | None = None
    global_: dict[str, object] | None = Field(alias="Global", default=None)


class _ContainerSpec(Told):
    stop_grace_period: int | None = None


class _TaskTemplate(Told):
    container_spec: _ContainerSpec | None = None
    force_update: int = 0


class _UpdateConfig(Told):
    parallelism: int = 0
    delay: int = 0
    monitor: int = 0


class _ServiceSpec(Told):
    name: str
    labels: Labels = None
    task_template: _TaskTemplate
    mode: _ServiceMode
    update_config: _UpdateConfig | None = None


class _UpdateStatus(Told):
    state: str = ""
    message: str = ""


class _Service(Told):
    id: str = Field(alias="ID", min_length=1)
    version: _Version
    created_at: Moment
    updated_at: Moment
    spec: _ServiceSpec
    update_status: _UpdateStatus | None = None


class _TaskStatus(Told):
    timestamp: Moment
    state: str


class _Task(Told):
    status: _TaskStatus
    desired_state: str
    spec: dict[str, object]


def service_of(told: Json, tasks: Json) -> SwarmService:
    """A Swarm service from its inspection and the list of its tasks. Raises WorldError."""
    seen = read(_Service, told, "a Swarm service")
    all_tasks = [read(_Task, entry, "a Swarm task") for entry in _list(tasks, "a list of Swarm tasks")]
    wanted = [task for task in all_tasks if task.desired_state == "running"]
    present = _compared(told["Spec"]["TaskTemplate"])
    running = [task for task in wanted if task.status.state == "running" and _compared(task.spec) == present]
    spec, status = seen.spec, seen.update_status
    # A service without update settings gets Swarm's own: one task after the other.
    update = spec.update_config or _UpdateConfig(parallelism=1)
    grace = spec.task_template.container_spec.stop_grace_period if spec.task_template.container_spec else None
    return SwarmService(
        id=seen.id,
        name=spec.name,
        version=seen.version.index,
        labels=spec.labels or {},
        created_at=seen.created_at,
        updated_at=seen.updated_at,
        replicas=_replicas(spec, len(wanted)),
        running=len(running),
        update_state=status.state or None if status else None,
        force_update=spec.task_template.force_update,
        running_since=max((task.status.timestamp for task in running), default=None),
        update_message=status.message if status else "",
        stop_timeout=DEFAULT_STOP_TIMEOUT if grace is None else -(-grace // _SECOND),
        update_parallelism=update.parallelism,
        update_pause=max(
            update.delay / _SECOND, (update.monitor / _SECOND) or DEFAULT_MONITOR.total_seconds()
        ),
        everywhere=spec.mode.replicated is None,
    )


def _replicas(spec: _ServiceSpec, wanted: int) -> int:
    if spec.mode.replicated is not None:
        return spec.mode.replicated.replicas
    if spec.mode.global_ is not None:
        return wanted  # one for each node that it fits on, which only Swarm knows
    raise WorldError(f"the Swarm service {spec.name} is a job, which runs once; it has no replicas to keep")


def _compared(task_spec: object) -> object:
    """What makes Swarm replace a task when it changes: all but its placement."""
    if not isinstance(task_spec, dict):
        return task_spec
    # The runtime is told of services only.
    return _without_empty({k: v for k, v in task_spec.items() if k not in ("Placement", "Runtime")})


def _without_empty(value: object) -> object:
    """Nothing, said in different ways by the service and its tasks, is left out."""
    if isinstance(value, dict):
        cleaned = {key: _without_empty(each) for key, each in value.items()}
        return {key: each for key, each in cleaned.items() if each not in (None, "", [], {})}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value


class _Actor(Told):
    id: str = Field(alias="ID")
    attributes: Labels = None


class _Event(Told):
    type: str
    action: str
    actor: _Actor
    time_nano: int = Field(alias="timeNano", gt=0)


ACTIONS = (
    "create", "start", "restart", "stop", "kill", "die", "oom", "pause", "unpause", "destroy", "rename",
    "update", "remove",
)  # fmt: skip
"""What is kept of an engine's history. Health checks alone make three other events each time."""

Kind = Literal["container", "service"]
KINDS: tuple[Kind, ...] = ("container", "service")


def event_of(told: Json) -> tuple[int, EngineEvent | None]:
    """When it happened in nanoseconds, and the event; None if it is of a kind that is not kept."""
    seen = read(_Event, told, "an event")
    for kind in KINDS:
        if seen.type == kind and seen.action in ACTIONS:
            return seen.time_nano, EngineEvent(
                at=at_nanoseconds(seen.time_nano),
                kind=kind,
                action=seen.action,
                object_id=seen.actor.id,
                attributes=seen.actor.attributes or {},
            )
    return seen.time_nano, None


class _Swarm(Told):
    local_node_state: str = ""


class _Info(Told):
    server_version: str
    system_time: Moment
    live_restore_enabled: bool = True
    swarm: _Swarm = _Swarm()


class Info(BaseModel):
    """What an engine tells of itself."""

    server_version: str
    system_time: datetime
    live_restore: bool
    """Containers outlive the engine, and so does what else shows when it started."""
    in_swarm: bool


def info_of(told: Json) -> Info:
    """From the answer to /info. Raises WorldError."""
    seen = read(_Info, told, "the engine's description")
    return Info(
        server_version=seen.server_version,
        system_time=seen.system_time,
        live_restore=seen.live_restore_enabled,
        in_swarm=seen.swarm.local_node_state not in ("", "inactive"),
    )


class _Network(Told):
    created: Moment


def created_of(told: Json) -> datetime:
    """When a network was made. Raises WorldError."""
    return read(_Network, told, "a network").created


def at_nanoseconds(nanoseconds: int) -> datetime:
    """A moment from nanoseconds since 1970, cut to microseconds."""
    return _BEFORE_ANY_ENGINE + timedelta(microseconds=nanoseconds // 1000)


M = TypeVar("M", bound=BaseModel)


def read(model: type[M], told: object, what: str) -> M:
    """What was told, as `model`. WorldError names the first place that does not fit."""
    try:
        return model.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise WorldError(f"{what} cannot be read from the engine's answer: {place}: {first['msg']}") from None


def _list(told: object, what: str) -> Sequence[object]:
    if not isinstance(told, list):
        raise WorldError(f"{what} cannot be read from the engine's answer: it is no list")
    return told


def if_ever(moment: datetime) -> datetime | None:
    """The moment; None for Go's "never"."""
    return moment if moment > _BEFORE_ANY_ENGINE else None
