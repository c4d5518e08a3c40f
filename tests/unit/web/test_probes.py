"""What machines ask: health, readiness, and metrics that outlive a store that fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from remediator.store import StoreError
from tests.unit.web.house import ALICE

if TYPE_CHECKING:
    from remediator.metrics import Levels
    from tests.unit.web.house import House


async def levels(session: aiohttp.ClientSession) -> dict[str, float]:
    """Each sample of a scrape without labels, and the open incidents by severity."""
    async with session.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        text = await response.text()
    return {
        sample.name.removeprefix("remediator_") + sample.labels.get("severity", ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_healthy_as_long_as_it_answers(house: House, nobody: aiohttp.ClientSession) -> None:
    house.desk.ready = False
    house.desk.refuse = StoreError("gone")
    async with nobody.get("/-/healthy") as response:
        assert (response.status, await response.json()) == (200, {"healthy": True})


async def test_ready_with_each_check(house: House, nobody: aiohttp.ClientSession) -> None:
    async with nobody.get("/-/ready") as response:
        told = await response.json()
        assert (response.status, told["ready"]) == (200, True)
    house.desk.ready = False
    async with nobody.get("/-/ready") as response:
        told = await response.json()
        assert (response.status, told["ready"]) == (503, False)
        assert told["checks"] == {"store": {"ok": True}, "docker": {"ok": False}}


async def test_why_it_is_not_ready_is_for_operators(
    house: House, alice: aiohttp.ClientSession, alertmanager: aiohttp.ClientSession
) -> None:
    house.desk.ready = False
    async with alice.get("/-/ready") as response:
        told = await response.json()
        assert (response.status, told["ready"]) == (503, False)
        assert told["checks"]["docker"] == {"ok": False, "detail": "it is down"}
    async with alertmanager.get("/-/ready") as response:
        assert "it is down" not in await response.text()


@pytest.mark.parametrize("token", [None, ALICE])
async def test_a_page_of_another_site_is_not_told_whether_it_is_ready(
    house: House, token: str | None
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with aiohttp.ClientSession(house.url) as session:
        async with session.get("/-/ready", headers=headers) as response:
            assert response.status == 403
            assert "checks" not in await response.text()
        async with session.get("/-/ready", headers={"Sec-Fetch-Site": "none"}) as response:
            assert response.status == 200, "somebody has typed the address"


async def test_levels_are_read_anew_at_each_scrape(house: House, nobody: aiohttp.ClientSession) -> None:
    before = await levels(nobody)
    assert (before["incidents_openP0"], before["approvals_pending"], before["ready"]) == (0, 0, 1)
    await house.desk.plan(await house.desk.fire())
    await house.desk.pause("bob", "x")
    after = await levels(nobody)
    assert (after["incidents_openP0"], after["approvals_pending"], after["paused"]) == (1, 1, 1)


async def test_a_scrape_works_with_the_last_levels_when_the_store_does_not(
    house: House, nobody: aiohttp.ClientSession
) -> None:
    await house.desk.plan(await house.desk.fire())
    await levels(nobody)
    house.desk.refuse = StoreError("disk I/O error")
    after = await levels(nobody)
    assert (after["incidents_openP0"], after["approvals_pending"]) == (1, 1)
    assert after["ready"] == 0  # for it cannot do its work, whatever it said last


async def test_a_scrape_does_not_wait_for_levels_that_never_come(
    house: House, nobody: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remediator.web.probes.LEVELS_SECONDS", 0.01)

    async def never() -> Levels:
        await asyncio.Event().wait()
        raise AssertionError

    house.front.levels = never
    assert (await levels(nobody))["ready"] == 0


async def test_the_build_is_told(nobody: aiohttp.ClientSession) -> None:
    async with nobody.get("/metrics") as response:
        assert 'remediator_build_info{python="' in await response.text()


async def test_a_head_request_has_no_body(nobody: aiohttp.ClientSession) -> None:
    async with nobody.head("/-/ready") as response:
        assert (response.status, await response.read()) == (200, b"")
