"""Asking an HTTP API: credentials, addresses and certificates, and that none of it leaks."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from remediator.clock import SystemClock
from remediator.model.world import WorldError
from remediator.world.asking import FIRST_PAUSE, Asker, Endpoint, basic, bearer
from tests.unit.world.stub import (
    CERTIFICATE,
    Answer,
    Request,
    Stub,
    break_off,
    cut_short,
    hang,
    raw,
    serving,
    told,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with serving() as stub:
        stub.on("GET /x", told({"a": 1}))
        yield stub


async def ask(endpoint: Endpoint, seconds: float = 2) -> Any:
    asker = Asker(endpoint, SystemClock(), timeout=seconds)
    try:
        return (await asker.get("/x")).told
    finally:
        await asker.close()


async def test_an_answer(stub: Stub) -> None:
    assert await ask(Endpoint(url=stub.url)) == {"a": 1}
    assert "authorization" not in stub.requests[0].headers


@pytest.mark.parametrize(
    ("authorization", "header"),
    [
        (bearer(lambda: "t0ken"), "Bearer t0ken"),
        (basic("alice", lambda: "pässword"), "Basic " + base64.b64encode("alice:pässword".encode()).decode()),
    ],
)
async def test_credentials(stub: Stub, authorization: Any, header: str) -> None:
    await ask(Endpoint(url=stub.url, authorization=authorization))
    assert stub.requests[0].headers["authorization"] == header


async def test_credentials_are_read_anew_each_time(stub: Stub) -> None:
    tokens = iter(["first", "second"])
    asker = Asker(
        Endpoint(url=stub.url, authorization=bearer(lambda: next(tokens))), SystemClock(), timeout=2
    )
    await asker.get("/x")
    await asker.get("/x")
    await asker.close()
    assert [r.headers["authorization"] for r in stub.requests] == ["Bearer first", "Bearer second"]


async def test_credentials_that_cannot_be_read(stub: Stub) -> None:
    def gone() -> str:
        raise FileNotFoundError(2, "No such file or directory", "/run/secrets/token")

    with pytest.raises(WorldError, match="the credentials cannot be read: No such file"):
        await ask(Endpoint(url=stub.url, authorization=bearer(gone)))
    assert not stub.requests


async def test_credentials_that_would_break_the_request(stub: Stub) -> None:
    with pytest.raises(WorldError) as caught:
        await ask(Endpoint(url=stub.url, authorization=bearer(lambda: "hunter2\r\nX: y")))
    assert "hunter2" not in str(caught.value)
    assert not stub.requests


@pytest.mark.parametrize("answer", [break_off, raw(b"", 401), raw(b"<html>"), hang])
async def test_a_password_in_the_address_is_used_and_never_told(stub: Stub, answer: Answer) -> None:
    endpoint = Endpoint(url=stub.url.replace("http://", "http://alice:hunter2@"))
    stub.on("GET /x", answer)
    with pytest.raises(WorldError) as caught:
        await ask(endpoint, seconds=0.2)
    assert str(caught.value).startswith(f"{stub.url}: ")
    assert "hunter2" not in str(caught.value)
    assert stub.requests[0].headers["authorization"] == "Basic " + base64.b64encode(b"alice:hunter2").decode()


async def test_credentials_do_not_follow_a_redirect(stub: Stub) -> None:
    stub.on("GET /x", raw(b"", 302, Location=f"{stub.url}/other"))
    with pytest.raises(WorldError, match="HTTP 302"):
        await ask(Endpoint(url=stub.url, authorization=bearer(lambda: "t")))
    assert not stub.asked("/other")


@pytest.mark.parametrize("path", ["/base", "/base/"])
async def test_an_address_with_a_path(stub: Stub, path: str) -> None:
    stub.on("GET /base/x", told("found"))
    assert await ask(Endpoint(url=stub.url + path)) == "found"


@pytest.mark.parametrize("url", ["127.0.0.1:9093", "ftp://x", "http://", "/path"])
def test_an_address_of_no_use(url: str) -> None:
    with pytest.raises(ValueError, match="expected an address"):
        Asker(Endpoint(url=url), SystemClock(), timeout=1)


async def test_certificates_of_ones_own() -> None:
    async with serving(tls=True) as stub:
        stub.on("GET /x", told(1))
        assert await ask(Endpoint(url=stub.url, ca_file=str(CERTIFICATE))) == 1
        with pytest.raises(WorldError, match="Certificate"):
            await ask(Endpoint(url=stub.url))


def test_a_certificate_file_of_no_use(tmp_path: Any) -> None:
    for file in (tmp_path / "none", tmp_path / "empty"):
        with pytest.raises(ValueError, match=f"{file} is no file of certificates"):
            Asker(Endpoint(url="https://x", ca_file=str(file)), SystemClock(), timeout=1)
        (tmp_path / "empty").write_text("nothing")


async def test_the_servers_words_are_cut(stub: Stub) -> None:
    stub.on("GET /x", raw(b"no " * 10_000, 500))
    with pytest.raises(WorldError) as caught:
        await ask(Endpoint(url=stub.url))
    assert len(str(caught.value)) < 500


async def test_a_connection_that_breaks_is_tried_again(stub: Stub) -> None:
    answers = iter([cut_short, cut_short, told("well")])

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await next(answers)(request, writer)

    stub.on("GET /x", answer)
    assert await ask(Endpoint(url=stub.url)) == "well"


class Impatient(SystemClock):
    """Does not wait, and remembers how long it was to."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (break_off, [FIRST_PAUSE, 2 * FIRST_PAUSE]),
        (cut_short, [FIRST_PAUSE, 2 * FIRST_PAUSE]),
        (raw(b"", 503), []),
        (raw(b"<html>"), []),
        (hang, []),
    ],
)
async def test_what_is_tried_again_and_what_is_not(stub: Stub, answer: Answer, waits: list[float]) -> None:
    stub.on("GET /x", answer)
    clock = Impatient()
    asker = Asker(Endpoint(url=stub.url), clock, timeout=0.5)
    with pytest.raises(WorldError):
        await asker.get("/x")
    await asker.close()
    assert clock.waits == waits


async def test_a_wrong_certificate_is_not_tried_again() -> None:
    clock = Impatient()
    async with serving(tls=True) as stub:
        asker = Asker(Endpoint(url=stub.url), clock, timeout=2)
        with pytest.raises(WorldError, match="Certificate"):
            await asker.get("/x")
        await asker.close()
    assert clock.waits == []


async def test_the_tries_together_get_no_longer_than_one(stub: Stub) -> None:
    class Endless(SystemClock):
        async def sleep(self, seconds: float) -> None:
            await asyncio.Event().wait()

    stub.on("GET /x", break_off)
    asker = Asker(Endpoint(url=stub.url), Endless(), timeout=0.2)
    with pytest.raises(WorldError, match=r"no answer within 0\.2 s"):
        await asker.get("/x")
    await asker.close()
