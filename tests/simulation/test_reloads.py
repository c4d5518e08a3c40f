"""What a reload changes at once, what it leaves alone, and what becomes of it when it fails half-way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.model.words import RunStatus
from remediator.reading.problems import InputError
from remediator.store import StoreError
from tests.simulation.given import rule, rules
from tests.simulation.house import PEOPLE, House
from tests.simulation.surroundings import Inbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.channels.base import Delivery
    from remediator.model.event import Event
    from remediator.model.run import Message

pytestmark = pytest.mark.looptime(noop_cycles=0)

P0 = rules(rule(severity="P0"))
STRICTER = rules(rule(severity="P0", guardrails="cooldown: 1h"))


# ---- runs that wait for people


async def test_people_are_asked_anew_when_the_rule_has_changed(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        await house.fire()
        first = await house.asked()
        house.write(STRICTER)
        await house.desk.reload("alice")
        await house.until(lambda: len(house.approvals(house.run())) == 2)
        second = await house.asked()
        assert [a.status for a in house.approvals(house.run())] == ["superseded", "pending"]
        assert second.digest != first.digest

        await house.desk.approve(second.id, "alice")
        await house.until(lambda: house.docker.restarts == ["app-web-1"])


async def test_nobody_is_asked_again_when_the_rule_is_what_it_was(build: Callable[..., House]) -> None:
    both = ("web", "db")
    async with build(P0, services=both) as house:
        await house.fire()
        first = await house.asked()
        house.write(rules(rule(severity="P0"), rule("db-down", service="db")))
        await house.desk.reload("alice")
        await house.wait(minutes=10)
        assert house.approvals(house.run()) == [first]
        assert house.inbox.kinds == ["approval_wanted"]
        await house.desk.approve(first.id, "alice")
        await house.until(lambda: house.docker.restarts == ["app-web-1"])


async def test_what_needs_nobody_any_more_goes_on(build: Callable[..., House]) -> None:
    written = rules(rule(more="mode: approve"))
    async with build(written) as house:
        await house.fire()
        await house.asked()
        house.write(rules())
        await house.desk.reload("alice")
        await house.until(lambda: house.docker.restarts == ["app-web-1"])


# ---- the record


async def test_rules_that_cannot_be_recorded_are_not_in_force(
    build: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with build(rules()) as house:
        before = house.engine.core.setup

        async def full(job: object) -> None:
            raise StoreError("the disk is full")

        house.write(rules(rule(more="mode: shadow")))
        with monkeypatch.context() as patch:
            patch.setattr(house.engine.core.store, "write", full)
            with pytest.raises(StoreError):
                await house.desk.reload("alice")
        assert house.engine.core.setup is before
        assert house.engine.core.book.rules is before.rules
        assert house.kinds().count("rules.loaded") == 1

        await house.desk.reload("alice")
        assert house.engine.core.setup.rules.version != before.rules.version
        assert house.kinds().count("rules.loaded") == 2


def gauges(house: House) -> list[float | None]:
    names = ("remediator_rules_loaded", "remediator_config_last_reload_successful")
    return [house._metrics.registry.get_sample_value(name) for name in names]


async def test_what_is_in_force_and_what_was_refused_since_is_told(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        first = house.desk.rules()
        assert (first.rules, first.loaded_by, first.refused) == (1, "daemon", None)
        assert [source.rules for source in first.files] == [1]

        house.reads = "groups: 7\n"
        await house.wait(minutes=5)
        with pytest.raises(InputError):
            await house.desk.reload("alice")
        refused = house.desk.rules().refused
        assert refused is not None
        assert (refused.at - first.loaded_at, refused.by) == (timedelta(minutes=5), "alice")
        (problem,) = refused.problems
        assert problem.place.endswith(":1:9")
        assert house.desk.rules() == replace(first, refused=refused)
        detail = (await house.desk.readiness()).checks["rules"].detail
        assert detail == f"the last reload was refused (1 mistake, first {str(problem).splitlines()[0]})"
        assert gauges(house) == [1, 0]

        house.reads = rules(rule(), rule("web-slow", alert="Slow"))
        await house.desk.reload("bob")
        now = house.desk.rules()
        assert (now.rules, now.loaded_by, now.refused) == (2, "bob", None)
        assert now.version != first.version
        assert (await house.desk.readiness()).checks["rules"].detail == f"version {now.version[:12]}"
        assert gauges(house) == [2, 1]


@pytest.mark.parametrize("done_in_time", [True, False])
async def test_files_that_may_be_half_written_are_read_twice_before_anybody_is_told(
    build: Callable[..., House], done_in_time: bool
) -> None:
    async with build(rules()) as house:
        house.reads = "groups:\n  - name: hal"
        begun = house.clock.now()
        reload = asyncio.create_task(house.engine.reloading.reload("watch", patience=1.0))
        await house.wait(seconds=0.5)
        assert "rules.refused" not in house.kinds()
        if done_in_time:
            house.reads = rules(rule(), rule("web-slow", alert="Slow"))
            await reload
            assert house.desk.rules().rules == 2
        else:
            with pytest.raises(InputError):
                await reload
        assert house.clock.now() - begun == timedelta(seconds=1)
        assert ("rules.refused" in house.kinds()) is not done_in_time


async def test_a_run_that_has_acted_is_judged_by_the_version_that_it_acted_by(
    build: Callable[..., House],
) -> None:
    written = rules(rule(steps=("{restart: {}, verify: {resolved_within: 5m}}",)))
    async with build(written) as house:
        await house.fire()
        await house.is_now(RunStatus.VERIFYING)
        before = house.run().rule_version
        house.write(rules(rule(steps=("{restart: {}, verify: {resolved_within: 50m}}",))))
        await house.desk.reload("alice")
        await house.wait(minutes=6)
        run = house.run()
        assert (run.finished, run.rule_version) == (True, before)
        told = [event.data for event in house.witness.events if "run" in event.data]
        assert {data.get("rule_version") for data in told} == {before}


# ---- channels


class Room(Inbox):
    """An inbox that can be closed: while nothing is under way to it, and then nothing may come any more."""

    busy = closed = 0

    async def send(self, message: Message) -> Delivery:
        assert not self.closed
        self.busy += 1
        try:
            return await super().send(message)
        finally:
            self.busy -= 1

    async def close(self) -> None:
        assert not self.busy
        self.closed += 1


async def test_a_channel_that_was_replaced_is_closed_after_what_it_sends(
    build: Callable[..., House],
) -> None:
    async with build(P0) as house:
        old, new = Room(house.clock, seconds=20), Room(house.clock)
        await put(house, old)
        await house.fire()
        await house.is_now(RunStatus.AWAITING_APPROVAL)
        await house.until(lambda: old.busy)
        await put(house, new)
        await house.wait(seconds=30)
        assert (old.closed, old.busy) == (0, 1)
        await house.wait(seconds=15)
        assert (old.closed, new.closed) == (1, 0)
        assert house.inbox.kinds == ["approval_wanted"]

        await house.wait(minutes=30)
        assert (old.tries, new.tries) == (1, 2)


async def test_a_channel_that_sends_nothing_is_closed_at_once(build: Callable[..., House]) -> None:
    async with build(P0) as house:
        first, second = Room(house.clock), Room(house.clock)
        await put(house, first)
        await put(house, first)
        await put(house, second)
        await house.wait(seconds=1)
        assert (first.closed, second.closed) == (1, 0)


async def put(house: House, channel: Inbox) -> None:
    """Have messages go through this from now on, into the inbox that is held against the record."""
    channel.taken = house.inbox.taken
    house.setup = replace(house.setup, channels={PEOPLE: channel})
    await house.desk.reload("alice")


# ---- what follows a commit


async def test_one_part_that_fails_keeps_no_event_from_the_others(
    build: Callable[..., House], faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with build(P0) as house:

        def broken(event: Event) -> None:
            raise ValueError("a metric of no known kind")

        followers = house.engine._followers
        assert list(followers)[-1] == "metrics"
        monkeypatch.setitem(followers, "metrics", broken)
        monkeypatch.setitem(followers, "timers", broken)
        await house.fire()
        approval = await house.asked()
        await house.until(lambda: house.inbox.kinds == ["approval_wanted"])
        await house.desk.approve(approval.id, "alice")
        await house.until(lambda: house.docker.restarts == ["app-web-1"])
    assert faults
    assert all("a metric of no known kind" in fault for fault in faults)
    faults.clear()


async def test_a_prometheus_that_was_configured_has_to_be_there(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        assert (await house.desk.readiness()).ready
        house.world.prometheus.unreachable = "connection refused"
        await house.wait(seconds=3)
        readiness = await house.desk.readiness()
        assert not readiness.ready
        assert "connection refused" in readiness.checks["prometheus"].detail
