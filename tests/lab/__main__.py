"""The lab's command line, as the Makefile uses it.

python -m tests.lab up              an engine, all images, tokens and .lab/compose.env; leaves it running
python -m tests.lab down            remove the lab's containers; stop the engine, if the lab started it
python -m tests.lab run COMMAND...  the same as up for the length of a command
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.lab import engine, images, packages, tokens
from tests.lab.compose import Compose, environment
from tests.lab.paths import CHECKOUT, LabError, in_ci, say

if TYPE_CHECKING:
    from tests.lab.engine import Engine

PROJECT = "remediator-lab"


def fill(found: Engine) -> dict[str, str]:
    """Prepare everything on *found*, and write down the variables that docker-compose.test.yml takes."""
    for version in packages.VERSIONS:
        packages.programs(version)
    ready = images.prepare(found)
    tokens.ensure()
    env = {**ready.env(), "REMEDIATOR_IMAGE": images.remediator(found, ready.python)}
    if found.socket is not None:
        env |= {"DOCKER_SOCKET": str(found.socket), "DOCKER_GID": str(found.socket.stat().st_gid)}
    (CHECKOUT / "compose.env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    return env


def up() -> int:
    """Start what is missing and say how to go on."""
    os.environ.setdefault("REMEDIATOR_LAB_ENGINE", "start")
    began = time.monotonic()
    found = engine.ensure()
    fill(found)
    say(f"ready after {time.monotonic() - began:.0f} s, on {found.host} (Docker {found.version})")
    variables = "".join(f"{name}={value} " for name, value in environment(found).items())
    print(f"{variables}docker compose --env-file .lab/compose.env -f docker-compose.test.yml up --wait")
    return 0


def down() -> int:
    """Undo up(); the images stay in the cache."""
    found = engine.find()
    if found is None:
        return 0
    Compose(found, PROJECT).down()
    if engine.stop():
        say("the Docker Engine that the lab started is stopped")
    return 0


def run(command: list[str]) -> int:
    """Run a command with the lab around it. Without an engine it runs all the same, except in CI."""
    began = time.monotonic()
    try:
        with engine.running() as found:
            fill(found)
            say(f"ready after {time.monotonic() - began:.0f} s")
            return subprocess.run(command, check=False).returncode
    except LabError as error:
        if in_ci():
            raise
        say(f"not whole, what needs it is skipped: {error}")
        return subprocess.run(command, check=False).returncode


def main(argv: list[str]) -> int:
    """The command line told in the module's docstring."""
    try:
        match argv:
            case ["up"]:
                return up()
            case ["down"]:
                return down()
            case ["run", *command] if command:
                return run(command)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
