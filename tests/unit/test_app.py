"""The daemon put together in this process: what a start refuses, a reload changes, and a stop waits for."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog
import yaml

import remediator.logging
from remediator.app import Daemon, StartError, open_world
from remediator.clock import SystemClock
from remediator.config import load_config
from remediator.engine import watching
from tests.lab.wait import until
from tests.unit.config.given import secret
from tests.unit.world.stub import CERTIFICATE, raw, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from remediator.engine.face import RulesInForce

HASTE = {"drain": "500ms", "limits": {"body_timeout": "1h"}, "watch": False}


@pytest.fixture(autouse=True)
def _loggers_let_go(monkeypatch: pytest.MonkeyPatch, logging_restored: None) -> None:
    """The product's loggers keep what they first got; here they must not, for those who come after."""
    set_up = remediator.logging.set_up

    def set_up_for_now(**how: Any) -> remediator.logging.Redactor:
        redactor = set_up(**how)
        structlog.configure(cache_logger_on_first_use=False)
        return redactor

    monkeypatch.setattr(remediator.logging, "set_up", set_up_for_now)


class Files:
    """The files of a daemon without engines and Alertmanagers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "remediator.yml"
        (folder / "rules").mkdir()
        (folder / "rules" / "none.yml").write_text("groups: []\n")
        self.settings: dict[str, Any] = {
            "listen": "127.0.0.1:0",
            "engines": {},
            "tokens": {
                "ingest": [{"name": "am", "file": "tokens/ingest"}],
                "operators": [{"name": "alice", "file": "tokens/alice"}],
            },
        }
        for name in ("tokens/ingest", "tokens/alice"):
            secret(folder, name)

    def write(self, **changed: Any) -> Path:
        self.settings |= changed
        self.file.write_text(yaml.safe_dump(self.settings))
        return self.file

    def token(self, name: str) -> str:
        return (self.folder / "tokens" / name).read_text().strip()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.fixture
async def daemon(files: Files, logs: io.StringIO) -> AsyncIterator[Daemon]:
    daemon = Daemon(files.write(**HASTE))
    await daemon.start()
    yield daemon
    await daemon.stop()


async def ready(daemon: Daemon, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{daemon.port}/-/ready"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        told: dict[str, Any] = (await response.json())["checks"]
        return told


# ---- starting


async def test_what_is_wrong_with_the_files_is_why_it_does_not_start(files: Files) -> None:
    (files.folder / "ca.pem").write_text("nothing")
    daemon = Daemon(files.write(prometheus={"url": "https://prometheus", "ca_file": "ca.pem"}))
    with pytest.raises(StartError, match=r"remediator\.yml:\d+:\d+: .*ca\.pem holds no certificates; give"):
        await daemon.start()


async def test_certificates_that_vanish_after_they_were_read_are_a_clear_error(files: Files) -> None:
    unfit = files.folder / "ca.pem"
    unfit.write_bytes(CERTIFICATE.read_bytes())
    config = load_config(files.write(prometheus={"url": "https://prometheus", "ca_file": "ca.pem"}))
    unfit.write_text("nothing")
    with pytest.raises(StartError, match=r"ca\.pem is no file of certificates.*remediator check"):
        open_world(config, SystemClock(), "instance")


# ---- reloading


async def test_a_key_that_needs_a_restart_is_named_until_it_is_what_runs(
    files: Files, daemon: Daemon, logs: io.StringIO
) -> None:
    for level, times in (("debug", 1), ("debug", 2), ("info", 2)):
        files.write(log_level=level)
        await daemon.reload()
        assert logs.getvalue().count("a change of this key needs a restart") == times


async def test_a_token_that_was_rotated_counts_and_does_not_show(
    files: Files, daemon: Daemon, logs: io.StringIO
) -> None:
    before = files.token("alice")
    secret(files.folder, "tokens/alice", "another-0123456789")
    await daemon.reload()
    assert "detail" in (await ready(daemon, "another-0123456789"))["store"]
    assert "detail" not in (await ready(daemon, before))["store"]
    structlog.get_logger("x").warning(f"{before} another-0123456789")
    assert "*** ***" in logs.getvalue()


async def test_only_a_channel_that_changed_is_made_anew(files: Files, daemon: Daemon) -> None:
    def channel(name: str) -> dict[str, Any]:
        return {"webhook": {"url": f"http://127.0.0.1:1/{name}", "secret_file": "tokens/ingest"}}

    files.write(channels={"one": channel("a"), "two": channel("b")})
    await daemon.reload()
    before = daemon._engine.core.setup.channels
    files.write(channels={"one": channel("a"), "two": channel("c")})
    await daemon.reload()
    after = daemon._engine.core.setup.channels
    assert after["one"] is before["one"]
    assert after["two"] is not before["two"]


async def test_files_that_change_are_read_without_being_asked(
    files: Files, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.01)
    daemon = Daemon(files.write(**HASTE | {"watch": True}))
    await daemon.start()
    first = daemon._engine.desk.rules()
    rules = files.folder / "rules" / "none.yml"
    rules.write_text("groups: []  # nothing yet\n")
    now = await until(lambda: _newer(daemon, first))
    assert (now.loaded_by, now.version, now.refused) == ("watch", first.version, None)

    rules.write_text("groups: nothing\n")
    refused = (await until(lambda: daemon._engine.desk.rules().refused)).problems
    assert [problem.place for problem in refused] == [f"{rules}:1:9"]
    assert daemon._engine.desk.rules().loaded_at == now.loaded_at

    files.write(watch=False)
    rules.write_text("groups: []\n")
    last = await until(lambda: _newer(daemon, now))
    assert last.refused is None
    assert daemon._watching() is None
    await daemon.stop()


def _newer(daemon: Daemon, than: RulesInForce) -> RulesInForce | None:
    now = daemon._engine.desk.rules()
    return now if now.loaded_at != than.loaded_at else None


# ---- asking others


async def test_a_prometheus_is_said_to_be_there_or_not(files: Files) -> None:
    async with serving() as stub:
        daemon = Daemon(files.write(prometheus={"url": stub.url}, **HASTE))
        stub.on("GET /-/ready", raw(b"Prometheus is Ready."))
        await daemon.start()
        assert (await ready(daemon, files.token("alice")))["prometheus"] == {"ok": True, "detail": ""}
        await daemon.stop()
    daemon = Daemon(files.file)
    await daemon.start()
    told = (await ready(daemon, files.token("alice")))["prometheus"]
    assert not told["ok"]
    assert told["detail"].startswith(f"{stub.url}: ")
    await daemon.stop()


async def test_without_a_prometheus_none_is_needed(files: Files, daemon: Daemon) -> None:
    told = (await ready(daemon, files.token("alice")))["prometheus"]
    assert told == {"ok": True, "detail": "none is configured, so none is needed"}


# ---- stopping


async def stalled(files: Files, daemon: Daemon) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request under way whose body never comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    head = f"POST /api/v1/webhook HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {files.token('ingest')}\r\n"
    writer.write(f"{head}Content-Length: 9\r\n\r\n".encode())
    await writer.drain()
    await ready(daemon, files.token("alice"))  # by the time of this answer, that one has begun
    return reader, writer


async def test_a_request_that_never_ends_holds_up_no_stop(files: Files) -> None:
    daemon = Daemon(files.write(**HASTE))
    await daemon.start()
    reader, writer = await stalled(files, daemon)
    async with asyncio.timeout(5):  # the grace of such a request used to be ten seconds of its own
        await daemon.stop()
    assert await reader.read() == b""
    writer.close()


async def test_the_drain_is_the_one_that_was_read_last(files: Files) -> None:
    daemon = Daemon(files.write(**HASTE | {"drain": "1h"}))
    await daemon.start()
    files.write(drain="0s")
    await daemon.reload()
    _, writer = await stalled(files, daemon)
    async with asyncio.timeout(5):
        await daemon.stop()
    writer.close()
