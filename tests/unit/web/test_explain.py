"""What the API is asked to explain, and the form of what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.web.house import PLAN, House
from tests.unit.web.test_acts import events, post

if TYPE_CHECKING:
    import aiohttp

PATH = "/api/v1/explain"
DOWN = {"labels": {"alertname": "Down"}}


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"alerts": [DOWN]}, ([{"alertname": "Down"}], 5)),
        ({"alerts": [{**DOWN, "starts_at": "2026-03-01T12:00:00Z"}], "all": True}, ([DOWN["labels"]], None)),
        ({"live": 'job="a"'}, ('job="a"', 5)),
        ({"incident": 7}, (7, 5)),
    ],
)
async def test_what_is_asked_reaches_the_desk(
    house: House, alice: aiohttp.ClientSession, body: dict[str, Any], asked: object
) -> None:
    await post(alice, PATH, **body)
    assert house.desk.asked == [asked]
    assert await events(house) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "exactly one"),
        ({"alerts": [DOWN], "incident": 1}, "exactly one"),
        ({"alerts": []}, "alerts"),
        ({"alerts": [{"labels": {}}]}, "alerts.0.labels"),
        ({"alerts": [{"labels": {"a": 1}}]}, "alerts.0.labels.a"),
        ({"alerts": [{**DOWN, "starts_at": "soon"}]}, "alerts.0.starts_at"),
        ({"incident": 0}, "incident"),
        ({"rule": "x"}, "unknown"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    house: House, alice: aiohttp.ClientSession, body: dict[str, Any], told: str
) -> None:
    error = await post(alice, PATH, 400, **body)
    assert told in error["message"]
    assert house.desk.asked == []


async def test_the_form(alice: aiohttp.ClientSession) -> None:
    told = await post(alice, PATH, alerts=[DOWN])
    (one,) = told["explanations"]
    assert (told["found"], told["recorded"]) == (12, [])
    assert (one["rule"], one["severity"], one["overall"], one["at"]) == (
        "app-down",
        "P0",
        "hold",
        "2026-03-01T12:00:00.000Z",
    )
    assert one["rules"]["missed"][0]["unmet"][1] == {"matcher": 'zone="x"', "value": None}
    assert one["plan"]["operations"][0]["object_name"] == PLAN.operations[0].object_name
    assert [v["guardrail"] for v in one["guardrails"]] == ["paused", "cooldown"]


async def test_of_an_incident_the_record_is_told(alice: aiohttp.ClientSession) -> None:
    (event,) = (await post(alice, PATH, incident=7))["recorded"]
    assert (event["kind"], event["at"]) == ("run.decided", "2026-03-01T12:00:00.000Z")


async def test_only_operators_may_ask(
    alertmanager: aiohttp.ClientSession, nobody: aiohttp.ClientSession
) -> None:
    await post(alertmanager, PATH, 403, alerts=[DOWN])
    await post(nobody, PATH, 401, alerts=[DOWN])
