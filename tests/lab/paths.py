"""Where the lab keeps things, so that every module and every checkout on a machine agrees.

What is slow to fetch or build lies in one cache for the whole machine and survives ``make clean``.
What belongs to one checkout (tokens, generated configuration) lies in ``.lab/`` beside the sources.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = ROOT / ".lab"


class LabError(RuntimeError):
    """The lab cannot be prepared; the message says what is missing and what to do about it."""


def cache() -> Path:
    """The machine's cache, made when it is not there."""
    given = os.environ.get("REMEDIATOR_LAB_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    path = Path(given) if given else (Path(base) if base else Path.home() / ".cache") / "remediator-lab"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Keep other processes out of one part of the cache while this one fills it."""
    with (cache() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def filled(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill, and move it to *target* only when the block succeeded."""
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield work
        work.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        work.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def in_ci() -> bool:
    """Whether a missing part is an error rather than a skip."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


def say(text: str) -> None:
    """Tell the person at the terminal what takes its time; standard output stays for results."""
    print(f"lab: {text}", file=sys.stderr, flush=True)
