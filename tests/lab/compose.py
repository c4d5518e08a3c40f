"""Run Docker Compose v2 without leaving anything in the user's home.

The user's own ``docker compose`` is taken where it works. Elsewhere the packaged plugin is offered to the
docker command through a configuration folder of the lab's own.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from tests.lab import packages
from tests.lab.paths import ROOT, LabError, cache

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.lab.engine import Engine

FILE = ROOT / "docker-compose.test.yml"


@functools.cache
def command() -> tuple[tuple[str, ...], dict[str, str]]:
    """The words that start Compose, and the variables that they need."""
    docker = shutil.which("docker")
    if docker and _works([docker, "compose", "version"], {}):
        return (docker, "compose"), {}
    plugin = packages.compose_plugin()
    if docker is None:
        return (str(plugin),), {}  # the plugin also runs by itself
    plugins = cache() / "docker-config" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    link = plugins / "docker-compose"
    if not link.is_symlink() or link.readlink() != plugin:
        fresh = plugins / f".docker-compose.{os.getpid()}"
        fresh.symlink_to(plugin)
        fresh.replace(link)
    return (docker, "compose"), {"DOCKER_CONFIG": str(plugins.parent)}


def environment(engine: Engine) -> dict[str, str]:
    """What a process needs in its environment for ``docker compose`` to work on *engine*."""
    return {"DOCKER_HOST": engine.host, **command()[1]}


class Compose:
    """One project of Compose."""

    def __init__(
        self,
        engine: Engine,
        project: str,
        file: Path = FILE,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.engine = engine
        self.project = project
        self.file = file
        self.env = dict(env or {})

    def run(self, *args: str, timeout: float = 300) -> str:
        """Run one subcommand and give its output; LabError tells what it said when it fails."""
        words, variables = command()
        argv = [*words, "--project-name", self.project, "--file", str(self.file), *args]
        env = {**os.environ, **variables, "DOCKER_HOST": self.engine.host, **self.env}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise LabError(
                f"docker compose {' '.join(args)} failed ({done.returncode}):\n{done.stderr[-4000:]}"
            )
        return done.stdout

    def up(self, *services: str, seconds: int = 120) -> None:
        """Start the services (all by default) and wait until each is healthy (without a check: runs)."""
        self.run("up", "--detach", "--no-build", "--wait", f"--wait-timeout={seconds}", *services)

    def down(self) -> None:
        """Remove the project's containers, networks and volumes."""
        self.run("down", "--volumes", "--remove-orphans", "--timeout=10")

    def ps(self) -> list[dict[str, Any]]:
        """The project's containers, stopped ones included."""
        lines = self.run("ps", "--all", "--format=json").splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def config(self) -> dict[str, Any]:
        """The file as Compose understands it."""
        found: dict[str, Any] = json.loads(self.run("config", "--format=json"))
        return found

    def container(self, service: str) -> str:
        """The id of the one container of a service."""
        return self.run("ps", "--all", "--quiet", service).strip()


def _works(argv: list[str], env: dict[str, str]) -> bool:
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, check=False)
    return done.returncode == 0
