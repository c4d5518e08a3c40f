"""What the API tells: each form, its pages, and the queries that it refuses."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.model.world import Applied, Unknown
from remediator.store import StoreError
from tests.unit.web.explained import OBJECT
from tests.unit.web.house import LOGS, NOW, PLAN, RULE, House

if TYPE_CHECKING:
    import aiohttp


async def get(session: aiohttp.ClientSession, path: str, expected: int = 200, **query: Any) -> Any:
    async with session.get(f"/api/v1/{path}", params=query) as response:
        told = await response.json()
        assert response.status == expected, told
        return told


async def test_the_status_tells_how_the_daemon_is(house: House, alice: aiohttp.ClientSession) -> None:
    await house.desk.plan(await house.desk.fire())
    await house.desk.pause("bob", "hands off")
    house.desk.ready = False
    assert await get(alice, "status") == {
        "version": "1.2.3",
        "rules_version": "rules-1",
        "ready": False,
        "checks": {"store": {"ok": True, "detail": ""}, "docker": {"ok": False, "detail": "it is down"}},
        "paused": True,
        "pause": {"by": "bob", "reason": "hands off", "at": "2026-03-01T12:00:00.000Z"},
        "incidents_open": {"P0": 1},
        "approvals_pending": 1,
        "notifications_pending": 0,
        "outbox_oldest_seconds": 0.0,
    }


async def test_lists_are_empty_at_first(alice: aiohttp.ClientSession) -> None:
    for name in ("incidents", "runs", "approvals", "events", "quarantine"):
        assert await get(alice, name) == {name: [], "next": None}


async def test_an_incident_with_its_alerts_and_runs(house: House, alice: aiohttp.ClientSession) -> None:
    run = await house.desk.fire(1, instance='a"b\n$(c)')
    await house.desk.fire(2, instance="second")
    told = await get(alice, "incidents/1")
    assert told["title"] == "ApplicationDown on app"
    assert (told["severity"], told["type"], told["status"]) == ("P0", None, "open")
    assert told["opened_at"] == "2026-03-01T12:00:00.000Z"
    assert told["alerts_total"] == 2
    newest, oldest = told["alerts"]
    assert newest["labels"]["instance"] == "second"
    assert oldest["labels"] == {"alertname": "ApplicationDown", "service": "app", "instance": 'a"b\n$(c)'}
    assert oldest["annotations"] == {"summary": "the app is down"}
    assert oldest["starts_at"] == "2026-03-01T11:59:00.000Z"
    assert [r["id"] for r in told["runs"]] == [run]


async def test_an_incident_with_very_many_alerts_shows_some_and_tells_the_number(
    house: House, alice: aiohttp.ClientSession
) -> None:
    for number in range(130):
        await house.desk.fire(number)
    told = await get(alice, "incidents/1")
    assert told["alerts_total"] == 130
    assert len(told["alerts"]) == 100


async def test_a_run_that_waits_for_approval(house: House, alice: aiohttp.ClientSession) -> None:
    run = await house.desk.fire()
    await house.desk.plan(run)
    told = await get(alice, f"runs/{run}")
    assert (told["status"], told["outcome"], told["severity"]) == ("awaiting_approval", None, "P0")
    assert (told["rule"], told["rule_version"], told["service"]) == ("app-down", "rule-version", "app")
    assert told["requested_by"] == "alert"
    assert (told["owner"], told["runbook_url"]) == ("platform", "https://wiki.example.com/app-down")
    plan = told["plan"]
    assert (plan["action"], plan["summary"]) == ("restart", "restart container app-1")
    assert plan["digest"] == PLAN.digest("rule-version")
    (operation,) = plan["operations"]
    assert (operation["object_id"], operation["object_name"]) == (OBJECT, "app-1")
    assert operation["change"] == {"stop_timeout": 10}
    assert operation["timeout_seconds"] == 60.0
    (approval,) = told["approvals"]
    assert (approval["status"], approval["decisions"]) == ("pending", [])
    assert told["attempts"] == []
    (seen,) = told["evidence"]
    assert (seen["check"], seen["summary"], seen["text"]) == ("logs", "2 lines", LOGS)


async def test_a_run_that_has_acted(house: House, alice: aiohttp.ClientSession) -> None:
    run = await house.desk.fire()
    await house.desk.plan(run)
    await house.desk.approve(1, "alice", "go on")
    await house.desk.plan(run)
    await house.desk.act(run, Applied(result={"exit_code": 0}))
    told = await get(alice, f"runs/{run}")
    assert told["status"] == "verifying"
    assert told["verify_from"] == "2026-03-01T12:00:00.000Z"
    (attempt,) = told["attempts"]
    assert (attempt["status"], attempt["result"]) == ("applied", {"exit_code": 0})
    assert (attempt["kind"], attempt["object_name"]) == ("container.restart", "app-1")
    (approval,) = told["approvals"]
    assert approval["status"] == "granted"
    assert approval["decisions"] == [
        {"actor": "alice", "granted": True, "reason": "go on", "at": "2026-03-01T12:00:00.000Z"}
    ]


async def test_a_held_run_tells_why_and_until_when(house: House, alice: aiohttp.ClientSession) -> None:
    run = await house.desk.fire()
    await house.desk.pause("bob", "deploying")
    await house.desk.plan(run)
    told = await get(alice, f"runs/{run}")
    assert (told["status"], told["hold_reason"]) == ("held", "paused")
    assert "deploying" in told["hold_detail"]


async def test_an_approval_holds_all_that_an_approver_needs(
    house: House, alice: aiohttp.ClientSession
) -> None:
    run = await house.desk.fire(instance="10.0.0.1:8000")
    await house.desk.plan(run)
    told = await get(alice, "approvals/1")
    assert (told["status"], told["needed"], told["ask"], told["run"]) == ("pending", 1, 1, run)
    assert told["reason"] == "severity_policy"
    assert told["expires_at"] == "2026-03-01T12:30:00.000Z"
    assert (told["rule"], told["service"]) == ("app-down", "app")
    assert (told["owner"], told["runbook_url"]) == ("platform", "https://wiki.example.com/app-down")
    assert (told["incident"]["severity"], told["incident"]["title"]) == ("P0", "ApplicationDown on app")
    assert told["digest"] == told["plan"]["digest"]
    assert told["plan"]["operations"][0]["object_id"] == OBJECT
    (alert,) = told["alerts"]
    assert alert["labels"]["instance"] == "10.0.0.1:8000"
    assert alert["annotations"] == {"summary": "the app is down"}
    (seen,) = told["evidence"]
    assert seen["text"] == LOGS
    assert seen["text_cut"] is False
    assert told["decisions"] == []


async def test_a_replaced_approval_does_not_show_the_plan_of_its_successor(
    house: House, alice: aiohttp.ClientSession
) -> None:
    run = await house.desk.fire()
    await house.desk.plan(run)
    await house.desk.approve(1, "alice")
    other = replace(PLAN, operations=(replace(PLAN.operations[0], object_id="another"),))
    await house.desk.plan(run, other)
    first, second = await get(alice, "approvals/1"), await get(alice, "approvals/2")
    assert (first["status"], first["plan"]) == ("superseded", None)
    assert second["plan"]["operations"][0]["object_id"] == "another"
    assert first["digest"] != second["digest"]


async def test_approvals_are_listed_with_what_is_needed_to_recognise_them(
    house: House, alice: aiohttp.ClientSession
) -> None:
    await house.desk.plan(await house.desk.fire())
    (told,) = (await get(alice, "approvals", status="pending"))["approvals"]
    assert told["plan"]["summary"] == "restart container app-1"
    assert told["incident"]["severity"] == "P0"
    assert (await get(alice, "approvals", status="denied"))["approvals"] == []


async def test_evidence_is_plain_text_as_it_was_kept(house: House, alice: aiohttp.ClientSession) -> None:
    await house.desk.plan(await house.desk.fire())
    (seen,) = (await get(alice, "runs/1"))["evidence"]
    assert seen["path"] == f"/api/v1/evidence/{hashlib.sha256(LOGS.encode()).hexdigest()}"
    async with alice.get(seen["path"]) as response:
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert await response.read() == LOGS.encode()


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/json", "text/plainly"])
async def test_evidence_of_another_kind_is_only_for_saving(
    house: House, alice: aiohttp.ClientSession, media_type: str
) -> None:
    sha256 = await house.desk.store.write(lambda store: store.add_evidence(b"<script>", media_type))
    async with alice.get(f"/api/v1/evidence/{sha256}") as response:
        assert response.content_type == "application/octet-stream"
        assert response.headers["Content-Disposition"] == "attachment"


async def test_long_evidence_shows_its_end_within_a_form_and_all_of_it_at_its_own_path(
    house: House, alice: aiohttp.ClientSession
) -> None:
    text = "begin" + "x" * 70_000 + "end"
    await house.desk.plan(await house.desk.fire(), logs=text)
    for path in ("runs/1", "approvals/1"):
        (seen,) = (await get(alice, path))["evidence"]
        assert seen["text_cut"] is True
        assert (len(seen["text"]), seen["text"][-3:]) == (65_536, "end")
    async with alice.get(seen["path"]) as response:
        assert await response.text() == text


async def test_a_run_whose_act_nobody_can_tell_of(house: House, alice: aiohttp.ClientSession) -> None:
    run = await house.desk.fire()
    await house.desk.plan(run)
    await house.desk.approve(1, "alice")
    await house.desk.plan(run)
    await house.desk.act(run, Unknown(result={"error": "timeout"}))
    told = await get(alice, f"runs/{run}")
    assert told["status"] == "unknown"
    assert told["attempts"][0]["status"] == "unknown"


@pytest.mark.parametrize("name", ["incidents", "runs"])
async def test_pages_lead_through_all_of_a_list_newest_first(
    house: House, alice: aiohttp.ClientSession, name: str
) -> None:
    for number in range(1, 8):
        await house.desk.fire(number, service=f"svc-{number}")
    seen: list[int] = []
    page = await get(alice, name, limit=3)
    while True:
        seen += [entry["id"] for entry in page[name]]
        if page["next"] is None:
            break
        page = await get(alice, name, limit=3, before=page["next"])
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_lists_are_filtered(house: House, alice: aiohttp.ClientSession) -> None:
    for number in range(1, 4):
        await house.desk.fire(number, service=f"svc-{number}")
    await house.desk.cancel(2, "alice")
    assert [r["id"] for r in (await get(alice, "runs", status="finished"))["runs"]] == [2]
    assert [r["id"] for r in (await get(alice, "runs", service="svc-3"))["runs"]] == [3]
    assert [r["id"] for r in (await get(alice, "runs", incident=1))["runs"]] == [1]
    assert [i["id"] for i in (await get(alice, "incidents", service="svc-2"))["incidents"]] == [2]
    assert [i["id"] for i in (await get(alice, "incidents", status="resolved"))["incidents"]] == []


async def test_events_come_in_their_order_and_by_chain(house: House, alice: aiohttp.ClientSession) -> None:
    await house.desk.fire()
    await house.desk.pause("bob", "x")
    everything = (await get(alice, "events"))["events"]
    assert [event["seq"] for event in everything] == list(range(1, len(everything) + 1))
    assert everything[-1]["kind"] == "pause.on"
    assert everything[-1]["actor"] == "bob"
    assert len(everything[-1]["hash"]) == 64
    of_system = (await get(alice, "events", chain="system"))["events"]
    assert [event["kind"] for event in of_system] == ["pause.on"]
    of_incident = (await get(alice, "events", chain="incident:1"))["events"]
    assert [event["number"] for event in of_incident] == list(range(1, len(everything)))
    first = await get(alice, "events", limit=1)
    assert first["next"] == 1
    assert (await get(alice, "events", after=first["next"], limit=1))["events"][0]["seq"] == 2


async def test_quarantined_alerts_are_told_with_what_was_wrong(
    house: House, alice: aiohttp.ClientSession
) -> None:
    await house.desk.store.write(lambda store: store.add_quarantine(4, 2, '{"bad":', "labels: missing"))
    assert (await get(alice, "quarantine"))["quarantine"] == [
        {
            "id": 1,
            "notification": 4,
            "position": 2,
            "error": "labels: missing",
            "raw": '{"bad":',
            "at": "2026-03-01T12:00:00.000Z",
        }
    ]


@pytest.mark.parametrize(
    "path", ["incidents/9", "runs/9", "approvals/9", f"evidence/{'0' * 64}", "runs/999999999999999999"]
)
async def test_what_does_not_exist_is_said_not_to(alice: aiohttp.ClientSession, path: str) -> None:
    told = await get(alice, path, 404)
    assert told["error"]["code"] == "not_found"
    assert "there is no" in told["error"]["message"]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("runs?limit=0", "limit"),
        ("runs?limit=501", "limit"),
        ("runs?limit=x", "limit"),
        ("runs?limit=", "limit"),
        ("runs?limit=1&limit=2", "limit"),
        ("runs?before=0", "before"),
        ("runs?before=99999999999999999999", "before"),
        ("runs?status=running", "status"),
        ("runs?after=1", "after: unknown; this takes before, limit, incident, status, service"),
        ("runs?incident=-1", "incident"),
        ("incidents?status=closed", "status"),
        ("approvals?service=app", "service"),
        ("events?before=1", "before"),
        ("events?after=-1", "after"),
        ("events?chain=incident:0", "chain"),
        ("events?chain=other", "chain"),
        ("quarantine?x=1", "x: unknown"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused_by_name(
    alice: aiohttp.ClientSession, path: str, named: str
) -> None:
    told = await get(alice, path, 400)
    assert told["error"]["code"] == "invalid"
    assert named in told["error"]["message"]


async def test_a_store_that_fails_is_said_to_without_its_path(
    house: House, alice: aiohttp.ClientSession
) -> None:
    house.desk.refuse = StoreError("store /var/lib/x.db: disk I/O error")
    async with alice.get("/api/v1/runs") as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "1"
        told = (await response.json())["error"]
    assert told["code"] == "store_failed"
    assert "/var/lib" not in told["message"]


async def test_times_are_told_in_utc_whatever_zone_they_came_in(
    house: House, alice: aiohttp.ClientSession
) -> None:
    house.desk.clock.at = NOW + timedelta(microseconds=123_456)
    await house.desk.fire()
    assert (await get(alice, "incidents/1"))["opened_at"] == "2026-03-01T12:00:00.123Z"
    assert RULE.name == (await get(alice, "runs/1"))["rule"]
