"""Files as they were at one moment: others may write, replace or link them anew while they are read.

What is read together is read twice over if anything of it changed meanwhile, so that nobody ever sees
half of an old set and half of a new one. Nothing here waits: a pipe that nobody writes to is refused.
"""

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from remediator.reading.problems import InputError, Problem

S = TypeVar("S")
T = TypeVar("T")

TRIES = 10
"""How often files are read that change while they are read."""

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_bytes(path: Path, limit: int, *, told_as: Path | None = None) -> bytes:
    """The content of a regular file, at most `limit` bytes of it.

    InputError says why it cannot be read; `told_as` is the path that people know, if that is another one.
    """
    try:
        # Asked before it is opened, too: to open a device can set it going.
        _regular(path.stat().st_mode)
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as file:  # noqa: PTH123 - of a number
            _regular(os.fstat(number).st_mode)
            return file.read(limit)
    except (OSError, ValueError) as error:
        raise InputError([unreadable(told_as or path, error)]) from None


def unreadable(path: Path, error: OSError | ValueError) -> Problem:
    """What is told of a file that could not be read for this reason."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        reason = f"it is a link to {path.readlink()}, which does not exist"
    return Problem(file=str(path), message=f"cannot be read: {reason[:1].lower()}{reason[1:]}")


def _regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
        raise ValueError(f"it is {kind}, not a file")


def stamps(paths: Iterable[Path]) -> tuple[object, ...]:
    """Equal as long as the paths lead to the same files, and those were not written meanwhile.

    Contents are not looked at, so two stamps that differ may belong to the same text.
    """
    return tuple((str(path), _stamp(path)) for path in paths)


def _stamp(path: Path) -> object:
    try:
        seen = path.stat()
    except (OSError, ValueError) as error:
        return str(error)
    return seen.st_dev, seen.st_ino, seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def undisturbed(what: Path, look: Callable[[], S], read: Callable[[S], T]) -> T:
    """What `read` gives, or the InputError that it raises, of a moment at which nothing changed.

    `look` is asked before and after it, and `read` told what it said before. InputError about `what` if there
    is no such moment.
    """
    for _ in range(TRIES):
        before = look()
        try:
            found = read(before)
        except InputError:
            if look() == before:
                raise
        else:
            if look() == before:
                return found
    message = "changes all the time while it is read; write new files beside the old ones, and rename them"
    raise InputError([Problem(file=str(what), message=message)])
