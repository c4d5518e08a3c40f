"""Delivers the messages that decisions have left in the store.

At least once, in order for each incident and channel, each channel by itself: a receiver that is
down delays neither an act nor what goes elsewhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from remediator.channels.base import Delivered, Failed, Retry
from remediator.engine.core import wait_for
from remediator.model.run import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remediator.channels.base import Channel, Delivery
    from remediator.decide.draft import Draft
    from remediator.engine.core import Core
    from remediator.model.event import Event
    from remediator.store import Transaction

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0
"""Seconds between two tries; doubled with each, up to the longest."""
GIVEN_UP = timedelta(days=3)
"""A message that nobody has taken for so long says nothing any more."""
HEADS = 200
"""Messages that are read at once for each channel."""
LOOK_AGAIN = 60.0
"""Seconds after which the outbox looks for messages in any case."""
AT_ONCE = 8
"""Messages of different incidents that are on their way at the same time."""

log = structlog.get_logger(__name__)


class Outbox:
    """The task that sends."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._wake = asyncio.Event()
        self._under_way: dict[tuple[str, int | None], asyncio.Task[None]] = {}
        self._sending: dict[asyncio.Task[None], Channel] = {}
        """Which channel each of them goes through."""
        self._closing: set[asyncio.Task[None]] = set()

    def observe(self, event: Event) -> None:
        """Follow a committed event that leaves a message."""
        if any(isinstance(entity, Message) for entity in event.puts):
            self._wake.set()

    def retire(self, before: Iterable[Channel], now: Iterable[Channel]) -> None:
        """Of the channels before a reload, close those that are none now, each after what it still sends."""
        kept = {id(channel) for channel in now}
        for channel in before:
            if id(channel) not in kept:
                task = asyncio.create_task(self._close(channel))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def run(self) -> None:
        """Send for ever."""
        core = self._core
        try:
            while True:
                self._wake.clear()
                # What is read of these may be older than their delivery; when they end, all is read anew.
                busy = set(self._under_way)
                heads = await core.store.read(lambda reader: reader.next_messages(HEADS))
                soonest = self._send_due([m for m in heads if (m.channel, m.incident_id) not in busy])
                await wait_for(self._wake, soonest)
        finally:
            tasks = list(self._under_way.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._closing, return_exceptions=True)

    def _send_due(self, heads: list[Message]) -> float:
        """Begin with what is due; returns the seconds until there is more to do."""
        soonest = LOOK_AGAIN
        for message in heads:
            key = (message.channel, message.incident_id)
            if key in self._under_way:
                continue
            seconds = self._core.seconds_until(message.next_at)
            if seconds > 0:
                soonest = min(soonest, seconds)
            elif sum(channel == message.channel for channel, _ in self._under_way) < AT_ONCE:
                task = asyncio.create_task(self._send(message), name=f"message {message.id}")
                self._under_way[key] = task
                task.add_done_callback(partial(self._sent, key))
        return soonest

    def _sent(self, key: tuple[str, int | None], task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # It stays under way: to send it again and again is worse than to wait for the next start.
            log.error("what became of a message cannot be recorded", channel=key[0], exc_info=error)
            return
        self._under_way.pop(key, None)
        self._wake.set()

    async def _send(self, message: Message) -> None:
        delivery = await self._delivered(message)
        await self._core.insist(lambda: self._record(message, delivery))

    async def _delivered(self, message: Message) -> Delivery:
        channel = self._core.setup.channels.get(message.channel)
        if channel is None:
            return Failed(reason=f"there is no channel {message.channel} in the configuration any more")
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it runs in the one of `_send_due`
        self._sending[task] = channel
        try:
            return await channel.send(message)
        except Exception as error:
            log.exception("a channel failed in a way that it does not know", channel=message.channel)
            return Retry(reason=type(error).__name__)
        finally:
            del self._sending[task]

    async def _close(self, channel: Channel) -> None:
        sending = [task for task, used in self._sending.items() if used is channel]
        if sending:
            await asyncio.wait(sending)
        await channel.close()

    async def _record(self, message: Message, delivery: Delivery) -> None:
        tries = message.attempts + 1

        def decision(draft: Draft, _: Transaction) -> None:
            kind, after = _judged(message, delivery, tries, draft.now - message.created_at)
            reason = "" if isinstance(delivery, Delivered) else delivery.reason
            changed = replace(
                message,
                attempts=tries,
                status={"delivered": "delivered", "failed": "failed", "retry": "waiting"}[kind],
                next_at=draft.now + after,
                error=reason or None,
            )
            draft.record(
                f"message.{kind}",
                incident=message.incident_id,
                puts=(changed,),
                message=message.id,
                channel=message.channel,
                what=message.kind,
                tries=tries,
                reason=reason,
            )

        await self._core.decide(decision)


def _judged(message: Message, delivery: Delivery, tries: int, age: timedelta) -> tuple[str, timedelta]:
    match delivery:
        case Delivered():
            return "delivered", timedelta(0)
        case Failed(reason=reason):
            log.error("a message was refused", channel=message.channel, kind=message.kind, reason=reason)
            return "failed", timedelta(0)
        case Retry(reason=reason, after=after):
            if age > GIVEN_UP:
                log.error("a message is given up", channel=message.channel, kind=message.kind, reason=reason)
                return "failed", timedelta(0)
            pause = min(FIRST_PAUSE * 2 ** min(tries - 1, 10), LONGEST_PAUSE)
            log.warning("a message will be sent again", channel=message.channel, reason=reason)
            return "retry", timedelta(seconds=max(pause, after or 0.0))
