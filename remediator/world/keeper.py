"""A program of its own: keeps the pipes of commands that outlive the daemon, and reads them to their end.

A command that goes on when the daemon is gone would be killed by its own next output, as nobody could read
that any more, in the middle of what it does. So the daemon has one keeper (`world/keeping.py`), and gives it
a copy of each pipe, over the socket that is its standard input. The keeper reads a pipe when the daemon no
longer does, drops what it reads, and ends when the daemon is gone and all pipes have come to their end.

Run by its path and outside of our packages, so that it starts quickly and stays small: standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket

HOLD = b"h"
"""The daemon reads the pipe that comes with this."""
READ = b"r"
"""Nobody reads it any more: the command has ended, but something that it left behind may still write."""
_SOCKET = 0
_CHUNK = 65_536


def keep(daemon: socket.socket) -> None:
    """Until the daemon is gone and no pipe has a writer left."""
    poll = select.epoll()
    poll.register(_SOCKET, select.EPOLLIN)
    held: set[int] = set()
    alone = False
    while held or not alone:
        for descriptor, event in poll.poll():
            if descriptor == _SOCKET:
                word, pipes = _next(daemon)
                for pipe in pipes:
                    held.add(pipe)
                    # Without an event to wait for, only that the last writer has gone is told.
                    poll.register(pipe, select.EPOLLIN if word == READ else 0)
                if not word:
                    alone = True
                    poll.unregister(_SOCKET)
                    for pipe in held:
                        poll.modify(pipe, select.EPOLLIN)
            elif event & select.EPOLLIN:
                _read(descriptor)
            else:  # nothing is left in it, and nobody left who writes
                held.discard(descriptor)
                poll.unregister(descriptor)  # closing alone does not, while the daemon has it open, too
                os.close(descriptor)


def _read(pipe: int) -> None:
    with contextlib.suppress(BlockingIOError):  # it came twice, to be held and to be read
        os.read(pipe, _CHUNK)


def _next(daemon: socket.socket) -> tuple[bytes, list[int]]:
    """The next message; an empty one when the daemon is gone."""
    with contextlib.suppress(ConnectionError):
        word, pipes, _, _ = socket.recv_fds(daemon, 1, 1)
        return word, pipes
    return b"", []


if __name__ == "__main__":
    # It ends with what it keeps, and not before, also when everything around the daemon is asked to end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    keep(socket.socket(fileno=_SOCKET))
