"""Ask and use Docker Compose, for what only Compose knows: what its files mean, and how to make it so.

Where a project's files are is told by the labels of its containers. Everything is read from them anew,
as Compose itself would, and from no other environment than the files': what a person had in the
shell when the project was brought up shows as a difference, and is not guessed.

Compose hashes what it made a container of, and labels the container with it. `hashes` gives the same
hash for what the files say now, if it is asked about the whole configuration with all files read in;
asked directly, some versions leave out what comes from `env_file`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from remediator.model.command import CommandSpec
from remediator.model.words import Json, Reason
from remediator.model.world import TargetError, WorldError
from remediator.world.labels import COMPOSE_PROJECT
from remediator.world.output import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from remediator.world.base import CommandResult, Commands

CONFIG_FILES = "com.docker.compose.project.config_files"
WORKING_DIR = "com.docker.compose.project.working_dir"
ENVIRONMENT_FILE = "com.docker.compose.project.environment_file"

ASK_SECONDS = 30.0
"""For Compose to read a project; it asks nobody but the disk."""
LAST_SECONDS = 5.0
"""For its output to end once it was killed."""
UP_TIMEOUT = timedelta(minutes=10)
ANSWER_BYTES = 8_000_000
"""Longest configuration that is taken in."""
TOLD_CHARS = 500
"""Of what Compose complains about, as much as is shown."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeProject:
    """Where a project is written down. Make it with `project_of`, which checks all of it."""

    name: str
    engine: str
    directory: str
    files: tuple[str, ...]
    env_files: tuple[str, ...] = ()
    """Those that it was brought up with by `--env-file`; without one Compose takes `.env`."""


class Compose(Protocol):
    """Docker Compose. TargetError: what the files say is of no use; WorldError: nobody knows."""

    def project(self, labels: Mapping[str, str], engine: str) -> ComposeProject:
        """The project that a container is of, by its labels. TargetError if its files cannot be read."""

    async def config(self, project: ComposeProject) -> dict[str, Json]:
        """The project as Compose understands its files now, all variables and files filled in.

        Secrets may be in it, so it is for comparing, never for showing.
        """

    async def hashes(self, project: ComposeProject, config: Mapping[str, Json]) -> dict[str, str]:
        """The hash of each service of such a configuration, as Compose labels containers with it."""

    async def up(
        self,
        project: ComposeProject,
        service: str,
        *,
        scale: int,
        recreate: bool,
        attempt: int | None = None,
    ) -> CommandResult:
        """Let one service run with so many containers, without its dependencies, builds and pulls.

        With `recreate` all its containers are made anew, without it none that is there. Raises
        CommandNotStarted. Cancelling leaves it running if there is an attempt, as for `Commands.run`.
        """

    def argv(self, project: ComposeProject, service: str, *, scale: int, recreate: bool) -> tuple[str, ...]:
        """What `up` runs, for `Commands.end_survivors`."""


def project_of(labels: Mapping[str, str], engine: str) -> ComposeProject:
    """The project of a container by its labels.

    TargetError when Compose did not make it, or its files are nowhere that this daemon can read.
    """
    name = labels.get(COMPOSE_PROJECT, "")
    if not _NAME.fullmatch(name):
        wrong = "it was not made by Docker Compose, so nobody knows how to make it anew"
        raise TargetError(Reason.NOT_ALLOWED, wrong)
    directory = labels.get(WORKING_DIR, "")
    files = _paths(labels.get(CONFIG_FILES, ""))
    if not files or not directory:
        raise _no_files(name, "its containers do not tell where its files are")
    env_files = _paths(labels.get(ENVIRONMENT_FILE, ""))
    for path in (directory, *files, *env_files):
        _must_be_readable(name, path)
    return ComposeProject(name=name, engine=engine, directory=directory, files=files, env_files=env_files)


def _paths(listed: str) -> tuple[str, ...]:
    return tuple(path for path in listed.split(",") if path)


def _must_be_readable(name: str, path: str) -> None:
    """TargetError unless a path of a project is one that this daemon can read."""
    # What does not begin with a slash could be an option, or standard input.
    if not path.startswith("/"):
        raise _no_files(name, f"its containers name {path[:80]!r}, which is no absolute path")
    if not Path(path).exists():
        raise _no_files(name, f"there is no {path} where this daemon runs")
    if not os.access(path, os.R_OK):
        raise _no_files(name, f"{path} may not be read by this daemon")


def _no_files(name: str, why: str) -> TargetError:
    return TargetError(
        Reason.INVALID_PARAMS,
        f"the files of the Compose project {name} cannot be read: {why}; "
        "let this daemon see the project's directory under the same path (in a container: mount it there)",
    )


