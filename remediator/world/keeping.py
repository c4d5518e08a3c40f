"""The daemon's side of `world/keeper.py`: the program that keeps commands from dying of their own output."""

from __future__ import annotations

import atexit
import socket
import subprocess
import sys

from remediator.world import keeper


class Process(subprocess.Popen[bytes]):
    """A process that may outlive the daemon. Popen itself would complain if it is left running."""

    def __del__(self) -> None:
        """Let it be."""


class Keeping:
    """The one keeper of this process: started when it is first needed, and anew when somebody ended it."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._process: Process | None = None

    def hold(self, pipe: int) -> None:
        """Let the pipe have a reader also when the daemon is gone. OSError when none can be had."""
        self._give(keeper.HOLD, pipe)

    def read(self, pipe: int) -> None:
        """Let the pipe be read to its end, for which the daemon no longer waits. OSError like hold()."""
        self._give(keeper.READ, pipe)

    def _give(self, word: bytes, pipe: int) -> None:
        if self._socket is not None:
            try:
                socket.send_fds(self._socket, [word], [pipe])
            except OSError:  # it was ended, or is stopped and its queue full
                self._let_go(self._socket)
            else:
                return
        socket.send_fds(self._start(), [word], [pipe])

    def _start(self) -> socket.socket:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            try:
                self._process = Process(
                    [sys.executable, "-I", "-S", keeper.__file__],
                    stdin=its.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={},
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise OSError(error.errno, f"the keeper of its output: {error.strerror}") from error
        ours.setblocking(False)
        atexit.register(ours.close)  # the same as the end of the process, but Python would complain
        self._socket = ours
        return ours

    def _let_go(self, told: socket.socket) -> None:
        told.close()
        self._socket = None
        if self._process is not None:
            self._process.poll()
