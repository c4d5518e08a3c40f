"""What Alertmanager's API says, and when it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.given import rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.house import House

pytestmark = pytest.mark.looptime(noop_cycles=0)


async def test_an_answer_from_before_the_end_does_not_open_the_alert_again(
    build: Callable[..., House],
) -> None:
    async with build(rules(rule(severity="P0"))) as house:
        mark = await house.fire()
        await house.asked()
        house.alertmanager.answer_takes = 40.0
        # It is asked every 30 seconds, so now an answer is under way that says that the alert fires.
        await house.wait(seconds=31)
        await house.resolve(mark)
        await house.until(lambda: "episode.closed" in house.kinds())
        house.alertmanager.answer_takes = 0.0
        await house.wait(minutes=2)
        assert house.kinds().count("episode.opened") == 1
        assert [incident.open for incident in house.incidents()] == [False]


async def test_what_fires_again_is_opened_by_the_next_answer(build: Callable[..., House]) -> None:
    async with build(rules(rule(severity="P0"))) as house:
        mark = await house.fire()
        await house.asked()
        await house.resolve(mark)
        await house.until(lambda: "episode.closed" in house.kinds())
        house.alertmanager.fire({"alertname": "Down", "service": "web"})
        await house.until(lambda: house.kinds().count("episode.opened") == 2)
