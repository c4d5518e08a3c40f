"""The checks `tcp` and `health_url`: what can be reached, what cannot, and what nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from remediator.model.world import WorldError
from remediator.world.near import Connected, Fetched, NoAnswer
from tests.unit.checks.given import LOOKS, look
from tests.unit.given import BARE

if TYPE_CHECKING:
    from remediator.world.simulated import SimulatedWorld

REDIS = ("redis", 6379)
OPEN = Connected(address="10.0.0.7:6379", seconds=0.012)


# tcp


async def test_ports_that_are_open(world: SimulatedWorld) -> None:
    world.network.open = {REDIS: OPEN, ("::1", 80): Connected(address="[::1]:80", seconds=0)}
    finding = await look(world, "tcp", BARE, targets=["redis:6379", "[::1]:80"])
    assert (finding.ok, finding.summary) == (True, "2 ports took a connection")
    assert "redis:6379: connected to 10.0.0.7:6379 in 12 ms" in finding.text
    assert [target["open"] for target in finding.facts["targets"]] == [True, True]


async def test_one_that_is_closed_hides_no_other(world: SimulatedWorld) -> None:
    world.network.open = {REDIS: OPEN, ("db", 5432): NoAnswer("10.0.0.8:5432: Connection refused")}
    finding = await look(world, "tcp", targets=["redis:6379", "db:5432", "nowhere:1"])
    assert finding.ok is False
    assert finding.summary == (
        "db:5432: 10.0.0.8:5432: Connection refused; nowhere:1: nowhere cannot be resolved"
    )
    assert "connected to 10.0.0.7:6379" in finding.text


async def test_a_name_that_nobody_knows_tells_nothing(world: SimulatedWorld) -> None:
    finding = await look(world, "tcp", targets=["redis:6379"])
    assert (finding.ok, finding.summary) == (None, "redis:6379: redis cannot be resolved")


@pytest.mark.parametrize(
    "target",
    [
        "",
        "redis",
        "redis:",
        "redis:0",
        "redis:65536",
        ":80",
        "a b:1",
        "{{ labels.host }}:1",
        "::1:80",
        "http://a:1",
    ],
)
def test_what_is_no_address_is_refused(target: str) -> None:
    with pytest.raises(ValidationError):
        LOOKS["tcp"].params(targets=[target])


# health_url

URL = "http://app:8000/healthz"


@pytest.mark.parametrize(
    ("status", "params", "well"),
    [
        (200, {}, True),
        (204, {}, True),
        (302, {}, False),
        (503, {}, False),
        (401, {"status": 401}, True),
        (200, {"status": 204}, False),
    ],
)
async def test_a_health_endpoint_by_its_status(
    world: SimulatedWorld, status: int, params: dict[str, Any], well: bool
) -> None:
    world.network.pages[URL] = Fetched(status=status, seconds=0.25, body=b"told")
    finding = await look(world, "health_url", url=URL, **params)
    assert (finding.ok, finding.summary) == (well, f"{URL}: HTTP {status} in 250 ms")
    assert finding.text.endswith("\n\ntold")
    assert finding.facts == {"url": URL, "status": status, "seconds": 0.25}


async def test_no_answer_is_not_well(world: SimulatedWorld) -> None:
    finding = await look(world, "health_url", url=URL)
    assert (finding.ok, finding.summary) == (False, f"{URL}: connection refused")


async def test_the_catalogue_knows_the_endpoint_of_a_service(world: SimulatedWorld) -> None:
    world.network.pages[URL] = Fetched(status=200, seconds=0)
    assert (await look(world, "health_url", replace(BARE, health_url=URL))).ok is True
    finding = await look(world, "health_url", BARE)
    assert (finding.ok, finding.summary) == (None, "no `url` is given, and tower has no `health_url`")


async def test_a_name_that_nobody_knows_is_no_answer_about_health(world: SimulatedWorld) -> None:
    world.network.pages[URL] = WorldError("app is not a name")
    assert (await look(world, "health_url", url=URL)).ok is None


async def test_what_is_kept_of_a_page_is_cut_and_holds_no_secrets(world: SimulatedWorld) -> None:
    body = b"\x1b[2J password=hunter2 \xff"
    url = f"{URL}?key=hunter3"
    world.network.pages[url] = Fetched(status=500, seconds=0, body=body, cut=True)
    finding = await look(world, "health_url", url=url)
    assert "hunter" not in finding.text + finding.summary + str(finding.facts)
    assert "\x1b" not in finding.text
    assert finding.text.endswith("[... cut ...]")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app:8000",
        "ftp://app/",
        "http://",
        "http://user:hunter2@app/",
        "http://app:x/",
        "http://{{ labels.host }}/",
        "http://a b/",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LOOKS["health_url"].params(url=url)
    assert "hunter2" not in caught.value.errors()[0]["msg"]
