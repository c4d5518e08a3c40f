"""The daemon dies at every commit of a scenario in turn, and each time the day ends as it should.

A death just before a commit comes after whatever the world was made to do since the commit before; one
just after it comes before anybody has heard of it. Between them lies every moment that a crash can tell
apart, because a life reaches the store and the world only by awaiting them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pytest

from remediator.decide.policy import Policy, SeverityPolicy
from remediator.engine.face import Conflict
from remediator.model.command import CommandSpec
from remediator.model.words import ApprovalStatus, AttemptStatus, Mode, RunStatus, Severity
from tests.simulation.given import RESTART, rule, rules
from tests.simulation.house import HOUR, House
from tests.simulation.life import Gone
from tests.simulation.virtual import virtually

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FAILOVER = CommandSpec(name="failover", argv=("/usr/local/bin/failover",), probe="standby-runs")
STANDBY = CommandSpec(name="standby-runs", argv=("/usr/local/bin/standby-runs",))
"""Tells whether the failover took place."""


async def mended(house: House) -> None:
    """Two containers that are ill are restarted, one after the other; stopping takes them a while."""
    for name in ("app-web-1", "app-web-2"):
        house.docker.box(name).stops_after = 3
        house.docker.breaks(name)
    house.watch()
    await house.until(lambda: house.runs() and house.run().finished)
    await house.until(lambda: not house.incidents()[-1].open)

    assert (house.run().outcome, house.run().reason) == ("succeeded", "verified")
    assert len(house.runs()) == len(house.incidents()) == 1
    assert house.docker.restarts == ["app-web-1", "app-web-2"]
    assert {a.status for a in house.attempts()} <= {AttemptStatus.APPLIED, AttemptStatus.NOT_APPLIED}
    assert [a.status for a in house.attempts()].count(AttemptStatus.APPLIED) == 2
    assert house.inbox.taken == []


async def approved(house: House) -> None:
    """Nobody answers at first; from the second time on alice says yes."""
    house.watch()
    house.docker.crash("app-web-1")
    await house.until(lambda: house.runs() and house.run().status is RunStatus.AWAITING_APPROVAL)
    await house.wait(minutes=3)
    house.beside(say_yes(house, "alice"))
    await house.until(lambda: house.run().finished)
    await house.until(lambda: not house.incidents()[-1].open)

    assert (house.run().outcome, house.run().reason) == ("succeeded", "verified")
    asked = [approval.status for approval in house.approvals(house.run())]
    # A yes may come to be too old while the daemon finds out what became of an act; then it asks anew.
    assert (asked[0], {*asked[1:-1]} <= {"superseded"}, asked[-1]) == ("expired", True, "granted")
    assert house.docker.restarts == ["app-web-1"]
    assert [a.status for a in house.attempts()].count(AttemptStatus.APPLIED) == 1
    assert list(dict.fromkeys(house.inbox.kinds)) == ["approval_wanted", "approval_expired"]


async def climbed(house: House) -> None:
    """The restart does not help; the command after it runs for a while, and fails; people are told."""
    house.watch()
    house.docker.breaks("app-web-1", incurable=True)
    house.commands.behaves("failover", seconds=20, exit_code=1)
    house.commands.behaves("standby-runs", exit_code=1)
    await house.until(lambda: house.runs() and house.run().finished, within=HOUR)
    await house.until(lambda: house.inbox.kinds[:1] == ["failed"])

    assert (house.run().outcome, house.run().step) == ("failed", 1)
    assert house.docker.restarts == ["app-web-1"]
    # It may be begun anew where nobody knows what became of it and its probe says: not done.
    assert 1 <= len(house.commands.ran("failover")) <= 2


HASTY = Policy(
    severities={
        **Policy().severities,
        Severity.P0: SeverityPolicy(mode=Mode.APPROVE, approval_expires=timedelta(minutes=2)),
    }
)
"""Otherwise most deaths would fall into an uneventful half hour."""

SCENARIOS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "mended": (mended, rules(), {"replicas": 2}),
    "approved": (approved, rules(rule(severity="P0")), {"policy": HASTY}),
    "climbed": (
        climbed,
        rules(rule(steps=(RESTART, "{command: {name: failover}}"))),
        {"commands": [FAILOVER, STANDBY]},
    ),
}


async def say_yes(house: House, actor: str) -> None:
    """Say yes to every question from now on, again where the connection breaks."""
    while True:
        for approval in house.approvals(house.run()):
            if approval.status is ApprovalStatus.PENDING:
                with suppress(Gone, Conflict):
                    await house.desk.approve(approval.id, actor)
        await asyncio.sleep(1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_death_at_any_commit_changes_nothing_of_how_it_ends(
    name: str, when: Literal["before", "after"], tmp_path: Path
) -> None:
    scenario, written, how = SCENARIOS[name]

    async def one(deadly: int) -> int:
        house = House(written, tmp_path, **how)
        house.fate.deadly, house.fate.when = deadly, when
        async with house:
            house.beside(house.restart_when_dead())
            try:
                await scenario(house)
            except Exception as error:
                error.add_note(f"after a death {when} commit {deadly}")
                raise
        return house.fate.commits

    commits = virtually(lambda: one(0))
    assert commits > 10
    for deadly in range(1, commits + 1):
        virtually(lambda: one(deadly))  # noqa: B023 - called before the next round
