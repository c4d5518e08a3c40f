"""`remediator audit verify` on what a daemon really left behind, and after somebody has been at it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.integration.small import APP, command, fire, resolve, rule, rules
from tests.lab.daemon import Daemon
from tests.lab.program import Program
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.daemon import Form

MARK = b"an-exercise-4711"


class Left:
    """The store of a daemon that is no longer there, and an older copy of it."""

    def __init__(self, daemon: Daemon, older: Path, paused: Form) -> None:
        self.daemon = daemon
        self.older = older
        self.paused = paused
        """The event that holds MARK."""

    def copy(self, folder: Path) -> Path:
        """A copy to be spoilt, with its file of seals."""
        folder.mkdir()
        for suffix in ("", ".seals"):
            shutil.copy(f"{self.daemon.store}{suffix}", folder / f"remediator.db{suffix}")
        return folder / "remediator.db"

    def verify(self, store: Path) -> tuple[int, str]:
        """The exit code of the audit, and the first thing that it found wrong."""
        done = self.daemon.cli("audit", "verify", str(store), "-o", "json")
        return done.returncode, str(json.loads(done.stdout)["problem"])


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """A run that was mended, one that was approved after a SIGKILL, and a pause."""
    folder = tmp_path_factory.mktemp("audited")
    mend = Program(folder)
    grave = rule("grave", command("mend"), alertname="Grave") | {"severity": "P0"}
    daemon = Daemon(
        folder / "daemon",
        rules=rules(rule("broken", command("mend")), grave),
        services=APP,
        commands={"mend": mend.command()},
    )
    with daemon:
        fire(daemon)
        daemon.wait_run(status="verifying")
        resolve(daemon)
        daemon.wait_finished(outcome="succeeded")
        assert daemon.audit().returncode == 0, "also beside a daemon at work"
    older = folder / "older.db"
    shutil.copy(daemon.store, older)
    with daemon:
        fire(daemon, "Grave")
        asked = daemon.wait_approval()
        daemon.restart(kill=True)
        assert daemon.audit().returncode == 0, "a kill is no damage"
        fire(daemon, "Grave")  # without an API, what was told before the start has to be told again
        daemon.approve(asked["id"], reason="go on")
        daemon.wait_run(rule="grave", status="verifying")
        resolve(daemon, "Grave")
        until_sync(lambda: len(daemon.runs(status="finished")) == 2, 30, "the second run")
        daemon.pause(MARK.decode())
        daemon.resume()
        paused = daemon.wait_event("pause.on")
    return Left(daemon, older, paused)


def test_what_a_daemon_leaves_is_whole(left: Left) -> None:
    done = left.daemon.cli("audit", "verify", str(left.daemon.store), "-o", "json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert report["counts"]["chains"] == 3
    assert report["counts"]["unsealed"] == 0
    assert report["counts"]["notifications"] == 5


def test_one_byte_of_one_event_names_the_event(left: Left, tmp_path: Path) -> None:
    store = left.copy(tmp_path / "copy")
    data = store.read_bytes()
    assert MARK in data
    store.write_bytes(data.replace(MARK, MARK.replace(b"7", b"8")))

    code, told = left.verify(store)
    assert code == 1
    event = left.paused
    assert f"chain system, event {event['number']} (seq {event['seq']}): hash does not fit" in told


def test_one_row_of_state_names_the_row(left: Left, tmp_path: Path) -> None:
    store = left.copy(tmp_path / "copy")
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE runs SET outcome = 'failed' WHERE id = 2")
    connection.close()

    code, told = left.verify(store)
    assert code == 1
    assert "runs id=2: column outcome is 'failed', the record says 'succeeded'" in told


def test_a_tail_that_was_cut_off_shows(left: Left, tmp_path: Path) -> None:
    """The whole database is put back to a moment when all of it was in order; its seals tell."""
    store = left.copy(tmp_path / "copy")
    shutil.copy(left.older, store)

    code, told = left.verify(store)
    assert code == 1
    assert f"is in the file {store}.seals and not in the database: its tail was cut" in told
