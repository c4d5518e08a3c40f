"""The container images of the lab: public ones where a registry answers, else stand-ins (see standins.py).

Each image can be named by a variable instead: PYTHON_IMAGE, PROMETHEUS_IMAGE, ALERTMANAGER_IMAGE,
REDIS_IMAGE, SERVICE_IMAGE, REMEDIATOR_IMAGE.

    python -m tests.lab.images [--remediator]     prepare them and print VARIABLE=name lines
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from docker.errors import DockerException

from tests.lab import standins
from tests.lab.engine import Engine, ensure
from tests.lab.paths import ROOT, LabError, cache, filled, lock, say
from tests.lab.standins import build, has

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

PYTHON = "3.13"  # of the image; the wheels for it are fetched on the host
PUBLIC = {
    "python": "python:3.13-slim",
    "prometheus": "prom/prometheus:v2.53.3",
    "alertmanager": "prom/alertmanager:v0.28.1",
    "redis": "redis:7-alpine",
}


@dataclass(frozen=True)
class Images:
    """The names under which the engine knows the lab's images."""

    python: str
    prometheus: str
    alertmanager: str
    redis: str
    service: str

    def env(self) -> dict[str, str]:
        """As the variables of docker-compose.test.yml."""
        return {f"{name.upper()}_IMAGE": value for name, value in asdict(self).items()}


def prepare(engine: Engine) -> Images:
    """Have all images that do not contain the daemon. LabError when one cannot be had."""
    with _working(engine) as client:
        names = {name: _public_or_stand_in(client, name) for name in PUBLIC}
        service = os.environ.get("SERVICE_IMAGE") or _build_service(client, names["python"])
    return Images(service=service, **names)


def service(engine: Engine) -> str:
    """Have only the image of the service that can be broken, and what it is built on."""
    with _working(engine) as client:
        given = os.environ.get("SERVICE_IMAGE")
        return given or _build_service(client, _public_or_stand_in(client, "python"))


def remediator(engine: Engine, python: str) -> str:
    """Build the daemon's image from deploy/Dockerfile; beside a stand-in it gets wheels, not an index."""
    if os.environ.get("REMEDIATOR_IMAGE"):
        return os.environ["REMEDIATOR_IMAGE"]
    with _working(engine) as client, tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as context:
            for name in _tracked("deploy", "pyproject.toml", "README.md", "remediator", "rules", "*.lock"):
                context.add(ROOT / name, name)
            if python == standins.tag("python"):
                for wheel in sorted(wheels().glob("*")):
                    context.add(wheel, f"deploy/wheels/{wheel.name}")
        file.seek(0)
        return build(
            client,
            file,
            "remediator:lab",
            dockerfile="deploy/Dockerfile",
            buildargs={"PYTHON_IMAGE": python},
        )


@contextlib.contextmanager
def _working(engine: Engine) -> Iterator[DockerClient]:
    """A client to make images with, while nobody else on this machine does."""
    client = engine.client(timeout=600)
    try:
        with lock("images"):
            yield client
    except DockerException as error:
        raise LabError(f"the lab's images cannot be had: {error}") from error
    finally:
        client.close()


def wheels() -> Path:
    """The folder of wheels that the locks name for the image's Python, fetched by the host's pip."""
    locks = [ROOT / "requirements.lock", ROOT / "requirements-build.lock"]
    text = b"".join(file.read_bytes() for file in locks)
    target = cache() / "wheels" / f"{PYTHON}-{_digest(text)}"
    with lock("wheels"):
        if not target.is_dir():
            say(f"fetching the wheels for Python {PYTHON}")
            with filled(target) as work:
                _pip_download(locks, work)
    return target


def _pip_download(locks: list[Path], into: Path) -> None:
    for file in locks:
        argv = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        argv += ["--require-hashes", "--only-binary=:all:", f"--python-version={PYTHON}", "-d", str(into)]
        done = subprocess.run([*argv, "-r", str(file)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"the wheels of {file.name} cannot be fetched:\n{done.stderr.strip()}")


def _tracked(*patterns: str) -> list[str]:
    """The files under these paths as git sees them now, uncommitted ones included."""
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listing = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in set(listing.splitlines()) if (ROOT / name).is_file())


def _public_or_stand_in(client: DockerClient, name: str) -> str:
    given = os.environ.get(f"{name.upper()}_IMAGE")
    if given:
        return given
    public, stand_in = PUBLIC[name], standins.tag(name)
    if has(client, public):
        return public
    if has(client, stand_in):
        return stand_in
    if _registry_answers(client, public):
        say(f"pulling {public}")
        client.images.pull(public)
        return public
    say(f"no registry answers for {public}; putting a stand-in together")
    standins.BUILDERS[name](client, stand_in)
    return stand_in


def _registry_answers(client: DockerClient, name: str) -> bool:
    try:
        client.images.get_registry_data(name)
    except (DockerException, OSError):
        return False
    return True


def _build_service(client: DockerClient, python: str) -> str:
    folder = ROOT / "tests/lab/service"
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as context:
            for name in ("Dockerfile", "app.py"):
                context.add(folder / name, name)
        file.seek(0)
        return build(client, file, "remediator-lab/service:latest", buildargs={"PYTHON_IMAGE": python})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def main(argv: list[str]) -> int:
    """The command line told in the module's docstring."""
    try:
        engine = ensure()
        images = prepare(engine)
        env = images.env()
        if "--remediator" in argv:
            env["REMEDIATOR_IMAGE"] = remediator(engine, images.python)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    for name, value in env.items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
