"""What a channel is, and what can come of one try to send a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from remediator.model.run import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The other side has taken the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Not delivered, or nobody knows; it is to be tried again."""

    reason: str
    after: float | None = None
    """Seconds that the other side asked to be left alone for. None: the outbox decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The message will never be taken, however often it is tried."""

    reason: str


Delivery = Delivered | Retry | Failed


class Channel(Protocol):
    """One place where messages go."""

    async def send(self, message: Message) -> Delivery:
        """Try once to deliver a message.

        Never raises for what the other side or the network does: every such thing is a Retry or a
        Failed, whose reason holds no secret.
        """

    async def close(self) -> None:
        """Let go of connections. Nothing is sent afterwards."""
