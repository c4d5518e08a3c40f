"""Many alerts of one service: one incident, one run, and none of them is left behind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.engine.runner import CLOSED_AT_ONCE
from remediator.model.alert import Episode
from remediator.model.words import RunStatus
from tests.simulation.given import rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.house import House

pytestmark = pytest.mark.looptime(noop_cycles=0)

MANY = 2 * CLOSED_AT_ONCE + 50


async def many_fire(house: House) -> list[str]:
    """As many instances of one service are ill."""
    labels = {"alertname": "Down", "service": "web"}
    marks = [house.alertmanager.fire({**labels, "instance": str(number)}) for number in range(MANY)]
    assert await house.post(house.alertmanager.notification(*marks))
    await house.until(lambda: len(episodes(house)) == MANY)
    return marks


def episodes(house: House) -> list[Episode]:
    return list(house.witness.state.all(Episode))


def closed_by(house: House) -> set[str | None]:
    return {episode.closed_by for episode in episodes(house)}


async def test_what_the_verification_saw_gone_is_over_all_of_it(build: Callable[..., House]) -> None:
    async with build(rules(), reconcile_interval=timedelta(hours=1)) as house:
        marks = await many_fire(house)
        await house.is_now(RunStatus.VERIFYING)
        for mark in marks:
            house.alertmanager.resolve(mark)
        assert (await house.finished()).outcome == "succeeded"
        assert closed_by(house) == {"asked"}
        assert len(house.runs()) == len(house.incidents()) == 1
        assert not house.incidents()[0].open


async def test_what_is_gone_when_a_run_wants_to_act_is_over_all_of_it(build: Callable[..., House]) -> None:
    async with build(rules(), reconcile_interval=timedelta(hours=1)) as house:
        house.pause_file.touch()
        for mark in await many_fire(house):
            house.alertmanager.resolve(mark)
        assert (await house.finished()).reason == "resolved"
        assert closed_by(house) == {"asked"}
        assert house.attempts() == []


async def test_what_the_reconciler_misses_is_over_all_of_it(build: Callable[..., House]) -> None:
    async with build(rules(rule(severity="P0"))) as house:
        for mark in await many_fire(house):
            house.alertmanager.resolve(mark)
        assert (await house.finished()).reason == "resolved"
        assert closed_by(house) <= {"reconcile", "asked"}
        assert not house.incidents()[0].open


async def test_the_last_end_of_many_is_the_end_of_the_run(build: Callable[..., House]) -> None:
    async with build(rules(rule(severity="P0")), reconcile_interval=timedelta(hours=1)) as house:
        marks = await many_fire(house)
        await house.asked()
        for mark in marks[1:]:
            house.alertmanager.resolve(mark)
        assert await house.post(house.alertmanager.notification(*marks[1:]))
        await house.wait(seconds=10)
        assert house.run().status is RunStatus.AWAITING_APPROVAL
        await house.resolve(marks[0])
        assert (await house.finished()).reason == "resolved"
