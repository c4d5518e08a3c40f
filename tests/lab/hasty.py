"""The daemon with the product's long times made short, for tests that have to see them pass.

python -m tests.lab.hasty serve ...
python -m tests.lab.hasty after_intent serve ...     and it dies there, see tests.lab.crashing

What is shortened is only how long something is waited for, never what happens then.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from remediator.actions import command, http, restart
from remediator.cli import main as remediator
from remediator.decide import acting
from remediator.decide.guardrails import alert_state, paused
from remediator.engine import outbox, reconciler, runner
from remediator.world.docker import engine
from tests.lab import crashing

SHORT: tuple[tuple[Any, str, Any], ...] = (
    (restart, "MARGIN", timedelta(seconds=3)),
    (command, "MARGIN", timedelta(seconds=2)),
    (http, "MARGIN", timedelta(seconds=2)),
    (acting, "MARGIN", timedelta(seconds=1)),
    (acting, "UNREADABLE_RECHECK", timedelta(seconds=1)),
    (alert_state, "RECHECK", timedelta(seconds=1)),
    (paused, "FILE_RECHECK", timedelta(seconds=1)),
    (outbox, "FIRST_PAUSE", 0.5),
    (reconciler, "RETRY", timedelta(seconds=0.5)),
    (runner, "PROBE_PAUSE", 0.5),
    (engine, "ACT_SECONDS", 2.0),
)


def main() -> None:
    for module, name, value in SHORT:
        if type(getattr(module, name)) is not type(value):
            raise SystemExit(f"{module.__name__} has no such {name} any more")
        setattr(module, name, value)
    if sys.argv[1] in crashing.POINTS:
        crashing.main()
    else:
        remediator()


if __name__ == "__main__":
    main()
