"""The demo as a new user runs it, with and without what a machine may lack; it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.paths import ROOT
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.engine import Engine

BARE = ("--no-docker", "--no-prometheus")
SECONDS = 120
"""The demo promises to take less."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the demo puts everything; empty again at the end, and no process of it is left."""
    yield tmp_path
    assert not list(tmp_path.glob("remediator-demo-*"))
    assert not _processes(tmp_path)


def _start(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.lab.demo", *options],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _play(folder: Path, *options: str) -> str:
    """Run it to its end; what it told."""
    with _start(folder, *options) as process:
        try:
            told, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            raise
    assert process.returncode == 0, told
    return told


def _processes(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if f"{folder}/remediator-demo-".encode() in line:
            found.append(line.replace(b"\0", b" ").decode())
    return found


def _is_whole(told: str) -> None:
    """All of the story is there, in its order, and fits a terminal."""
    after = 0
    for word in (
        "ApplicationDown fires",
        "robo-rlhf-down matches",
        "guardrails allow it",
        "act       done",
        "succeeded",
        'remediator_remediations_total{outcome="succeeded"}',
        "HighErrorRate fires",
        "ask ",
        "Carry out this plan",
        "alice says yes",
        "act       done",
        "succeeded",
        "audit verify",
        "Where to look next",
    ):
        assert word in told[after:], f"{word!r} is missing or too early:\n{told}"
        after = told.index(word, after) + len(word)
    assert [line for line in told.splitlines() if len(line) > 80] == []


def test_with_containers_and_prometheus(docker_engine: Engine, folder: Path) -> None:
    told = _play(folder, "--yes")
    assert "a container of Docker Engine" in told
    assert told.count("real, at") == 2
    _is_whole(told)
    client = docker_engine.client()
    try:
        name = next(word for word in told.split() if word.startswith("robo-rlhf-") and len(word) == 18)
        assert not client.containers.list(all=True, filters={"name": name})
    finally:
        client.close()


def test_without_either(folder: Path) -> None:
    told = _play(folder, "--yes", *BARE)
    assert "a local process" in told
    assert "a stand-in" in told
    _is_whole(told)


def test_can_be_stopped(folder: Path) -> None:
    with _start(folder, "--yes", *BARE) as process:
        until_sync(lambda: any("remediator serve" in line for line in _processes(folder)), 60, "the daemon")
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Everything that was started is ended" in told


def test_asks_nobody_who_is_not_there(folder: Path) -> None:
    with _start(folder, *BARE) as process:
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--yes" in told
