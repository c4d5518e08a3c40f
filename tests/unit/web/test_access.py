"""Who may call what, for every path there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from remediator.web.app import make_app
from tests.unit.web.house import ALICE, BOB, INGEST, House, refusals
from tests.unit.web.house import house as open_house

if TYPE_CHECKING:
    from aiohttp import web

OPEN = {"/metrics", "/-/healthy", "/-/ready"}
WEBHOOK = "/api/v1/webhook"


def routes(app: web.Application) -> list[tuple[str, str]]:
    """Method and path of everything, with something in the place of ids."""
    found = []
    for route in app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical.replace("{id}", "1").replace("{sha256}", "0" * 64)
        found.append((route.method, path))
    return found


async def ask(
    house: House, method: str, path: str, token: str | None, **headers: str
) -> tuple[int, dict[str, str]]:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with (
        aiohttp.ClientSession(house.url) as session,
        session.request(method, path, headers=headers) as response,
    ):
        told = {} if method == "HEAD" else await response.json()
        return response.status, told.get("error", {})


async def test_every_path_but_the_open_ones_takes_an_operators_token() -> None:
    async with open_house() as opened:
        guarded = [(m, p) for m, p in routes(make_app(opened.front)) if p not in OPEN and p != WEBHOOK]
        assert len(guarded) > 20
        for method, path in guarded:
            assert (await ask(opened, method, path, None))[0] == 401, (method, path)
            assert (await ask(opened, method, path, "wrong"))[0] == 401, (method, path)
            assert (await ask(opened, method, path, INGEST))[0] == 403, (method, path)
            assert (await ask(opened, method, path, ALICE))[0] not in (401, 403), (method, path)


async def test_every_path_but_the_open_ones_refuses_pages_of_other_sites() -> None:
    async with open_house() as opened:
        for method, path in routes(make_app(opened.front)):
            if path in OPEN:
                continue
            token = INGEST if path == WEBHOOK else ALICE
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
                status, error = await ask(opened, method, path, token, **headers)
                assert status == 403, (method, path, headers)
                assert method == "HEAD" or "other sites" in error["message"]


async def test_a_page_of_the_daemons_own_may_call(house: House) -> None:
    own = {"Sec-Fetch-Site": "same-origin", "Origin": house.url}
    assert (await ask(house, "GET", "/api/v1/runs", ALICE, **own))[0] == 200


@pytest.mark.parametrize("path", sorted(OPEN))
async def test_the_open_paths_take_anybody(house: House, nobody: aiohttp.ClientSession, path: str) -> None:
    async with nobody.get(path) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1/", "/api/v1/webhook/", "/api/v1/runs/", "//", "/../etc/passwd", "/%00"]
)
async def test_a_path_that_leads_nowhere(house: House, path: str) -> None:
    status, error = await ask(house, "GET", path, ALICE)
    assert (status, error["code"]) == (404, "not_found")
    assert "docs/reference/http-api.md" in error["message"]


@pytest.mark.parametrize("name", ["0", "-1", "1.5", "x", "01", "9" * 30, "1%2F2", "\u0661"])
async def test_what_is_no_id_leads_nowhere(house: House, name: str) -> None:
    assert (await ask(house, "GET", f"/api/v1/runs/{name}", ALICE))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", WEBHOOK, {"POST"}),
        ("PUT", WEBHOOK, {"POST"}),
        ("OPTIONS", WEBHOOK, {"POST"}),
        ("DELETE", "/api/v1/runs", {"GET", "HEAD", "POST"}),
        ("GET", "/-/reload", {"POST"}),
        ("POST", "/metrics", {"GET", "HEAD"}),
    ],
)
async def test_a_method_that_a_path_does_not_take(
    house: House, alice: aiohttp.ClientSession, method: str, path: str, allowed: set[str]
) -> None:
    async with alice.request(method, path) as response:
        assert response.status == 405
        assert (await response.json())["error"]["code"] == "method_not_allowed"
        assert set(response.headers["Allow"].split(",")) == allowed


async def test_every_answer_carries_the_headers_that_keep_browsers_out(
    house: House, alice: aiohttp.ClientSession
) -> None:
    for path in ("/metrics", "/api/v1/runs", "/api/v1/runs/7", "/nowhere", "/-/reload"):
        async with alice.get(path) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff", path
            assert response.headers["Content-Security-Policy"].startswith("default-src 'none'"), path
            assert response.headers["Cache-Control"] == "no-store", path
            assert "Access-Control-Allow-Origin" not in response.headers, path


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("NotFound", 404, "not_found"),
        ("Conflict", 409, "conflict"),
        ("Invalid", 400, "invalid"),
        ("Unavailable", 503, "unavailable"),
    ],
)
async def test_each_refusal_of_the_desk_has_its_status(
    house: House, name: str, status: int, code: str
) -> None:
    house.desk.refuse = refusals()[name]
    got, error = await ask(house, "POST", "/api/v1/runs/1/cancel", ALICE)
    assert (got, error) == (status, {"code": code, "message": "told to the caller"})


async def test_an_unknown_expectation_is_refused(house: House, alice: aiohttp.ClientSession) -> None:
    async with alice.get("/api/v1/runs", headers={"Expect": "a-miracle"}) as response:
        assert response.status == 417
        assert (await response.json())["error"]["code"] == "expectation_failed"


async def test_a_token_is_worth_the_same_in_any_case_of_its_scheme(house: House) -> None:
    headers = {"Authorization": f"bEaReR {BOB}"}
    async with (
        aiohttp.ClientSession(house.url) as session,
        session.get("/api/v1/runs", headers=headers) as response,
    ):
        assert response.status == 200
