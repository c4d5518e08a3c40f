"""Where no Alertmanager can be asked, what is posted is all that is known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.model.alert import Episode
from remediator.model.words import Reason
from tests.simulation.given import rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.house import House

pytestmark = pytest.mark.looptime(noop_cycles=0)

SOON = timedelta(minutes=10)


def episodes(house: House) -> list[Episode]:
    return sorted(house.witness.state.all(Episode), key=lambda episode: episode.id)


def asking() -> str:
    """A rule that asks people, so that nothing is done meanwhile."""
    return rules(rule(severity="P0"))


async def repeat(house: House, mark: str, times: int) -> None:
    """Alertmanager tells every four hours that it still fires."""
    for _ in range(times):
        await house.wait(hours=4)
        assert await house.post(house.alertmanager.notification(mark))


async def test_an_alert_whose_end_was_never_posted_is_lost_after_a_day(build: Callable[..., House]) -> None:
    """As when a daemon dies after the commit and before the answer, and it ends before the next try."""
    async with build(asking(), alertmanager=False) as house:
        mark = await house.fire()
        await house.crash()
        house.alertmanager.resolve(mark)
        await house.start()
        await house.wait(hours=23)
        assert [episode.firing for episode in episodes(house)] == [True]
        await house.until(lambda: not episodes(house)[0].firing, within=timedelta(hours=1) + SOON)
        assert episodes(house)[0].closed_by == "lost"
        assert not house.incidents()[0].open
        assert house.run().reason == "resolved"


async def test_an_alert_that_is_repeated_is_not_lost(build: Callable[..., House]) -> None:
    async with build(asking(), alertmanager=False) as house:
        mark = await house.fire()
        await repeat(house, mark, 10)
        assert [episode.firing for episode in episodes(house)] == [True]


async def test_what_was_lost_fires_again_when_it_is_heard_of(build: Callable[..., House]) -> None:
    async with build(asking(), alertmanager=False, lost_after=timedelta(hours=3)) as house:
        mark = await house.fire()
        await repeat(house, mark, 1)
        await house.until(lambda: len(episodes(house)) == 2)
        assert [episode.closed_by for episode in episodes(house)] == ["lost", None]


async def test_the_time_that_the_daemon_was_down_does_not_count(build: Callable[..., House]) -> None:
    async with build(asking(), alertmanager=False) as house:
        await house.fire()
        await house.until(lambda: episodes(house))
        await house.crash()
        await house.wait(hours=30)
        await house.start()
        await house.wait(hours=23)
        assert episodes(house)[0].firing


async def test_with_an_api_nothing_is_lost(build: Callable[..., House]) -> None:
    async with build(asking(), lost_after=timedelta(minutes=1)) as house:
        await house.fire()
        await house.wait(hours=1)
        assert episodes(house)[0].firing


async def test_the_end_that_comes_before_the_beginning_is_remembered(build: Callable[..., House]) -> None:
    """Members of a cluster of Alertmanagers post past each other; and the daemon may start in between."""
    async with build(asking(), alertmanager=False) as house:
        mark = house.alertmanager.fire({"alertname": "Down", "service": "web"})
        firing = house.alertmanager.notification(mark)
        await house.wait(minutes=1)
        await house.resolve(mark)
        await house.until(lambda: "episode.unheard" in house.kinds())
        await house.crash()
        await house.start()
        assert await house.post(firing)
        await house.wait(minutes=1)
        assert house.incidents() == house.runs() == []


async def test_what_was_told_before_the_start_is_not_acted_on_before_it_is_told_again(
    build: Callable[..., House],
) -> None:
    """It may have ended while the daemon was down, and Alertmanager tells an end only once."""
    async with build(rules(), alertmanager=False) as house:
        await house.desk.pause("bob", "a look around")
        mark = await house.fire()
        await house.held(Reason.PAUSED)
        await house.crash()
        await house.wait(minutes=1)
        await house.start()
        await house.desk.resume("bob")
        await house.held(Reason.UNCONFIRMED)
        await house.until(lambda: house.inbox.kinds == ["held"])
        await house.wait(hours=3)
        assert house.docker.restarts == []
        assert await house.post(house.alertmanager.notification(mark)), "Alertmanager repeats itself"
        await house.until(lambda: house.docker.restarts, within=timedelta(minutes=1))


async def test_what_was_told_in_this_life_counts_until_its_end_is_told(build: Callable[..., House]) -> None:
    async with build(rules(), alertmanager=False) as house:
        await house.desk.pause("bob", "a long look around")
        await house.fire()
        await house.wait(hours=3)
        await house.desk.resume("bob")
        await house.until(lambda: house.docker.restarts, within=timedelta(minutes=1))