class ComposeCli:
    """The `docker compose` command, on this machine. Its face is `Compose`."""

    def __init__(
        self, command: Sequence[str], hosts: Mapping[str, str], commands: Commands, env: Mapping[str, str]
    ) -> None:
        """`command`: an absolute path and what makes it Compose. `hosts`: engine -> DOCKER_HOST.

        `env`: what else the command needs to work at all, such as HOME or DOCKER_CONFIG.
        """
        self._command = tuple(command)
        self._hosts = hosts
        self._commands = commands
        self._env = dict(env)

    def project(self, labels: Mapping[str, str], engine: str) -> ComposeProject:
        """See `Compose.project`."""
        return project_of(labels, engine)

    async def config(self, project: ComposeProject) -> dict[str, Json]:
        """See `Compose.config`."""
        for path in (project.directory, *project.files, *project.env_files):
            _must_be_readable(project.name, path)
        asked = (*self._words(project), "--profile", "*", "config", "--format", "json")
        told = await self._ask(project, asked)
        try:
            config = json.loads(told)
        except ValueError:
            raise WorldError(f"Compose told no JSON of the project {project.name}") from None
        if not isinstance(config, dict) or not isinstance(config.get("services"), dict):
            raise WorldError(f"Compose told of no services in the project {project.name}")
        return config

    async def hashes(self, project: ComposeProject, config: Mapping[str, Json]) -> dict[str, str]:
        """See `Compose.hashes`."""
        words = (*self._command, "--ansi", "never", "--project-name", project.name)
        words = (*words, "--project-directory", project.directory, "--file", "-", "--profile", "*")
        told = await self._ask(project, (*words, "config", "--hash", "*"), json.dumps(config).encode())
        lines = (line.split() for line in told.decode(errors="replace").splitlines())
        return {words[0]: words[1] for words in lines if len(words) == 2}

    async def up(
        self,
        project: ComposeProject,
        service: str,
        *,
        scale: int,
        recreate: bool,
        attempt: int | None = None,
    ) -> CommandResult:
        """See `Compose.up`."""
        argv = self.argv(project, service, scale=scale, recreate=recreate)
        spec = CommandSpec(
            name="compose-up", argv=(self._command[0],), timeout=UP_TIMEOUT, env=self._environment(project)
        )
        return await self._commands.run(spec, argv, attempt=attempt)

    def argv(self, project: ComposeProject, service: str, *, scale: int, recreate: bool) -> tuple[str, ...]:
        """See `Compose.argv`."""
        if not _NAME.fullmatch(service):
            raise TargetError(Reason.NO_TARGET, f"{service[:60]!r} cannot be the name of a Compose service")
        how = "--force-recreate" if recreate else "--no-recreate"
        up = ("up", "--detach", "--no-deps", "--no-build", "--pull", "never", how)
        return (*self._words(project), *up, "--scale", f"{service}={scale}", "--", service)

    def _words(self, project: ComposeProject) -> tuple[str, ...]:
        words = (*self._command, "--ansi", "never", "--project-name", project.name)
        words = (*words, "--project-directory", project.directory)
        return (*words, *_each("--env-file", project.env_files), *_each("--file", project.files))

    def _environment(self, project: ComposeProject) -> dict[str, str]:
        try:
            host = self._hosts[project.engine]
        except KeyError:
            wrong = f"Compose cannot be used on the engine {project.engine}: it is none, or uses TLS"
            raise TargetError(Reason.NOT_ALLOWED, wrong) from None
        return {**self._env, "DOCKER_HOST": host}

    async def _ask(self, project: ComposeProject, argv: Sequence[str], told: bytes = b"") -> bytes:
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **self._environment(project)}
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=env,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise WorldError(
                f"Docker Compose cannot be started: {argv[0]}: {error.strerror}; install it, "
                "or say in the configuration under `compose` how it is started"
            ) from None
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer, complaints = await _exchange(process, told)
                code = await process.wait()
        except TimeoutError:
            raise WorldError(f"Docker Compose said nothing within {ASK_SECONDS:g} s") from None
        finally:
            if process.returncode is None:
                _end(process)
                # Not wait(): while output waits that nobody reads, asyncio does not hear of the end.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_SECONDS):
                        await process.communicate()
        if max(len(answer), len(complaints)) > ANSWER_BYTES:
            raise WorldError(f"Docker Compose writes more than {ANSWER_BYTES} bytes")
        if code != 0:
            said = redact(complaints.decode(errors="replace")).strip()[-TOLD_CHARS:]
            wrong = f"Compose cannot read the project {project.name}: {said or f'exit code {code}'}"
            raise TargetError(Reason.INVALID_PARAMS, wrong)
        return answer


def _each(option: str, values: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (option, value))


async def _exchange(process: asyncio.subprocess.Process, told: bytes) -> tuple[bytes, bytes]:
    """Give it its input, and take all its output."""
    assert process.stdin and process.stdout and process.stderr  # noqa: S101 - for the type checker
    answer, complaints, _ = await asyncio.gather(
        _whole(process.stdout, process), _whole(process.stderr, process), _give(process.stdin, told)
    )
    return answer, complaints


async def _whole(stream: asyncio.StreamReader, process: asyncio.subprocess.Process) -> bytes:
    """All that is written. Whoever writes more than ANSWER_BYTES is ended, and the rest is dropped."""
    taken = bytearray()
    while piece := await stream.read(65_536):
        if len(taken) <= ANSWER_BYTES:
            taken += piece
            if len(taken) > ANSWER_BYTES:
                _end(process)
    return bytes(taken)


def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it, and all that it has started in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _give(stream: asyncio.StreamWriter, told: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        stream.write(told)
        await stream.drain()
        stream.close()
        await stream.wait_closed()
