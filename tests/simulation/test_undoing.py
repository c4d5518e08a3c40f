"""What a run has done is taken back by a run of its own, for a person; and past a death at any commit."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import pytest

from remediator.engine.face import Conflict
from remediator.model.words import AttemptStatus, Reason
from tests.simulation.given import rule, rules
from tests.simulation.house import HOUR, MINUTE, House
from tests.simulation.life import Gone
from tests.simulation.virtual import virtually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from remediator.model.run import Run

looptime = pytest.mark.looptime(noop_cycles=0)

SCALE = "{scale: {replicas: 4}, verify: {resolved_within: 5m, stays: 1m}}"
ONCE_A_DAY = rules(rule(steps=(SCALE,), guardrails="cooldown: 12h, budget: [1/24h]", triage=""))
SWARM: dict[str, Any] = {"services": (), "swarm": ("web",), "replicas": 2}


async def scaled(house: House) -> Run:
    """The alert fires, the service is scaled, and that helps."""
    mark = house.alertmanager.fire({"alertname": "Down", "service": "web"})
    await posted(house, mark)
    await house.until(lambda: house.docker.scaled[-1:] == [("web", 4)])
    house.alertmanager.resolve(mark)
    await posted(house, mark)
    run = await house.finished()
    assert run.outcome == "succeeded"
    return run


async def posted(house: House, mark: str) -> None:
    """Alertmanager posts until the daemon takes it."""
    while not await house.post(house.alertmanager.notification(mark)):
        await house.wait(seconds=5)


def replicas(house: House) -> int:
    service = house.docker.find("web")
    assert service is not None
    return service.replicas


@looptime
async def test_a_person_takes_it_back(build: Callable[..., House]) -> None:
    async with build(ONCE_A_DAY, **SWARM) as house:
        run = await scaled(house)
        with pytest.raises(Conflict, match="no run 7"):
            await take_back(house, 7)
        undo = await house.desk.undo(run.id, "alice", "the rush is over")
        assert (undo.undoes, undo.requested_by) == (run.id, "alice")
        undo = await house.finished(within=5 * MINUTE)
        assert (undo.undoes, undo.outcome, undo.reason) == (run.id, "succeeded", Reason.TAKEN_BACK)
        assert replicas(house) == 2, "neither cooldown nor budget hold it"
        with pytest.raises(Conflict, match="nothing more that can be taken back"):
            await house.desk.undo(run.id, "bob")
        with pytest.raises(Conflict, match="run 2 took run 1 back"):
            await house.desk.undo(undo.id, "bob")
        assert house.inbox.taken == []


async def take_back(house: House, number: int) -> None:
    """Undo; what is not there is a conflict, too."""
    try:
        await house.desk.undo(number, "alice")
    except Exception as error:
        raise Conflict(str(error)) from None


@looptime
async def test_what_is_taken_back_spends_nothing(build: Callable[..., House]) -> None:
    twice = rules(rule(steps=(SCALE,), guardrails="budget: [2/24h]", triage=""))
    async with build(twice, **SWARM) as house:
        run = await scaled(house)
        await house.desk.undo(run.id, "alice")
        await house.until(lambda: house.run().outcome and replicas(house) == 2)
        await house.wait(hours=1)
        assert (await scaled(house)).undoes is None
        assert house.docker.scaled == [("web", 4), ("web", 2), ("web", 4)]


@looptime
async def test_step_by_step_from_the_last_one(build: Callable[..., House]) -> None:
    short = "verify: {resolved_within: 1m}"
    steps = (f"{{scale: {{replicas: 3}}, {short}}}", f"{{restart: {{}}, {short}}}", SCALE)
    async with build(rules(rule(steps=steps, triage="")), **SWARM) as house:
        run = await scaled(house)
        for undone in (3, 2):
            await house.desk.undo(run.id, "alice")
            assert (await house.finished()).reason == Reason.TAKEN_BACK
            assert replicas(house) == undone
        with pytest.raises(Conflict, match="nothing more"):
            await house.desk.undo(run.id, "alice")


@looptime
async def test_what_somebody_changed_meanwhile_is_left_and_told(build: Callable[..., House]) -> None:
    async with build(ONCE_A_DAY, **SWARM) as house:
        run = await scaled(house)
        house.docker.scale_by_hand("web", 6)
        await house.desk.undo(run.id, "alice")
        await house.held(Reason.CHANGED_BY_OTHERS)
        undo = await house.finished(within=HOUR)
        assert (undo.outcome, undo.reason, replicas(house)) == ("failed", Reason.ACT_FAILED, 6)
        assert "6 replicas now instead of 4" in (undo.detail or "")
        await house.until(lambda: house.inbox.kinds == ["held", "failed"])
        await house.desk.undo(run.id, "bob")
        assert (await house.finished()).outcome == "failed", "tried again, and nobody changed it back"


@looptime
async def test_the_kill_switch_holds_it_and_a_person_may_drop_it(build: Callable[..., House]) -> None:
    async with build(ONCE_A_DAY, **SWARM) as house:
        run = await scaled(house)
        await house.desk.pause("bob", "wait")
        undo = await house.desk.undo(run.id, "alice")
        await house.held(Reason.PAUSED)
        await house.wait(hours=3)
        with pytest.raises(Conflict, match="is being taken back already, by run 2: held"):
            await house.desk.undo(run.id, "bob")
        await house.desk.cancel(undo.id, "bob")
        assert (house.run().outcome, replicas(house)) == ("cancelled", 4)


@looptime
async def test_what_leaves_nothing_or_is_under_way_is_refused(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.watch()
        house.docker.crash("app-web-1")
        run = await house.acts()
        with pytest.raises(Conflict, match="is under way"):
            await house.desk.undo(run.id, "alice")
        await house.finished()
        with pytest.raises(Conflict, match="nothing that can be taken back"):
            await house.desk.undo(run.id, "alice")
        assert len(house.runs()) == 1


@looptime
async def test_an_alert_that_comes_back_meanwhile_has_a_run_of_its_own(build: Callable[..., House]) -> None:
    always = rules(rule(steps=(SCALE,), guardrails="cooldown: 0s", triage=""))
    async with build(always, **SWARM) as house:
        run = await scaled(house)
        await house.desk.pause("bob", "wait")
        await house.desk.undo(run.id, "alice")
        await house.held(Reason.PAUSED)
        await house.fire()
        await house.until(lambda: len(house.runs()) == 3)
        assert (house.run().undoes, house.run().incident_id) == (None, 2)
        await house.desk.resume("bob")
        await house.until(lambda: all(run.finished for run in house.runs()))
        # Where nothing was to be changed any more, it says so to people.
        assert house.run().reason == Reason.NOTHING_TO_CHANGE
        assert replicas(house) == 2


async def taken_back(house: House) -> None:
    """Scaled, and taken back."""
    run = await scaled(house)
    while len(house.runs()) < 2:
        with suppress(Gone, Conflict):
            await house.desk.undo(run.id, "alice")
        await house.wait(seconds=10)
    undo = await house.finished(within=HOUR)
    assert (undo.outcome, undo.undoes, replicas(house)) == ("succeeded", run.id, 2)
    assert house.docker.scaled == [("web", 4), ("web", 2)], "each change was made once"
    assert [a.status for a in house.attempts()].count(AttemptStatus.APPLIED) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_death_at_any_commit_changes_nothing(when: Literal["before", "after"], tmp_path: Path) -> None:
    async def one(deadly: int) -> int:
        house = House(ONCE_A_DAY, tmp_path, **SWARM)
        house.fate.deadly, house.fate.when = deadly, when
        async with house:
            house.beside(house.restart_when_dead())
            try:
                await taken_back(house)
            except Exception as error:
                error.add_note(f"after a death {when} commit {deadly}")
                raise
        return house.fate.commits

    commits = virtually(lambda: one(0))
    assert commits > 10
    for deadly in range(1, commits + 1):
        virtually(lambda: one(deadly))  # noqa: B023 - called before the next round
