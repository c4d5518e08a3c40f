"""The whole configuration as one value, and what a reload may change of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationInfo, model_validator

from remediator.config.fields import FilePath, Listen, ListenText
from remediator.config.requests import RequestEntry, requests_of
from remediator.config.sections import (
    DEFAULTS,
    AccessEntry,
    ChannelEntry,
    CommandEntry,
    EngineEntry,
    GuardrailsEntry,
    LimitsEntry,
    ServiceEntry,
    SeverityEntry,
    TokensEntry,
)
from remediator.decide.policy import Policy
from remediator.model.command import CommandSpec, reference_problems
from remediator.model.duration import Duration
from remediator.model.request import RequestSpec
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Mode, Severity
from remediator.reading.fields import Name, Positive, Text
from remediator.reading.problems import Problem, did_you_mean
from remediator.reading.typed import Mistake, ReadAs, Strict, mistaken


def _services(written: dict[str, ServiceEntry], info: ValidationInfo) -> dict[str, Service]:
    engines = info.data.get("engines")
    services = {}
    mistakes = []
    for name, entry in written.items():
        given = "target" in entry.model_fields_set
        target = entry.target if given else Target(kind=TargetKind.COMPOSE_SERVICE, name=name)
        services[name] = Service(name=name, **{**dict(entry), "target": target})
        if engines is not None and target.kind is not TargetKind.NONE and target.engine not in engines:
            lacking = f"there is no engine `{target.engine}`"
            if given:
                message = f"{lacking} among the `engines`{did_you_mean(target.engine, engines)}"
                mistakes.append(Mistake(message, (name, "target", "engine")))
            else:
                message = (
                    f"the service `{name}` names no target, and {lacking} for the Compose service of that "
                    "name; has it no containers? write `target: none`"
                )
                mistakes.append(Mistake(message, (name,), on_key=True))
    mistakes += _dependencies(services)
    mistakes += _shared_targets(services, written, engines or {})
    if mistakes:
        raise mistaken(*mistakes)
    return services


def _shared_targets(
    services: Mapping[str, Service], written: Mapping[str, ServiceEntry], engines: Mapping[str, EngineEntry]
) -> Iterator[Mistake]:
    """Each service that is written for the very containers of another: they would not keep off each other."""
    holders: dict[tuple[object, ...], list[str]] = {}
    for name, service in services.items():
        target = service.target
        if target.kind is not TargetKind.NONE:
            # Two names of one engine are one engine.
            engine = engines[target.engine].host if target.engine in engines else target.engine
            holders.setdefault((engine, target.kind, target.name, target.project), []).append(name)
    for names in holders.values():
        for name in names if len(names) > 1 else ():
            others = " and ".join(f"`{other}`" for other in names if other != name)
            message = f"the service `{name}` has the same target as {others}; one target is one service"
            given = "target" in written[name].model_fields_set
            yield Mistake(message, (name, "target") if given else (name,), on_key=not given)


def _program(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv or not argv[0].startswith("/"):
        raise ValueError("expected the absolute path of a program first, as in [/usr/bin/docker, compose]")
    return argv


def _dependencies(services: Mapping[str, Service]) -> Iterator[Mistake]:
    for service in services.values():
        for index, needed in enumerate(service.depends_on):
            if needed not in services:
                message = f"there is no service `{needed}`{did_you_mean(needed, services)}"
                yield Mistake(message, (service.name, "depends_on", index))
    for circle in _circles(services):
        message = f"services depend on each other in a circle: {' -> '.join(circle)}"
        yield Mistake(message, (circle[0], "depends_on"))


def _circles(services: Mapping[str, Service]) -> Iterator[tuple[str, ...]]:
    """Each circle of dependencies once, from the member that is written first."""
    done: set[str] = set()
    for start in services:
        path = [start]
        waiting = [iter(services[start].depends_on)]
        while waiting:
            needed = next(waiting[-1], None)
            if needed is None:
                waiting.pop()
                done.add(path.pop())
            elif needed in path:
                yield (*path[path.index(needed) :], needed)
            elif needed in services and needed not in done:
                path.append(needed)
                waiting.append(iter(services[needed].depends_on))


def _commands(written: dict[str, CommandEntry], _: ValidationInfo) -> dict[str, CommandSpec]:
    commands = {}
    mistakes = []
    for name, entry in written.items():
        try:
            commands[name] = CommandSpec(name=name, **dict(entry))
        except ValueError as error:
            mistakes.append(Mistake(str(error), (name, "argv")))
    for name, key, message in reference_problems(commands):
        named = getattr(written[name], key)
        if named not in written:
            mistakes.append(Mistake(message + did_you_mean(named, written), (name, key)))
        elif named in commands:  # else that one's own mistake is told
            mistakes.append(Mistake(message, (name, key)))
    if mistakes:
        raise mistaken(*mistakes)
    return commands


def _engines() -> dict[str, EngineEntry]:
    return {"local": EngineEntry()}


class Config(Strict):
    """The configuration of the daemon."""

    LATER = frozenset({"classification", "version", "http", "email", "slack", "users"})

    listen: ListenText = Field(
        default=Listen("127.0.0.1", 9098),
        description="Where to listen: HOST:PORT. Beyond loopback only with tokens. Needs a restart.",
    )
    store: FilePath = Field(
        default="remediator.db",
        description="The database file. Needs a restart.",
        validate_default=True,
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged. Needs a restart."
    )
    rules: tuple[FilePath, ...] = Field(
        default=("rules",),
        description="Rule files, directories of them, and patterns such as `rules/*.yml`, in this order.",
        validate_default=True,
    )
    watch: bool = Field(
        default=True, description="Whether this file and the rules are read anew as soon as they change."
    )
    watch_interval: Positive = Field(
        default=timedelta(seconds=10),
        description="How often they are looked at, on file systems that do not tell of changes.",
    )
    mode: Mode = Field(
        default=Mode.AUTO, description="The most that any rule may do by itself. The strictest mode holds."
    )
    severities: dict[Severity, SeverityEntry] = Field(
        default_factory=dict,
        description="Mode and approval by severity. By default P0 needs the approval of one person.",
    )
    guardrails: GuardrailsEntry = Field(
        default_factory=GuardrailsEntry, description="Limits on each service."
    )
    alertmanagers: tuple[AccessEntry, ...] = Field(
        default=(),
        description="Every Alertmanager that may know of an alert: asked what fires. Needs a restart.",
    )
    receiver: Text | None = Field(
        default=None,
        description="Alertmanager's receiver that posts to the daemon. What the API shows of alerts that are "
        "routed to others only is left alone. Left out: all alerts are taken in.",
    )
    reconcile_interval: Positive = Field(
        default=timedelta(seconds=30), description="How often the Alertmanagers are asked for all alerts."
    )
    lost_after: Positive = Field(
        default=timedelta(hours=24),
        description="Without `alertmanagers`: an alert that no notification tells of for so long counts as "
        "lost, and its episode ends. Keep it above the `repeat_interval` of Alertmanager's route.",
    )
    alertmanager_settle: Duration = Field(
        default=timedelta(minutes=5),
        description="An Alertmanager that started less than this ago does not prove that an alert is over: "
        "Prometheus may not have told it yet. Needs a restart.",
    )
    prometheus: AccessEntry | None = Field(
        default=None,
        description="The Prometheus. No check and no action asks it yet: for now /-/ready tells whether it "
        "is there. Needs a restart.",
    )
    engines: dict[Name, EngineEntry] = Field(
        default_factory=_engines,
        description="The Docker Engines, by name; an empty mapping for none. Needs a restart.",
    )
    compose: Annotated[tuple[Text, ...], AfterValidator(_program)] = Field(
        default=("/usr/bin/docker", "compose"),
        description="How Docker Compose is started, for the actions that make containers: the absolute path "
        "of a program, and what it needs to hear first. Needs a restart.",
    )
    services: Annotated[dict[str, Service], ReadAs(dict[Name, ServiceEntry], _services)] = Field(
        default_factory=dict, description="The catalogue: what may be acted on, and whom it concerns."
    )
    commands: Annotated[dict[str, CommandSpec], ReadAs(dict[Name, CommandEntry], _commands)] = Field(
        default_factory=dict, description="Named commands, for rules and triage."
    )
    requests: Annotated[dict[str, RequestSpec], ReadAs(dict[Name, RequestEntry], requests_of)] = Field(
        default_factory=dict, description="Named HTTP requests, for rules and triage."
    )
    tokens: TokensEntry = Field(default_factory=TokensEntry, description="Who may call.")
    channels: dict[Name, ChannelEntry] = Field(
        default_factory=dict, description="Where messages to people go, by name."
    )
    pause_file: FilePath | None = Field(
        default=None,
        description="While this file exists nothing is begun: a kill switch that needs no daemon.",
    )
    limits: LimitsEntry = Field(
        default_factory=LimitsEntry, description="How much is taken in. Needs a restart."
    )
    drain: Duration = Field(
        default=timedelta(seconds=25),
        description="How long acts and requests under way may take to end when the daemon is stopped. Keep "
        "it below the time that whoever stops it allows (`docker stop --timeout`, TimeoutStopSec).",
    )
    verify_interval: Positive = Field(
        default=timedelta(seconds=2), description="Time between two looks at whether an act helped."
    )
    triage_timeout: Positive = Field(
        default=timedelta(seconds=10), description="For all looks before the first act together."
    )

    _warnings: tuple[Problem, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _guarded(self) -> "Config":
        if not self.listen.loopback and not (self.tokens.ingest and self.tokens.operators):
            message = (
                f"{self.listen} can be reached from other machines: give `tokens` for `ingest` and for "
                "`operators` first, or listen on 127.0.0.1"
            )
            raise mistaken(Mistake(message, ("listen",)))
        return self

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed, but perhaps not meant."""
        return self._warnings

    @property
    def policy(self) -> Policy:
        """What it says about deciding."""
        return Policy(
            mode=self.mode,
            severities={
                severity: replace(policy, **written.model_dump(exclude_none=True))
                if (written := self.severities.get(severity))
                else policy
                for severity, policy in DEFAULTS.severities.items()
            },
            channels=tuple(self.channels),
            **dict(self.guardrails),
        )

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret that was read, so that logs can be kept free of them."""
        servers = [*self.alertmanagers, *([self.prometheus] if self.prometheus else [])]
        held: list[SecretStr | None] = [
            *(entry.token for entry in (*self.tokens.ingest, *self.tokens.operators)),
            *(secret for server in servers for secret in (server.token, server.password)),
            *(secret for request in self.requests.values() for secret in request.conceal),
        ]
        for channel in self.channels.values():
            held += [channel.webhook.address, channel.webhook.secret]
        return frozenset(secret.get_secret_value() for secret in held if secret is not None)


RELOADABLE = frozenset(
    {"channels", "commands", "drain", "guardrails", "lost_after", "mode", "pause_file", "receiver"}
    | {"reconcile_interval", "requests", "rules", "services", "severities", "tokens", "triage_timeout"}
    | {"verify_interval", "watch", "watch_interval"}
)
"""Keys that a reload may change; every other one needs a restart."""


def restart_needed(old: Config, new: Config) -> list[str]:
    """The keys that differ and that a reload cannot change."""
    return [
        key for key in Config.model_fields if key not in RELOADABLE and getattr(old, key) != getattr(new, key)
    ]
