"""Messages: in order, again after a while, and never in the way of anything else."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, TypeVar

import pytest

from remediator.engine import outbox
from remediator.model.command import CommandSpec
from remediator.model.run import Message
from remediator.model.words import ApprovalStatus
from remediator.store import StoreRefused
from tests.simulation.given import rule, rules
from tests.simulation.house import MINUTE, PEOPLE, House

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.store import Transaction

T = TypeVar("T")
pytestmark = pytest.mark.looptime(noop_cycles=0)

NOTHING = CommandSpec(name="nothing", argv=("/bin/false",))
P0 = rules(rule(severity="P0"))


def messages(house: House) -> list[Message]:
    return sorted(house.witness.state.all(Message), key=lambda message: message.id)


async def test_a_dead_channel_delays_neither_an_act_nor_another_channel(build: Callable[..., House]) -> None:
    written = rules(rule(), rule("db-down", service="db", severity="P0"))
    async with build(written, services=("web", "db"), channels=(PEOPLE, "pager")) as house:
        house.inbox.down = "connection refused"
        house.watch("web")
        house.watch("db")
        house.docker.crash("app-web-1")
        house.docker.crash("app-db-1")
        approval = await house.asked("db-down")
        await house.until(lambda: house.inboxes["pager"].kinds == ["approval_wanted"])
        assert (await house.finished()).outcome == "succeeded"
        await house.desk.approve(approval.id, "alice")
        assert (await house.finished("db-down")).outcome == "succeeded"
        assert house.inbox.taken == []


async def test_a_channel_that_hangs_does_not_crowd_out_another(
    build: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "HEADS", 10)
    names = [f"s{number}" for number in range(15)]
    written = rules(*(rule(f"{name}-down", service=name, severity="P0") for name in names))
    async with build(written, services=names, channels=(PEOPLE, "pager")) as house:
        house.inbox.seconds = 3600.0
        for name in names:
            await house.fire(name)
        pager = house.inboxes["pager"]
        await house.until(lambda: pager.kinds == ["approval_wanted"] * len(names), within=MINUTE)
        assert (house.inbox.tries, house.inbox.taken) == (outbox.AT_ONCE, [])


async def test_what_a_channel_missed_for_hours_arrives_in_order(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        house.inbox.down = "connection refused"
        await house.fire()
        await house.wait(hours=3, minutes=5)
        assert len(messages(house)) == 13, "asked seven times, expired six times"
        house.inbox.down = None
        await house.until(lambda: len(house.inbox.taken) == 13, within=timedelta(minutes=11))
        assert [message.id for message in house.inbox.taken] == [message.id for message in messages(house)]


async def test_the_pauses_between_tries_grow_to_ten_minutes(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        house.inbox.down = "connection refused"
        await house.fire()
        await house.wait(minutes=29)
        [first] = messages(house)
        tries = [e.at for e in house.witness.events if e.kind == "message.retry"]
        pauses = [round((b - a).total_seconds()) for a, b in itertools.pairwise(tries)]
        assert pauses == [5, 10, 20, 40, 80, 160, 320, 600]
        assert (first.attempts, first.error) == (9, "connection refused")


async def test_people_hear_at_once(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        await house.wait(minutes=10, seconds=7)
        await house.fire()
        await house.wait(seconds=1)
        assert house.inbox.kinds == ["approval_wanted"]


async def test_a_crash_forgets_neither_a_message_nor_its_turn(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        house.inbox.down = "connection refused"
        await house.fire()
        await house.wait(minutes=31)
        tries = house.inbox.tries
        await house.crash()
        await house.start()
        await house.wait(seconds=5)
        assert house.inbox.tries == tries, "it is not tried before its time"
        house.inbox.down = None
        await house.until(
            lambda: len(house.inbox.taken) == len(messages(house)), within=timedelta(minutes=11)
        )


async def test_after_three_days_it_is_given_up(build: Callable[..., House]) -> None:
    async with build(rules(rule(steps=("{command: {name: nothing}}",))), commands=[NOTHING]) as house:
        house.inbox.down = "connection refused"
        house.commands.behaves("nothing", exit_code=1)
        await house.fire()
        await house.finished()
        await house.wait(days=3, minutes=15)
        [message] = messages(house)
        assert message.status == "failed"
        assert house.kinds()[-1] == "message.failed"


async def test_a_channel_that_is_gone_from_the_configuration_fails_its_messages(
    build: Callable[..., House],
) -> None:
    async with build(P0) as house:
        house.inbox.down = "connection refused"
        await house.fire()
        await house.wait(minutes=1)
        await house.crash()
        house.inboxes.pop(PEOPLE)
        await house.start()
        await house.until(lambda: messages(house)[0].status == "failed")
        assert "no channel people" in (messages(house)[0].error or "")


async def test_one_that_is_refused_holds_nothing_up(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        house.inbox.refuses = "approval_wanted"
        await house.fire()
        await house.wait(minutes=31)
        assert house.inbox.kinds == ["approval_expired"]
        assert [m.status for m in messages(house)] == ["failed", "delivered", "failed"]


@pytest.mark.parametrize("seed", range(10))
async def test_on_slow_ways_none_is_sent_twice(build: Callable[..., House], seed: int) -> None:
    names = [f"s{number}" for number in range(8)]
    written = rules(*(rule(f"{name}-down", service=name, severity="P0") for name in names))
    async with build(written, services=names, dice=Random(seed)) as house:
        for name in names:
            await house.fire(name)
        await house.wait(minutes=70)
        assert len(house.inbox.taken) == len(names) * 5
        assert {a.status for n in names for a in house.approvals(house.run(f"{n}-down"))} == {
            ApprovalStatus.EXPIRED,
            ApprovalStatus.PENDING,
        }


async def test_one_whose_delivery_cannot_be_recorded_is_not_sent_again_and_again(
    build: Callable[..., House], monkeypatch: pytest.MonkeyPatch, faults: list[str]
) -> None:
    async with build(P0) as house:
        write = house.store.write

        async def refuses(job: Callable[[Transaction], T]) -> T:
            task = asyncio.current_task()
            if task is not None and task.get_name().startswith("message"):
                raise StoreRefused("it is there twice")
            return await write(job)

        monkeypatch.setattr(house.store, "write", refuses)
        await house.fire()
        await house.asked()
        await house.wait(minutes=20)
        assert house.inbox.tries == 1
    assert [fault.partition(":")[0] for fault in faults] == ["what became of a message cannot be recorded"]
    faults.clear()
