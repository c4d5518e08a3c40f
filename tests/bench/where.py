"""Where the time goes: the same work once more, smaller, with the daemon under the profiler."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

from tests.bench.acts import Effects
from tests.bench.alerts import Kind
from tests.bench.daemon import Setting, daemon
from tests.bench.processes import load
from tests.bench.report import profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALERTS = 4_000
ACTS = 500


def acknowledging(folder: Path) -> Iterator[str]:
    """The shares of new alerts, one a body, until none waits."""
    out = folder / "profile.json"
    setting = Setting(folder, services=0)
    with daemon(setting, profile=out) as subject:
        os.kill(subject.pid, signal.SIGUSR1)
        load(subject, setting.token_file, Kind.UNMATCHED, connections=32, requests=ALERTS, alerts=1)
        subject.drained()
    yield from profile("New alerts, one a body", json.loads(out.read_text()), ALERTS)


def acting(folder: Path) -> Iterator[str]:
    """The shares of acts at once."""
    out = folder / "profile.json"
    effects = Effects(folder)
    try:
        setting = Setting(folder, services=ACTS, program=effects.program)
        with daemon(setting, profile=out) as subject:
            os.kill(subject.pid, signal.SIGUSR1)
            load(subject, setting.token_file, Kind.COMMAND, connections=1, requests=1, alerts=ACTS)
            effects.collect(ACTS, 60)
            subject.wait_for("remediator_act_seconds_count", ACTS)
    finally:
        effects.close()
    yield from profile("Acts at once", json.loads(out.read_text()), ACTS)
