"""What operators do by the API: it happens under their name, or is refused with a reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from remediator.model.world import Unknown
from remediator.reading.problems import InputError, Problem
from tests.unit.web.house import PLAN, House

if TYPE_CHECKING:
    import aiohttp

DIGEST = PLAN.digest("rule-version")


async def post(
    session: aiohttp.ClientSession, path: str, expected: int = 200, /, **body: Any
) -> dict[str, Any]:
    async with session.post(path, json=body) as response:
        told: dict[str, Any] = await response.json()
        assert response.status == expected, told
        return told if expected == 200 else told["error"]


async def events(house: House) -> list[tuple[str, str]]:
    """Kind and actor of everything on the record."""
    found = await house.desk.store.read(lambda reader: reader.list_events(limit=1000))
    return [(event.kind, event.actor) for event in found]


@pytest.fixture
async def asked(house: House) -> int:
    """A run that waits for approval 1."""
    run = await house.desk.fire()
    await house.desk.plan(run)
    return run


async def test_an_approval_is_given_under_the_operators_name(
    house: House, alice: aiohttp.ClientSession, asked: int
) -> None:
    told = await post(alice, "/api/v1/approvals/1/approve", digest=DIGEST, reason=" go on ")
    assert (told["status"], told["run"], told["digest"]) == ("granted", asked, DIGEST)
    assert ("approval.decided", "alice") in await events(house)
    (decision,) = await house.desk.store.read(lambda reader: reader.decisions(1))
    assert (decision.actor, decision.reason) == ("alice", "go on")


async def test_an_approval_needs_no_body(alice: aiohttp.ClientSession, asked: int) -> None:
    async with alice.post("/api/v1/approvals/1/approve") as response:
        assert response.status == 200


async def test_an_approval_of_another_plan_is_refused(alice: aiohttp.ClientSession, asked: int) -> None:
    error = await post(alice, "/api/v1/approvals/1/approve", 409, digest="0" * 64)
    assert error["code"] == "conflict"
    assert "another plan" in error["message"]


async def test_nobody_can_decide_in_anothers_name(alice: aiohttp.ClientSession, asked: int) -> None:
    error = await post(alice, "/api/v1/approvals/1/approve", 400, actor="bob")
    assert "actor: unknown; this takes reason, digest" in error["message"]


async def test_an_approval_is_decided_once(
    alice: aiohttp.ClientSession, bob: aiohttp.ClientSession, asked: int
) -> None:
    await post(alice, "/api/v1/approvals/1/approve")
    assert (await post(bob, "/api/v1/approvals/1/approve", 409))["code"] == "conflict"


async def test_a_yes_is_taken_back(house: House, alice: aiohttp.ClientSession, asked: int) -> None:
    await post(alice, "/api/v1/approvals/1/approve")
    told = await post(alice, "/api/v1/approvals/1/deny", reason="wait, not this one")
    assert told["status"] == "denied"
    assert ("approval.revoked", "alice") in await events(house)
    assert (await post(alice, "/api/v1/approvals/1/approve", 409))["code"] == "conflict"


async def test_a_denial_ends_the_run(house: House, bob: aiohttp.ClientSession, asked: int) -> None:
    told = await post(bob, "/api/v1/approvals/1/deny", reason="not now")
    assert told["status"] == "denied"
    assert ("run.finished", "bob") in await events(house)


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": None}, {"reason": 1}])
async def test_a_denial_needs_a_reason(
    house: House, alice: aiohttp.ClientSession, asked: int, body: dict[str, Any]
) -> None:
    error = await post(alice, "/api/v1/approvals/1/deny", 400, **body)
    assert error["message"].startswith("reason: ")
    assert ("approval.denied", "alice") not in await events(house)


async def test_a_run_is_started_by_hand(house: House, alice: aiohttp.ClientSession) -> None:
    told = await post(alice, "/api/v1/runs", rule="app-down", service="app", reason="just because")
    assert (told["status"], told["requested_by"], told["service"]) == ("planning", "alice", "app")
    error = await post(alice, "/api/v1/runs", 409, rule="app-down", service="app")
    assert "already under way" in error["message"]


async def test_a_rule_that_does_not_exist_cannot_be_run(alice: aiohttp.ClientSession) -> None:
    error = await post(alice, "/api/v1/runs", 404, rule="nonsense", service="app")
    assert error == {"code": "not_found", "message": "there is no rule nonsense"}


@pytest.mark.parametrize("body", [{}, {"rule": "a"}, {"service": "a"}, {"rule": "", "service": "a"}])
async def test_a_run_needs_rule_and_service(alice: aiohttp.ClientSession, body: dict[str, str]) -> None:
    assert (await post(alice, "/api/v1/runs", 400, **body))["code"] == "invalid"


async def test_a_run_is_cancelled(house: House, alice: aiohttp.ClientSession, asked: int) -> None:
    told = await post(alice, f"/api/v1/runs/{asked}/cancel", reason="no need")
    assert (told["status"], told["outcome"], told["reason"]) == (
        "finished",
        "cancelled",
        "cancelled_by_person",
    )
    assert (await post(alice, f"/api/v1/runs/{asked}/cancel", 409))["code"] == "conflict"


@pytest.fixture
async def unsettled(house: House, asked: int) -> int:
    """A run whose act nobody can tell of."""
    await house.desk.approve(1, "alice")
    await house.desk.plan(asked)
    await house.desk.act(asked, Unknown(result={}))
    return asked


@pytest.mark.parametrize(("applied", "status"), [(True, "verifying"), (False, "planning")])
async def test_an_unknown_outcome_is_settled(
    alice: aiohttp.ClientSession, unsettled: int, applied: bool, status: str
) -> None:
    told = await post(alice, f"/api/v1/runs/{unsettled}/settle", applied=applied, reason="I looked")
    assert told["status"] == status


@pytest.mark.parametrize("body", [{}, {"applied": "yes"}, {"applied": 1}, {"applied": None}])
async def test_settling_needs_a_plain_yes_or_no(
    alice: aiohttp.ClientSession, unsettled: int, body: dict[str, Any]
) -> None:
    error = await post(alice, f"/api/v1/runs/{unsettled}/settle", 400, **body)
    assert error["message"].startswith("applied: ")


async def test_a_run_that_needs_no_settling(alice: aiohttp.ClientSession, asked: int) -> None:
    assert (await post(alice, f"/api/v1/runs/{asked}/settle", 409, applied=True))["code"] == "conflict"


async def test_a_run_is_taken_back_by_another(alice: aiohttp.ClientSession, asked: int) -> None:
    assert (await post(alice, f"/api/v1/runs/{asked}/undo", 409))["code"] == "conflict"
    await post(alice, f"/api/v1/runs/{asked}/cancel")
    told = await post(alice, f"/api/v1/runs/{asked}/undo", reason="never mind")
    assert (told["undoes"], told["status"], told["requested_by"]) == (asked, "planning", "alice")
    assert (await post(alice, "/api/v1/runs/99/undo", 404))["code"] == "not_found"


async def test_the_kill_switch_is_thrown_and_released(house: House, alice: aiohttp.ClientSession) -> None:
    told = await post(alice, "/api/v1/pause", reason="deploying")
    assert told["pause"] == {"by": "alice", "reason": "deploying", "at": "2026-03-01T12:00:00.000Z"}
    assert await post(alice, "/api/v1/resume") == {"paused": False, "pause": None}
    assert await events(house) == [("pause.on", "alice"), ("pause.off", "alice")]
    assert (await post(alice, "/api/v1/resume", 409))["code"] == "conflict"


async def test_a_pause_needs_a_reason(alice: aiohttp.ClientSession) -> None:
    assert (await post(alice, "/api/v1/pause", 400))["message"].startswith("reason: ")


async def test_a_reload_tells_the_new_version(alice: aiohttp.ClientSession) -> None:
    assert await post(alice, "/-/reload") == {"rules_version": "rules-2, by alice"}


async def test_a_reload_of_bad_files_tells_each_mistake_with_its_place(
    house: House, alice: aiohttp.ClientSession
) -> None:
    house.desk.refuse = InputError(
        [Problem(file="rules/a.yml", line=3, column=5, message="unknown key `foo`")]
    )
    error = await post(alice, "/-/reload", 400)
    assert error["code"] == "invalid_input"
    assert "rules/a.yml:3:5: unknown key `foo`" in error["message"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"{", "invalid_json"),
        (b"[]", "invalid"),
        (b"null", "invalid"),
        (b'"x"', "invalid"),
        (b"\xff", "invalid_json"),
        (b'{"reason": NaN}', "invalid_json"),
    ],
)
async def test_a_body_that_is_no_object_is_refused(
    house: House, alice: aiohttp.ClientSession, asked: int, sent: bytes, code: str
) -> None:
    async with alice.post("/api/v1/approvals/1/approve", data=sent) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == code
    assert ("approval.granted", "alice") not in await events(house)


async def test_an_operators_body_is_small(alice: aiohttp.ClientSession, asked: int) -> None:
    sent = json.dumps({"reason": "x" * 70_000}).encode()
    async with alice.post("/api/v1/approvals/1/approve", data=sent) as response:
        assert response.status == 413
    error = await post(alice, "/api/v1/approvals/1/approve", 400, reason="x" * 3_000)
    assert error["message"].startswith("reason: ")
