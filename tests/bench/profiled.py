"""The daemon under cProfile, one profile per thread, on each thread's own processor time.

Run as `python -m tests.bench.profiled OUT serve --config FILE`; OUT gets the profile when it ends. SIGUSR1
begins it on the main thread, so that the start stays out of it. The profiler makes everything slower, small
functions most, so only the shares mean something.
"""

from __future__ import annotations

import cProfile
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

_profiles: list[tuple[str, cProfile.Profile]] = []


def _begin(*_: object) -> None:
    """Profile the thread that calls this."""
    sys.setprofile(None)
    profile = cProfile.Profile(timer=time.thread_time)
    try:
        profile.enable()
    except ValueError:  # since Python 3.12 only one thread of a process can be profiled
        return
    _profiles.append((threading.current_thread().name, profile))


def rows() -> list[dict[str, Any]]:
    """Self and total seconds of each function, by thread."""
    found: list[dict[str, Any]] = []
    for thread, profile in _profiles:
        for entry in profile.getstats():
            code = entry.code
            file, function = ("", code) if isinstance(code, str) else (code.co_filename, code.co_qualname)
            found.append(
                {
                    "thread": thread,
                    "file": file,
                    "function": function,
                    "calls": entry.callcount,
                    "self": entry.inlinetime,
                    "total": entry.totaltime,
                }
            )
    return found


def main() -> None:
    """Run the daemon's own entry point and write the profile down, however it ends."""
    out = Path(sys.argv.pop(1))
    sys.argv[0] = "remediator"
    from remediator.cli import main as remediator

    threading.setprofile(_begin)
    signal.signal(signal.SIGUSR1, _begin)
    try:
        remediator()
    finally:
        sys.setprofile(None)
        out.write_text(json.dumps(rows()))


if __name__ == "__main__":
    main()
