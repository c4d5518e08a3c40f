"""The check `http`: what a named request shows, and that only one that looks may be named."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.checks.http import HttpLook
from remediator.model.command import ParamSpec
from remediator.model.request import Expected, RequestParams, RequestSpec
from remediator.world.simulated import SimulatedWorld
from tests.unit.given import BARE
from tests.unit.still_clock import StillClock

if TYPE_CHECKING:
    from remediator.model.world import Finding

STATE = RequestSpec(
    name="state",
    method="GET",
    url="http://lb/servers/{server}",
    params={"server": ParamSpec(pattern="[a-z]+", default="all")},
    timeout=timedelta(seconds=5),
    expect=Expected(json={"/state": "ready"}),
)
DRAIN = RequestSpec(name="drain", method="PUT", url="http://lb/drain", repeatable=True)
LOOK = HttpLook({"state": STATE, "drain": DRAIN})


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld.make(StillClock(), requests=[STATE, DRAIN])


async def look(world: SimulatedWorld, name: str = "state", **params: str) -> Finding:
    return await LOOK.look(BARE, {"name": name, "params": params}, world)


async def test_the_expected_answer_is_well(world: SimulatedWorld) -> None:
    world.requests.behaves("state", status=200, body={"state": "ready"}, seconds=0.5)
    finding = await look(world, server="web")
    assert (finding.ok, finding.summary) == (True, "state: HTTP 200 in 0.50 s")
    assert finding.text == '{"state": "ready"}'
    assert finding.facts == {"request": "state", "status": 200, "seconds": 0.5}
    (sent,) = world.requests.arrived
    assert (sent.url, sent.attempt) == ("http://lb/servers/web", None)


@pytest.mark.parametrize(("status", "body"), [(200, {"state": "maint"}), (500, {"state": "ready"})])
async def test_any_other_answer_is_not(world: SimulatedWorld, status: int, body: Any) -> None:
    world.requests.behaves("state", status=status, body=body)
    finding = await look(world)
    assert (finding.ok, finding.summary) == (False, f"state: HTTP {status} in 0.00 s, not as expected")


@pytest.mark.parametrize(
    ("how", "summary"),
    [
        ({"unreachable": "no route"}, "http://lb could not be reached, nothing was sent: no route"),
        ({"seconds": 6}, "http://lb: no answer within 5 s"),
        ({"breaks": True}, "http://lb: ServerDisconnectedError"),
    ],
)
async def test_without_an_answer_nobody_can_tell(
    world: SimulatedWorld, how: dict[str, Any], summary: str
) -> None:
    world.requests.behaves("state", **how)
    finding = await look(world)
    assert (finding.ok, finding.summary) == (None, summary)


@pytest.mark.parametrize(
    ("name", "params", "wrong"),
    [
        ("sate", {}, "there is no request `sate` in the configuration; did you mean `state`?"),
        ("drain", {}, "the request drain is a PUT; a check only looks, by GET or HEAD"),
        ("state", {"server": "WEB"}, "server: 'WEB' does not match '[a-z]+'"),
    ],
)
async def test_what_cannot_be_looked_at(
    world: SimulatedWorld, name: str, params: dict[str, str], wrong: str
) -> None:
    assert LOOK.check(RequestParams(name=name, params=params)) == wrong
    finding = await look(world, name, **params)
    assert (finding.ok, finding.summary) == (None, wrong)
    assert not world.requests.arrived
