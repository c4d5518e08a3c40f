"""Puts the daemon together from its configuration, and runs it until it is told to stop.

The only place that knows every part. A test can start the same daemon inside its own process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

from remediator import logging
from remediator.assembly import assemble
from remediator.channels.webhook import WebhookChannel
from remediator.clock import SystemClock
from remediator.config import Config, load_config, restart_needed
from remediator.engine.engine import Engine
from remediator.engine.reloading import SIGNAL, WATCH
from remediator.engine.watching import OnDisk, Watcher
from remediator.metrics import Metrics
from remediator.reading.files import stamps, undisturbed
from remediator.reading.problems import InputError
from remediator.store import Store, StoreError
from remediator.web.app import make_app, start_site, stop_site
from remediator.web.auth import Caller, Tokens
from remediator.web.front import Front
from remediator.world.alertmanager import AlertmanagerClients
from remediator.world.asking import Endpoint, basic, bearer
from remediator.world.base import World
from remediator.world.commands import NamedCommands
from remediator.world.compose import ComposeCli
from remediator.world.docker import DockerEngine
from remediator.world.host import LocalHost
from remediator.world.network import LocalNetwork
from remediator.world.own import own_container_id
from remediator.world.prometheus import PrometheusClient
from remediator.world.requests import NamedRequests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aiohttp import web

    from remediator.channels.base import Channel
    from remediator.clock import Clock
    from remediator.config.sections import AccessEntry, ChannelEntry, EngineEntry
    from remediator.engine.setup import Setup

log = structlog.get_logger(__name__)


class StartError(Exception):
    """The daemon cannot start as it is configured; the message says why and what to do."""


class Daemon:
    """The daemon in one process, from `start` to `stop`."""

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        """`path` is the configuration file. Nothing is read before `start`."""
        self._path = path
        self._clock = clock or SystemClock()
        self._channels: Mapping[str, tuple[ChannelEntry, Channel]] = {}
        self._disk = OnDisk(path)

    async def start(self) -> None:
        """Read everything, take the store, and listen. StartError says what is in the way."""
        try:
            setup = self._load()
        except InputError as error:
            raise StartError(str(error)) from None
        config, self._channels, self._disk.last_read = self._read
        self._config = self._began_with = config
        self._redactor = logging.set_up(level=config.log_level, secrets=config.secrets)
        for warning in config.warnings:
            log.warning("the configuration may not say what is meant", place=str(warning).splitlines()[0])
        try:
            limits = config.limits
            self._store = Store.open(
                str(config.store),
                self._clock,
                max_waiting=limits.max_waiting,
                max_waiting_bytes=limits.max_waiting_bytes,
            )
        except StoreError as error:
            raise StartError(str(error)) from None
        try:
            self._world = open_world(config, self._clock, self._store.identity)
            metrics = Metrics(version("remediator"))
            self._engine = Engine(
                store=self._store,
                world=self._world,
                clock=self._clock,
                metrics=metrics,
                setup=setup,
                load=self._load,
                in_force=self._in_force,
            )
            self._front = self._front_of(config, metrics)
            await self._engine.load()
            # A daemon that cannot be reached, to be stopped for instance, is not to act.
            self._site, self.port = await self._listen(config)
            await self._engine.begin()
            watcher = Watcher(self._disk, self._clock, seconds=self._watching, reload=self._reload_changed)
            self._watch = asyncio.create_task(self._engine.core.forever("watch", watcher.run), name="watch")
        except (StoreError, StartError) as error:
            with contextlib.suppress(StoreError):
                await self._store.close()
            raise StartError(str(error)) from None
        log.info("ready to take alerts", address=f"{config.listen.host}:{self.port}")

    async def reload(self, actor: str = SIGNAL) -> None:
        """Read rules and configuration anew; on a mistake the old ones stay, and the log says why."""
        try:
            await self._engine.reloading.reload(actor)
        except (InputError, StoreError):
            return  # the engine has told

    async def _reload_changed(self, patience: float) -> None:
        with contextlib.suppress(InputError, StoreError):  # the engine has told
            await self._engine.reloading.reload(WATCH, patience=patience)

    def _watching(self) -> float | None:
        return self._config.watch_interval.total_seconds() if self._config.watch else None

    async def stop(self) -> None:
        """Take nothing new, let acts finish, then requests under way, and put everything away.

        Acts and requests together are given `drain`.
        """
        grace = self._config.drain.total_seconds()
        end = self._clock.monotonic() + grace
        log.info("stopping", grace=grace)
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        await self._engine.stop(grace)
        await stop_site(self._site, max(0.0, end - self._clock.monotonic()))
        for _, channel in self._channels.values():
            await channel.close()
        await close_world(self._world)
        try:
            await self._store.close()
        except StoreError as error:
            log.error("the store could not be put away as it should", error=str(error))
        log.info("stopped")

    async def _listen(self, config: Config) -> tuple[web.AppRunner, int]:
        try:
            return await start_site(make_app(self._front), config.listen.host, config.listen.port)
        except OSError as error:
            # What asyncio says is long; of a name that cannot be resolved the number is below zero.
            number = error.errno or 0
            why = os.strerror(number).lower() if number > 0 else error.strerror or error
            raise StartError(
                f"cannot listen on {config.listen}: {why}; give `listen` an address and port that are free"
            ) from None

    def _front_of(self, config: Config, metrics: Metrics) -> Front:
        return Front(
            desk=self._engine.desk,
            tokens=_tokens(config),
            metrics=metrics,
            levels=self._engine.levels,
            clock=self._clock,
            version=version("remediator"),
            rules_version=lambda: self._engine.core.setup.rules.version,
            find_rule=lambda name: self._engine.core.setup.rules.find(name),
            max_body=config.limits.max_body,
            body_seconds=config.limits.body_timeout.total_seconds(),
        )

    def _load(self) -> Setup:
        """Read everything, as it was at one moment. Nothing of it counts before it is in force."""
        return undisturbed(self._path, lambda: stamps([self._path]), lambda _: self._load_once())

    def _load_once(self) -> Setup:
        content = self._disk.content()
        try:
            config = load_config(self._path)
            self._disk.rules = config.rules
            # Before they are read in earnest: what is written meanwhile is then seen to be newer.
            content = self._disk.content()
            return self._setup(config, content)
        except InputError:
            self._disk.last_read = content
            raise

    def _setup(self, config: Config, content: str) -> Setup:
        channels = self._channels_of(config)
        setup = assemble(config, channels={name: channel for name, (_, channel) in channels.items()})
        self._read = config, channels, content
        return setup

    def _in_force(self) -> None:
        """What was read last is in force now: everything outside of the engine follows."""
        self._config, self._channels, self._disk.last_read = self._read
        self._redactor.hide(self._config.secrets)
        for key in restart_needed(self._began_with, self._config):
            log.warning("a change of this key needs a restart", key=key)
        self._front.tokens = _tokens(self._config)
        self._world.commands.specs = self._config.commands
        self._world.requests.specs = self._config.requests

    def _channels_of(self, config: Config) -> dict[str, tuple[ChannelEntry, Channel]]:
        """One channel for each entry; those whose entry did not change keep their connections."""
        channels = {}
        for name, entry in config.channels.items():
            known = self._channels.get(name)
            hook = entry.webhook
            channels[name] = (
                known
                if known is not None and known[0] == entry
                else (
                    entry,
                    WebhookChannel(
                        hook.address.get_secret_value(),
                        hook.secret_bytes,
                        self._clock,
                        timeout=hook.timeout.total_seconds(),
                    ),
                )
            )
        return channels


async def run(path: Path) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reloads. Raises StartError."""
    loop = asyncio.get_running_loop()
    started, ended = asyncio.Event(), asyncio.Event()
    daemon = Daemon(path)
    reloads: set[asyncio.Task[None]] = set()

    async def reload_once_started() -> None:
        await started.wait()
        await daemon.reload(SIGNAL)

    def reload() -> None:
        task = loop.create_task(reload_once_started())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    # From the first moment on: what is not caught ends the process.
    loop.add_signal_handler(signal.SIGHUP, reload)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await daemon.start()
    started.set()
    await ended.wait()
    await daemon.stop()


