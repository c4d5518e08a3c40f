"""The lab as pytest fixtures. What is missing skips a test with a plain reason; in CI it is an error.

docker_engine       the Docker Engine, started for the session where that is allowed
swarm               the same engine, managing a Swarm of one node
lab_images          names of the lab's images, made when they are not there
service_image       the one of the service that can be broken
lab_version         "old" and "new": a test that uses it, or one of the next three, runs with both
programs            Prometheus and Alertmanager of that version
start_alertmanager  factory: start_alertmanager(webhook=..., token_file=..., ...) -> Alertmanager
start_prometheus    factory: start_prometheus(targets=..., rules=..., alertmanagers=[...]) -> Prometheus
start_service       factory: start_service(labels=..., ...) -> ServiceContainer
start_daemon        factory: start_daemon(rules=..., services=..., alertmanagers=[...], engine=...) -> Daemon
sink                a webhook receiver that remembers
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest

from tests.lab import engine, images, packages
from tests.lab import swarm as swarms
from tests.lab.alertmanager import Alertmanager
from tests.lab.container import ServiceContainer
from tests.lab.daemon import Daemon
from tests.lab.paths import LabError, in_ci
from tests.lab.process import Server
from tests.lab.prometheus import Prometheus
from tests.lab.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.engine import Engine
    from tests.lab.images import Images
    from tests.lab.packages import Programs, Version

S = TypeVar("S", bound=Server)


def unavailable(error: Exception) -> NoReturn:
    """A part of the lab cannot be had: an error in CI, elsewhere a skip."""
    if in_ci():
        raise error
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(engine.running())
        except LabError as error:
            unavailable(error)
        with pytest.MonkeyPatch.context() as patch:
            if found.host != engine.DEFAULT_HOST:
                patch.setitem(os.environ, "DOCKER_HOST", found.host)
            yield found


@pytest.fixture(scope="session")
def swarm(docker_engine: Engine) -> Iterator[Engine]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(swarms.running(docker_engine))
        except LabError as error:
            unavailable(error)
        yield docker_engine


@pytest.fixture(scope="session")
def lab_images(docker_engine: Engine) -> Images:
    try:
        return images.prepare(docker_engine)
    except LabError as error:
        unavailable(error)


@pytest.fixture(scope="session")
def service_image(lab_images: Images) -> str:
    return lab_images.service


@pytest.fixture(scope="session", params=packages.VERSIONS)
def lab_version(request: pytest.FixtureRequest) -> Version:
    version: Version = request.param
    return version


@pytest.fixture(scope="session")
def programs(lab_version: Version) -> Programs:
    try:
        return packages.programs(lab_version)
    except LabError as error:
        unavailable(error)


@pytest.fixture
def start_alertmanager(programs: Programs, tmp_path: Path) -> Iterator[Callable[..., Alertmanager]]:
    with contextlib.ExitStack() as stack:
        count = iter(range(100))

        def start(*args: Any, **options: Any) -> Alertmanager:
            server = Alertmanager(programs, tmp_path / f"alertmanager-{next(count)}", *args, **options)
            return _started(stack, server)

        yield start


@pytest.fixture
def start_prometheus(programs: Programs, tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    with contextlib.ExitStack() as stack:
        count = iter(range(100))

        def start(**options: Any) -> Prometheus:
            server = Prometheus(programs, tmp_path / f"prometheus-{next(count)}", **options)
            return _started(stack, server)

        yield start


@pytest.fixture
def start_service(docker_engine: Engine, service_image: str) -> Iterator[Callable[..., ServiceContainer]]:
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> ServiceContainer:
            container = ServiceContainer(docker_engine, service_image, **options)
            stack.callback(container.remove)
            return container.start()

        yield start


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    with contextlib.ExitStack() as stack:
        count = iter(range(100))

        def start(**options: Any) -> Daemon:
            return _started(stack, Daemon(tmp_path / f"daemon-{next(count)}", **options))

        yield start


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as started:
        yield started


def _started(stack: contextlib.ExitStack, server: S) -> S:
    """Start it now; at the end stop it and print its log, which pytest shows when the test failed."""

    def finish() -> None:
        server.stop()
        print(f"--- {server.name} at {server.url}\n{server.tail()}")

    stack.callback(finish)
    return server.start()
