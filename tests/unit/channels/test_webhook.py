"""The generic channel against a real HTTP server: what is sent, and what each answer leads to."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from remediator.channels.base import Delivered, Failed, Retry
from remediator.channels.webhook import WebhookChannel
from remediator.model.run import Message

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = b"between-us"


class FixedClock:
    def now(self):
        return NOW


class Receiver:
    """Keeps what it was sent, and answers as told."""

    def __init__(self):
        self.requests = []
        self.status = 200
        self.headers = {}
        self.release = None

    async def handle(self, request):
        self.requests.append((request.path, request.headers.copy(), await request.read()))
        if self.release is not None:
            await self.release.wait()
        return web.Response(status=self.status, headers=self.headers, text="secret of the receiver")


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
async def server(receiver):
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.handle)
    async with TestServer(app) as server:
        yield server


@pytest.fixture
async def channel(server):
    channel = WebhookChannel(str(server.make_url("/hook/T0KEN")), SECRET, FixedClock())
    yield channel
    await channel.close()


def message(**changes):
    fields = {
        "id": 42,
        "channel": "hook",
        "incident_id": 3,
        "kind": "failed",
        "payload": {"run": 12, "title": "App\x1bDown"},
        "status": "waiting",
        "created_at": NOW - timedelta(minutes=1),
        "next_at": NOW,
    }
    return Message(**{**fields, **changes})


async def test_the_body_is_for_people_and_programs(channel, receiver):
    assert await channel.send(message()) == Delivered()
    [(path, headers, body)] = receiver.requests
    assert path == "/hook/T0KEN"
    assert headers["Content-Type"] == "application/json"
    told = json.loads(body)
    assert told["kind"] == "failed"
    assert told["incident"] == 3
    assert told["created_at"] == "2026-03-01T11:59:00Z"
    assert told["payload"] == {"run": 12, "title": "App\x1bDown"}
    assert r"App\x1bDown" in told["text"]


async def test_the_signature_covers_time_and_body(channel, receiver):
    await channel.send(message())
    [(_, headers, body)] = receiver.requests
    unix = int(NOW.timestamp())
    expected = hmac.new(SECRET, str(unix).encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Remediator-Signature"] == f"t={unix},v1={expected}"


async def test_tries_of_one_message_share_a_key_and_messages_do_not(channel, receiver):
    await channel.send(message())
    await channel.send(message(attempts=1, error="HTTP 500"))
    await channel.send(message(id=43))
    await channel.send(message(created_at=NOW))
    keys = [headers["Idempotency-Key"] for _, headers, _ in receiver.requests]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert json.loads(receiver.requests[0][2])["id"] == keys[0]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_delivered(channel, receiver, status):
    receiver.status = status
    assert await channel.send(message()) == Delivered()


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408, 401, 403, 404])
async def test_what_people_or_time_can_mend_is_tried_again(channel, receiver, status):
    receiver.status = status
    assert await channel.send(message()) == Retry(reason=f"HTTP {status}")


@pytest.mark.parametrize("status", [400, 410, 413, 422])
async def test_a_refusal_of_the_message_itself_is_final(channel, receiver, status):
    receiver.status = status
    delivery = await channel.send(message())
    assert isinstance(delivery, Failed)
    assert str(status) in delivery.reason
    assert "secret" not in delivery.reason


@pytest.mark.parametrize(
    ("asked", "after"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("99999999", 3600.0),
        ("9" * 5000, 3600.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
async def test_retry_after_is_honoured_within_reason(channel, receiver, asked, after):
    receiver.status = 503
    receiver.headers = {"Retry-After": asked}
    assert await channel.send(message()) == Retry(reason="HTTP 503", after=after)


async def test_redirects_are_not_followed(channel, receiver):
    receiver.status = 307
    receiver.headers = {"Location": "/elsewhere"}
    delivery = await channel.send(message())
    assert isinstance(delivery, Retry)
    assert "redirect" in delivery.reason
    assert [path for path, _, _ in receiver.requests] == ["/hook/T0KEN"]


async def test_nobody_there_is_tried_again_without_telling_the_url(server):
    url = str(server.make_url("/hook/T0KEN"))
    await server.close()
    channel = WebhookChannel(url, SECRET, FixedClock())
    delivery = await channel.send(message())
    await channel.close()
    assert isinstance(delivery, Retry)
    assert "connect" in delivery.reason.lower()
    assert "T0KEN" not in delivery.reason


async def test_an_unusable_url_does_not_raise_or_tell_itself():
    channel = WebhookChannel("http://:99999/T0KEN", SECRET, FixedClock())
    delivery = await channel.send(message())
    await channel.close()
    assert isinstance(delivery, Retry)
    assert "T0KEN" not in delivery.reason


async def test_a_receiver_that_never_answers_is_given_up(server, receiver):
    receiver.release = asyncio.Event()
    channel = WebhookChannel(str(server.make_url("/")), SECRET, FixedClock(), timeout=0.05)
    delivery = await channel.send(message())
    receiver.release.set()
    await channel.close()
    assert delivery == Retry(reason="no answer within 0.05 s")
