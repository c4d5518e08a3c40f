"""Named requests against a real server: what was sent, what is known of it, and what is never shown."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from remediator.clock import SystemClock
from remediator.model.command import ParamSpec
from remediator.model.request import Expected, RequestSpec
from remediator.model.world import WorldError
from remediator.world.base import Reply, RequestNotSent
from remediator.world.requests import KEPT, MAX_BODY, NamedRequests
from tests.unit.world.stub import (
    CERTIFICATE,
    Answer,
    Request,
    Stub,
    break_off,
    chunked,
    cut_short,
    empty,
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
        stub.on("GET /x", told({"state": "ready"}))
        yield stub


@contextlib.asynccontextmanager
async def named() -> AsyncIterator[NamedRequests]:
    requests = NamedRequests({}, SystemClock(), instance="tests")
    try:
        yield requests
    finally:
        await requests.close()


def request(origin: str, path: str = "/x", **how: Any) -> RequestSpec:
    return RequestSpec(
        **{
            "name": "x",
            "method": "GET",
            "url": origin + path,
            "timeout": timedelta(seconds=30),
            "pause": timedelta(0),
            "repeatable": how.get("tries", 1) > 1,
            **how,
        }
    )


async def send(spec: RequestSpec, *, attempt: int | None = None, **values: str) -> Reply:
    async with named() as requests:
        return await requests.send(spec, spec.fill(values), attempt=attempt)


SOON = timedelta(milliseconds=50)
"""For what never answers."""


# What is sent.


async def test_a_request_as_it_arrives(stub: Stub) -> None:
    stub.on("POST /servers/.*", empty(204))
    spec = request(
        stub.url,
        "/servers/{server}/state?why={why}",
        method="POST",
        body='{"state": "{why}"}',
        params={"server": ParamSpec(), "why": ParamSpec()},
        headers={"X-Team": "ml"},
        secret_headers={"Authorization": SecretStr("Bearer hunter2")},
    )
    reply = await send(spec, attempt=7, server="a/b ä", why="x&y=z")
    assert (reply.status, reply.body, reply.tries, reply.doubtful) == (204, "", 1, False)
    (sent,) = stub.requests
    assert (sent.method, sent.path, sent.query) == (
        "POST",
        "/servers/a%2Fb%20%C3%A4/state",
        {"why": "x&y=z"},
    )
    assert sent.body == b'{"state": "x&y=z"}'
    assert {name: sent.headers.get(name) for name in ("x-team", "authorization", "content-type")} == {
        "x-team": "ml",
        "authorization": "Bearer hunter2",
        "content-type": "application/json",
    }
    assert sent.headers["idempotency-key"] == "tests/7"


async def test_a_look_carries_no_key(stub: Stub) -> None:
    await send(request(stub.url))
    assert "idempotency-key" not in stub.requests[0].headers


async def test_proxies_of_the_environment_are_left_alone(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await send(request(stub.url))).status == 200


async def test_a_proxy_that_is_asked_for_is_used(stub: Stub) -> None:
    stub.on("GET http://far.example.com/x", told({"by": "proxy"}))
    stub.on("GET /x", told({"by": "proxy"}))
    reply = await send(request("http://far.example.com", proxy=stub.url))
    assert reply.told == {"by": "proxy"}


# What comes back.


async def test_any_answer_is_returned(stub: Stub) -> None:
    for status in (200, 404, 500):
        stub.on("GET /x", told({"state": "ready"}, status))
        reply = await send(request(stub.url))
        assert (reply.status, reply.told, reply.body) == (status, {"state": "ready"}, '{"state": "ready"}')


async def test_a_redirect_is_an_answer_and_not_followed(stub: Stub) -> None:
    async with serving() as other:
        other.on("GET /x", told({}))
        stub.on("GET /x", raw(b"", 302, Location=f"{other.url}/x"))
        reply = await send(request(stub.url, secret_headers={"X-Key": SecretStr("hunter2")}))
        assert reply.status == 302
        assert not other.requests


async def test_a_long_answer_keeps_its_ends(stub: Stub) -> None:
    body = b"begin" + b"x" * 100_000 + b"end"
    stub.on("GET /x", raw(body))
    reply = await send(request(stub.url))
    assert len(reply.body) < KEPT + 100
    assert reply.body.startswith("begin")
    assert reply.body.endswith("end")
    assert (reply.body_bytes, reply.told) == (len(body), None)


async def test_an_answer_without_end_is_cut_off(stub: Stub) -> None:
    stub.on("GET /x", chunked(*[b"[" + b"1," * 50_000] * 30))
    reply = await send(request(stub.url))
    assert reply.status == 200
    assert MAX_BODY < reply.body_bytes < 3 * MAX_BODY
    assert reply.told is None


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 100_000, b"<html>", b"NaN,"])
async def test_what_is_no_json_is_text(stub: Stub, body: bytes) -> None:
    stub.on("GET /x", raw(body))
    assert (await send(request(stub.url))).told is None


async def test_no_secret_comes_back_in_an_answer(stub: Stub) -> None:
    async def echo(asked: Request, writer: asyncio.StreamWriter) -> None:
        text = f"{asked.headers} and {asked.headers['x-key']} and password=other-one"
        await raw(text.encode())(asked, writer)

    stub.on("GET /x", echo)
    spec = request(
        stub.url,
        secret_headers={"Authorization": SecretStr("Bearer hunter2"), "X-Key": SecretStr("swordfish")},
        conceal=(SecretStr("hunter2"), SecretStr("swordfish")),
    )
    reply = await send(spec)
    assert not {word for word in ("hunter2", "swordfish", "other-one") if word in reply.body}
    assert "[redacted]" in reply.body


# When nothing, or not all, comes back.


async def test_what_refuses_connections_was_sent_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(
            RequestNotSent, match="could not be reached, nothing was sent: ClientConnectorError"
        ):
            await send(request(url, tries=3))


async def test_a_name_that_does_not_exist_was_sent_nothing() -> None:
    with pytest.raises(RequestNotSent, match=r"http://no\.such\.host\.invalid could not be reached"):
        await send(request("http://no.such.host.invalid"))


async def test_a_certificate_that_is_not_trusted_was_sent_nothing() -> None:
    async with serving(tls=True) as stub:
        with pytest.raises(RequestNotSent, match="Certificate"):
            await send(request(stub.url))
        assert not stub.requests
        stub.on("GET /x", told({}))
        assert (await send(request(stub.url, ca_file=str(CERTIFICATE)))).status == 200
        with pytest.raises(RequestNotSent):
            await send(request(stub.url, ca_file="/no/such/file"))


@pytest.mark.parametrize("answer", [hang, break_off, cut_short, raw(b"", 200, Transfer_Encoding="nonsense")])
async def test_what_was_sent_and_not_answered_leaves_all_open(stub: Stub, answer: Answer) -> None:
    stub.on("GET /x", answer)
    never = answer is hang
    with pytest.raises(WorldError):
        await send(request(stub.url, timeout=SOON if never else timedelta(seconds=30)))
    assert len(stub.requests) == 1


async def test_headers_alone_are_no_answer(stub: Stub) -> None:
    stub.on("GET /x", chunked(b"x", then=asyncio.Event()))
    with pytest.raises(WorldError, match="no answer within"):
        await send(request(stub.url, timeout=SOON))


async def test_errors_tell_neither_path_nor_secrets(stub: Stub) -> None:
    stub.on("GET /x/hunter2", break_off)
    with pytest.raises(WorldError) as caught:
        await send(request(stub.url, "/x/hunter2?y=hunter2"))
    assert str(caught.value).startswith(stub.url)
    assert "hunter2" not in str(caught.value)


# Several tries.


def one_after_another(*answers: Answer) -> Answer:
    waiting = list(answers)

    async def answer(asked: Request, writer: asyncio.StreamWriter) -> None:
        await waiting.pop(0)(asked, writer)

    return answer


@pytest.mark.parametrize("bad", [break_off, told({}, 429), told({}, 502), told({}, 503), told({}, 504)])
async def test_what_may_pass_is_tried_again_with_the_same_key(stub: Stub, bad: Answer) -> None:
    stub.on("GET /x", one_after_another(bad, bad, told({})))
    reply = await send(request(stub.url, tries=3), attempt=7)
    assert (reply.status, reply.tries) == (200, 3)
    assert [sent.headers["idempotency-key"] for sent in stub.requests] == ["tests/7"] * 3


async def test_a_refusal_is_not_tried_again(stub: Stub) -> None:
    stub.on("GET /x", told({}, 404))
    assert (await send(request(stub.url, tries=3))).tries == 1


async def test_the_last_answer_counts_whatever_it_is(stub: Stub) -> None:
    stub.on("GET /x", told({}, 503))
    reply = await send(request(stub.url, tries=2))
    assert (reply.status, reply.tries, reply.doubtful) == (503, 2, False)


@pytest.mark.parametrize(
    ("first", "doubtful"), [(break_off, True), (told({}, 504), True), (told({}, 503), False)]
)
async def test_a_refusal_after_an_open_try_is_doubtful(stub: Stub, first: Answer, doubtful: bool) -> None:
    stub.on("GET /x", one_after_another(first, told({}, 404)))
    reply = await send(request(stub.url, tries=2))
    assert (reply.status, reply.doubtful) == (404, doubtful)


async def test_a_try_that_was_not_sent_does_not_undo_an_open_one() -> None:
    """The server takes a request, and is gone before it is asked again."""

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        server.close()
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(WorldError, match="an earlier try may have arrived"):
        await send(request(f"http://127.0.0.1:{port}", tries=2))


async def test_without_tries_to_spare_there_is_one(stub: Stub) -> None:
    stub.on("GET /x", break_off)
    with pytest.raises(WorldError):
        await send(request(stub.url))
    assert len(stub.requests) == 1


async def test_what_is_expected_is_seen_in_the_whole_body(stub: Stub) -> None:
    stub.on("GET /x", told({"filler": "x" * (3 * KEPT), "state": "ready"}))
    reply = await send(request(stub.url))
    assert Expected(json={"/state": "ready"}).met_by(reply.status, reply.told)