def _tokens(config: Config) -> Tokens:
    ingest = [(entry, Caller("ingest", entry.name)) for entry in config.tokens.ingest]
    operators = [(entry, Caller("operator", entry.name)) for entry in config.tokens.operators]
    return Tokens((entry.token.get_secret_value(), caller) for entry, caller in ingest + operators)


def open_world(config: Config, clock: Clock, instance: str) -> World:
    """The clients for everything outside that is configured. They connect when they are first used.

    StartError if what the configuration names has become unfit since it was read.
    """
    servers = [endpoint(entry) for entry in config.alertmanagers]
    commands = NamedCommands(config.commands, clock, instance=instance)
    settle = config.alertmanager_settle
    try:
        return World(
            engines={name: _engine(name, entry, clock) for name, entry in config.engines.items()},
            alerts=AlertmanagerClients(servers, clock, settle=settle) if servers else None,
            prometheus=PrometheusClient(endpoint(config.prometheus), clock) if config.prometheus else None,
            commands=commands,
            requests=NamedRequests(config.requests, clock, instance=instance),
            clock=clock,
            host=LocalHost(clock),
            network=LocalNetwork(clock),
            own_container_id=own_container_id(),
            compose=_compose(config, commands),
        )
    except ValueError as error:
        raise StartError(f"{error}; `remediator check` tells what is wrong with the configuration") from None


async def close_world(world: World) -> None:
    """Let go of all connections."""
    for engine in world.engines.values():
        await engine.close()
    for client in (world.alerts, world.prometheus, world.requests, world.network):
        if client is not None:
            await client.close()


def _compose(config: Config, commands: NamedCommands) -> ComposeCli:
    # The command finds its plugins, and what it was set up with, by these.
    env = {name: os.environ[name] for name in ("HOME", "DOCKER_CONFIG") if name in os.environ}
    # Its certificates would have to lie in one folder, under names of its own.
    hosts = {
        name: entry.host for name, entry in config.engines.items() if not (entry.ca_file or entry.cert_file)
    }
    return ComposeCli(config.compose, hosts, commands, env)


def _engine(name: str, entry: EngineEntry, clock: Clock) -> DockerEngine:
    return DockerEngine(
        entry.host,
        clock,
        name=name,
        timeout=entry.timeout.total_seconds(),
        ca=str(entry.ca_file) if entry.ca_file else None,
        cert=str(entry.cert_file) if entry.cert_file else None,
        key=str(entry.key_file) if entry.key_file else None,
    )


def endpoint(entry: AccessEntry) -> Endpoint:
    """A server to ask, with its credentials as they were read with the configuration."""
    authorization = None
    if entry.token is not None:
        authorization = bearer(entry.token.get_secret_value)
    elif entry.username is not None and entry.password is not None:
        authorization = basic(entry.username, entry.password.get_secret_value)
    ca_file = str(entry.ca_file) if entry.ca_file else None
    return Endpoint(url=entry.url, authorization=authorization, ca_file=ca_file)
