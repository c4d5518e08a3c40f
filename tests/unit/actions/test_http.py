"""`http`: a named request as an act, its probe after a crash, and its undo."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from remediator.actions.http import Http
from remediator.model.command import ParamSpec
from remediator.model.request import Expected, RequestParams, RequestSpec
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from remediator.world.simulated import SimulatedWorld
from tests.unit.given import BARE, intent, stored, stored_plan
from tests.unit.still_clock import StillClock

if TYPE_CHECKING:
    from remediator.model.plan import Operation, PlanSpec
    from remediator.model.run import Attempt

URL = "http://lb:8080/servers"
SERVER = {"server": ParamSpec(pattern="[a-z]+", default="all")}
SPECS = (
    RequestSpec(
        name="drain",
        method="POST",
        url=f"{URL}/{{server}}/state",
        body='{"state": "drain"}',
        params=SERVER,
        secret_headers={"Authorization": SecretStr("Bearer hunter2")},
        expect=Expected(status=(200, 204)),
        probe="state",
        undo="enable",
    ),
    RequestSpec(
        name="state",
        method="GET",
        url=f"{URL}/{{server}}",
        params={"server": ParamSpec()},
        expect=Expected(json={"/state": "drain"}),
        expect_not=Expected(json={"/state": "ready"}),
    ),
    RequestSpec(
        name="enable", method="PUT", url=f"{URL}/{{server}}", params={"server": ParamSpec()}, repeatable=True
    ),
    RequestSpec(name="nudge", method="PUT", url=URL, repeatable=True, tries=3),
    RequestSpec(name="shove", method="POST", url=URL),
)
HTTP = Http({spec.name: spec for spec in SPECS})
CHANGED = "the request drain was changed by a reload after this was planned; nothing was sent"


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld.make(StillClock(), requests=SPECS)


async def plan(world: SimulatedWorld, name: str, **params: str) -> PlanSpec:
    return await HTTP.plan(BARE, {"name": name, "params": params}, world)


async def begin(world: SimulatedWorld, name: str, **params: str) -> tuple[Operation, Attempt]:
    return intent(await plan(world, name, **params), world)


def reload(world: SimulatedWorld, name: str, **changed: Any) -> None:
    """The configuration is read again, with one request written differently."""
    world.requests.specs = {**world.requests.specs, name: replace(world.requests.specs[name], **changed)}


# Checking and planning.


def test_a_rule_is_told_what_cannot_be_asked_for() -> None:
    assert HTTP.check(RequestParams(name="drain", params={"server": "web"})) is None
    assert "did you mean `drain`?" in str(HTTP.check(RequestParams(name="drian")))
    assert "does not match" in str(HTTP.check(RequestParams(name="drain", params={"server": "../x"})))
    assert HTTP.check(RequestParams(name="drain", params={"server": "{{ labels.host }}"})) is None
    assert "no such parameter" in str(
        HTTP.check(RequestParams(name="nudge", params={"x": "{{ labels.host }}"}))
    )


async def test_a_template_that_was_not_filled_in_is_only_a_value(world: SimulatedWorld) -> None:
    with pytest.raises(TargetError, match="does not match"):
        await plan(world, "drain", server="{{ labels.host }}")


async def test_the_plan_holds_what_is_sent(world: SimulatedWorld) -> None:
    made = await plan(world, "drain", server="web")
    (operation,) = made.operations
    assert operation.object_id == "tower/drain"
    assert {key: value for key, value in operation.change.items() if key != "spec"} == {
        "request": "drain",
        "method": "POST",
        "url": f"{URL}/web/state",
        "body": '{"state": "drain"}',
    }
    assert made.summary == f"send the request drain for tower: POST {URL}/web/state"
    assert made.digest("1") != (await plan(world, "drain")).digest("1")
    assert "hunter2" not in str(asdict(made))
    assert not world.requests.arrived


async def test_there_is_time_for_all_tries(world: SimulatedWorld) -> None:
    (operation,) = (await plan(world, "nudge")).operations
    assert operation.timeout > timedelta(seconds=10 + 1 + 10 + 1 + 10)


@pytest.mark.parametrize(("name", "params"), [("gone", {}), ("drain", {"server": "WEB"})])
async def test_what_does_not_fit_cannot_be_planned(
    world: SimulatedWorld, name: str, params: dict[str, str]
) -> None:
    with pytest.raises(TargetError) as caught:
        await plan(world, name, **params)
    assert caught.value.reason is Reason.INVALID_PARAMS


# Applying.


async def test_the_expected_answer_is_success(world: SimulatedWorld) -> None:
    world.requests.behaves("drain", status=204, seconds=2)
    operation, attempt = await begin(world, "drain", server="web")
    result = await HTTP.apply(operation, attempt, world)
    assert result == Applied(
        result={"status": 204, "body": "", "body_bytes": 0, "seconds": 2, "tries": 1},
    )
    (sent,) = world.requests.arrived
    assert (sent.method, sent.url, sent.body, sent.attempt) == (
        "POST",
        f"{URL}/web/state",
        {"state": "drain"},
        attempt.id,
    )


@pytest.mark.parametrize("status", [201, 302, 404, 409, 500, 503])
async def test_any_other_answer_is_a_failure(world: SimulatedWorld, status: int) -> None:
    world.requests.behaves("drain", status=status, body={"why": "no such server"})
    result = await HTTP.apply(*await begin(world, "drain"), world)
    assert isinstance(result, ActFailed)
    assert result.result["error"] == f"HTTP {status}, not as expected"
    assert result.result["body"] == '{"why": "no such server"}'


@pytest.mark.parametrize("status", [502, 504])
async def test_a_gateway_does_not_know_what_became_of_it(world: SimulatedWorld, status: int) -> None:
    world.requests.behaves("drain", status=status)
    assert isinstance(await HTTP.apply(*await begin(world, "drain"), world), Unknown)


async def test_what_was_not_sent_did_nothing(world: SimulatedWorld) -> None:
    world.requests.behaves("drain", unreachable="Connection refused")
    result = await HTTP.apply(*await begin(world, "drain"), world)
    assert result == ActFailed(
        result={"error": "http://lb:8080 could not be reached, nothing was sent: Connection refused"}
    )


@pytest.mark.parametrize("how", [{"breaks": True}, {"seconds": 11}])
async def test_without_an_answer_the_outcome_is_open(world: SimulatedWorld, how: dict[str, Any]) -> None:
    world.requests.behaves("drain", **how)
    assert isinstance(await HTTP.apply(*await begin(world, "drain"), world), Unknown)
    assert len(world.requests.arrived) == 1


CHANGES = (
    {"url": f"{URL}/{{server}}/mode"},
    {"method": "PATCH"},
    {"body": '{"state": "ready"}'},
    {"headers": {"X-Scope": "all"}},
    {"secret_headers": {}},
    {"expect": Expected(status=(200,))},
    {"timeout": timedelta(seconds=31)},
    {"proxy": "http://proxy:1"},
    {"probe": None},
    {"repeatable": True},
    {"params": {"server": ParamSpec(default="none")}},
    {"params": {"server": ParamSpec()}},
)


@pytest.mark.parametrize("changed", CHANGES)
async def test_one_that_a_reload_changed_is_not_sent(world: SimulatedWorld, changed: dict[str, Any]) -> None:
    operation, attempt = await begin(world, "drain")
    reload(world, "drain", **changed)
    assert await HTTP.apply(operation, attempt, world) == ActFailed(result={"error": CHANGED})
    assert not world.requests.arrived


async def test_one_that_a_reload_took_away_is_not_sent(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world, "drain")
    world.requests.specs = {}
    assert await HTTP.apply(operation, attempt, world) == ActFailed(result={"error": CHANGED})


async def test_a_secret_that_was_replaced_does_not_change_the_plan(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world, "drain")
    reload(world, "drain", secret_headers={"Authorization": SecretStr("Bearer other")}, undo=None)
    assert isinstance(await HTTP.apply(operation, attempt, world), Applied)


# Probing.


@pytest.mark.parametrize(
    ("state", "expected"), [("drain", Applied), ("ready", NotApplied), ("maint", Unknown)]
)
async def test_the_probe_request_tells(world: SimulatedWorld, state: str, expected: type) -> None:
    world.requests.behaves("state", status=200, body={"state": state})
    operation, attempt = await begin(world, "drain", server="web")
    result = await HTTP.probe(operation, attempt, world)
    assert isinstance(result, expected)
    assert result.result["probe"]["status"] == 200
    (sent,) = world.requests.arrived
    assert (sent.name, sent.url, sent.attempt) == ("state", f"{URL}/web", None)


async def test_another_status_of_the_probe_tells_nothing(world: SimulatedWorld) -> None:
    world.requests.behaves("state", status=500, body={"state": "ready"})
    assert isinstance(await HTTP.probe(*await begin(world, "drain"), world), Unknown)


@pytest.mark.parametrize("how", [{"unreachable": "refused"}, {"breaks": True}])
async def test_a_probe_without_an_answer_is_asked_again(world: SimulatedWorld, how: dict[str, Any]) -> None:
    world.requests.behaves("state", **how)
    with pytest.raises(WorldError):
        await HTTP.probe(*await begin(world, "drain"), world)


async def test_the_probe_gets_the_defaults_of_the_request(world: SimulatedWorld) -> None:
    await HTTP.probe(*await begin(world, "drain"), world)
    assert world.requests.sent("state")[0].url == f"{URL}/all"


async def test_a_probe_that_a_reload_took_away_tells_nothing(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world, "drain")
    world.requests.specs = {"drain": SPECS[0]}
    assert isinstance(await HTTP.probe(operation, attempt, world), Unknown)
    world.requests.specs = {}
    assert isinstance(await HTTP.probe(operation, attempt, world), Unknown)


@pytest.mark.parametrize(("name", "expected"), [("nudge", NotApplied), ("shove", Unknown)])
async def test_without_a_probe_only_what_may_be_repeated_is_tried_again(
    world: SimulatedWorld, name: str, expected: type
) -> None:
    assert isinstance(await HTTP.probe(*await begin(world, name), world), expected)
    assert not world.requests.arrived


async def test_a_daemon_that_dies_leaves_it_to_the_probe(world: SimulatedWorld) -> None:
    states = {"state": "ready"}
    world.requests.behaves("drain", seconds=5, effect=lambda: states.update(state="drain"))
    operation, attempt = await begin(world, "drain")
    act = asyncio.create_task(HTTP.apply(operation, attempt, world))
    await asyncio.sleep(0)
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    world.requests.behaves("state", status=200, body=states)
    assert isinstance(await HTTP.probe(operation, attempt, world), Applied)


# Undoing.


@pytest.mark.parametrize(("params", "server"), [({"server": "web"}, "web"), ({}, "all")])
async def test_the_undo_is_a_plan_with_the_same_values(
    world: SimulatedWorld, params: dict[str, str], server: str
) -> None:
    made = await plan(world, "drain", **params)
    back = HTTP.undo(stored_plan(made), [stored(o) for o in made.operations])
    assert back is not None
    assert back.params == {"name": "enable", "params": {"server": server}}
    assert back.operations[0].change["url"] == f"{URL}/{server}"
    assert back.operations[0].object_id == "tower/enable"


async def test_what_names_no_undo_is_not_taken_back(world: SimulatedWorld) -> None:
    made = await plan(world, "shove")
    assert HTTP.undo(stored_plan(made), [stored(o) for o in made.operations]) is None
