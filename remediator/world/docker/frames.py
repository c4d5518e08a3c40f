"""Take the two streams of a container's output out of the frames that the engine wraps them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.model.world import WorldError

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = 8


class Frames:
    """Hands on the content of frames as it arrives: one byte for the stream, three zeros, four of length."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._header = b""
        self._left = 0

    def add(self, data: bytes) -> None:
        """The next piece, which may begin and end anywhere. WorldError if these are no frames."""
        while data:
            if self._left:
                content, data = data[: self._left], data[self._left :]
                self._left -= len(content)
                self._take(content)
                continue
            missing = _HEADER - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) == _HEADER:
                if self._header[0] > 3 or self._header[1:4] != b"\0\0\0":
                    raise WorldError("the engine's logs cannot be read: they are not in frames")
                self._left = int.from_bytes(self._header[4:], "big")
                self._header = b""
