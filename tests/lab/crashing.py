"""The daemon that dies by itself at one point, as a machine does that loses power.

python -m tests.lab.crashing after_intent serve ...   the intent is committed, the act has not begun
python -m tests.lab.crashing after_apply serve ...    the act is done, its record is not written

An action is applied right after the commit of the intent, and recorded right after it returns, so both points
are had by wrapping the actions; the daemon itself knows nothing of it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from remediator.actions.command import Command
from remediator.actions.http import Http
from remediator.actions.restart import Restart
from remediator.cli import main as remediator

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


POINTS = ("after_intent", "after_apply")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _crashing(apply: Callable[..., Awaitable[Any]], point: str) -> Callable[..., Awaitable[Any]]:
    async def crashing(*args: Any) -> Any:
        if point == "after_intent":
            _die()
        await apply(*args)
        _die()

    return crashing


def main() -> None:
    point = sys.argv.pop(1)
    if point not in POINTS:
        raise SystemExit(__doc__)
    for action in (Command, Http, Restart):
        action.apply = _crashing(action.apply, point)  # type: ignore[method-assign]
    remediator()


if __name__ == "__main__":
    main()
