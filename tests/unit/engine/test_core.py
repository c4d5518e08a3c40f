"""Insisting on what must get on the record, and giving up what never can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import capture_logs

from remediator.decide.policy import Policy
from remediator.engine.core import RETRY_SECONDS, Core
from remediator.engine.setup import Setup
from remediator.metrics import Metrics
from remediator.model.alert import Episode
from remediator.rules.ruleset import RuleSet
from remediator.store import Store, StoreError, StoreRefused
from remediator.world.simulated import SimulatedWorld
from tests.unit.still_clock import NOON, StillClock
from tests.unit.store.given import episode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from remediator.decide.draft import Draft
    from remediator.store import Transaction


@pytest.fixture
async def core() -> AsyncIterator[Core]:
    clock = StillClock()
    store = Store.open(":memory:", clock, threads=False)
    yield Core(
        store=store,
        world=SimulatedWorld.make(clock),
        clock=clock,
        metrics=Metrics("test"),
        setup=Setup(rules=RuleSet(), policy=Policy()),
    )
    await store.close()


async def test_what_the_store_cannot_write_now_is_tried_until_it_can(core: Core) -> None:
    fails = [StoreError("the disk is full")] * 3

    async def attempt() -> str:
        if fails:
            raise fails.pop()
        return "written"

    assert await core.insist(attempt) == "written"
    assert (core.clock.now() - NOON).total_seconds() == 3 * RETRY_SECONDS


async def test_what_can_never_be_written_is_raised_at_once(core: Core) -> None:
    def decision(draft: Draft, _: Transaction) -> None:
        twice = (episode(1, "ab"), episode(2, "ab"))
        draft.record("episode.opened", incident=1, puts=twice)

    with pytest.raises(StoreRefused, match="UNIQUE constraint failed"):
        await core.insist(lambda: core.decide(decision))
    assert core.clock.now() == NOON
    assert await core.store.read(lambda reader: reader.get(Episode, 1)) is None


@pytest.mark.parametrize(
    ("error", "traced"), [(StoreError("full"), False), (StoreRefused("twice"), True), (KeyError("x"), True)]
)
async def test_a_part_that_fails_goes_on_and_a_fault_of_ours_is_logged_with_its_trace(
    core: Core, error: Exception, traced: bool
) -> None:
    class Enough(BaseException):
        """The test has seen what it wanted."""

    fails = [error]

    async def work() -> None:
        raise fails.pop() if fails else Enough

    structlog.reset_defaults()
    with capture_logs() as logs, pytest.raises(Enough):
        await core.forever("intake", work)
    assert [entry.get("exc_info", False) for entry in logs] == [traced]
