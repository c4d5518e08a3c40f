"""The receiver: what is accepted, what is refused, and that nothing readable is lost."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from remediator.engine.face import Busy, Draining, StoreFailed
from tests.unit.web.house import ALICE, INGEST, House
from tests.unit.web.house import house as open_house

if TYPE_CHECKING:
    import aiohttp

PATH = "/api/v1/webhook"


def alert(number: int = 1, **labels: str) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "Down", "n": str(number), **labels},
        "annotations": {},
        "startsAt": "2026-03-01T11:59:00.000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": f"{number:016x}",
    }


def body(*alerts: Any, **fields: Any) -> bytes:
    return json.dumps({"version": "4", "alerts": list(alerts), **fields}).encode()


async def kept(house: House) -> list[bytes]:
    """The bodies in the store."""
    found = await house.desk.store.read(lambda reader: reader.pending_notifications(100))
    return [notification.body for notification in found]


async def error(response: aiohttp.ClientResponse) -> tuple[int, str, str]:
    """Status, code and message of a refusal, after looking at its form."""
    told = await response.json()
    assert told.keys() == {"error"}
    assert told["error"].keys() == {"code", "message"}
    assert "Traceback" not in told["error"]["message"]
    return response.status, told["error"]["code"], told["error"]["message"]


async def test_a_notification_is_on_disk_before_it_is_answered(
    house: House, alertmanager: aiohttp.ClientSession
) -> None:
    sent = body(alert(), receiver="remediator")
    async with alertmanager.post(PATH, data=sent) as response:
        assert response.status == 200
        assert await response.json() == {"status": "accepted", "notification": 1}
    assert await kept(house) == [sent]


async def test_the_bytes_are_kept_as_they_came_with_fields_that_nobody_knows(
    house: House, alertmanager: aiohttp.ClientSession
) -> None:
    sent = (
        b'{ "version":"4",\n "routeLabels":{"a":"b"}, "notification_reason":"x", "alerts":[ {"new":1.50} ] }'
    )
    async with alertmanager.post(PATH, data=sent) as response:
        assert response.status == 200
    assert await kept(house) == [sent]


async def test_who_posted_it_is_known_by_the_token(house: House, alertmanager: aiohttp.ClientSession) -> None:
    async with alertmanager.post(PATH, data=body(alert())):
        pass
    (found,) = await house.desk.store.read(lambda reader: reader.pending_notifications(10))
    assert found.source == "alertmanager"


async def test_basic_authentication_takes_the_token_as_password_of_any_user(
    house: House, nobody: aiohttp.ClientSession
) -> None:
    credentials = b64encode(f"anyone:{INGEST}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    async with nobody.post(PATH, data=body(alert()), headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {INGEST}x",
        f"bearer{INGEST}",
        "Bearer caf\u00e9",
        "Basic !!!",
        f"Basic {b64encode(b'user:wrong').decode()}",
        f"Basic {b64encode(INGEST.encode()).decode()}",
        f"Digest {INGEST}",
    ],
)
async def test_without_a_right_token_nothing_is_taken_in(
    house: House, nobody: aiohttp.ClientSession, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with nobody.post(PATH, data=body(alert()), headers=headers) as response:
        status, code, message = await error(response)
        assert (status, code) == (401, "unauthorized")
        assert "ingest token" in message
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert await kept(house) == []


async def test_an_operators_token_is_not_for_posting(house: House, alice: aiohttp.ClientSession) -> None:
    async with alice.post(PATH, data=body(alert())) as response:
        assert (await error(response))[:2] == (403, "forbidden")
    assert await kept(house) == []


async def test_an_operators_token_as_a_basic_password_is_none(nobody: aiohttp.ClientSession) -> None:
    credentials = b64encode(f"alice:{ALICE}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    async with nobody.post(PATH, data=body(alert()), headers=headers) as response:
        assert (await error(response))[:2] == (401, "unauthorized")


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
    ids=str,
)
async def test_a_page_of_another_site_cannot_make_a_browser_post(
    house: House, alertmanager: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with alertmanager.post(PATH, data=body(alert()), headers=headers) as response:
        assert (await error(response))[:2] == (403, "forbidden")
    assert await kept(house) == []


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "x-gzip", "identity, gzip", "nonsense"])
async def test_a_compressed_body_is_refused_unread(
    house: House, alertmanager: aiohttp.ClientSession, coding: str
) -> None:
    headers = {"Content-Encoding": coding}
    async with alertmanager.post(PATH, data=gzip.compress(body(alert())), headers=headers) as response:
        status, code, message = await error(response)
        assert (status, code) == (415, "compressed")
        assert "send it as it is" in message
        assert response.headers["Accept-Encoding"] == "identity"
    assert await kept(house) == []


async def test_a_compressed_body_without_a_token_is_not_even_looked_at(
    house: House, nobody: aiohttp.ClientSession
) -> None:
    headers = {"Content-Encoding": "gzip"}
    async with nobody.post(PATH, data=b"nothing that could be inflated", headers=headers) as response:
        assert (await error(response))[:2] == (401, "unauthorized")


async def test_a_body_that_says_that_it_is_as_it_is(
    house: House, alertmanager: aiohttp.ClientSession
) -> None:
    # With an `Expect` it takes the long way.
    for more in ({}, {"Expect": "100-continue"}):
        headers = {"Content-Encoding": "Identity", **more}
        async with alertmanager.post(PATH, data=body(alert()), headers=headers) as response:
            assert response.status == 200
    assert len(await kept(house)) == 2


DEEP = b'{"version":"4","alerts":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "invalid_json"),
        (b"hello", "invalid_json"),
        (body(alert())[:-1], "invalid_json"),
        (body(alert()) + b"}", "invalid_json"),
        (b'{"version":"4","alerts":[NaN]}', "invalid_json"),
        (b'{"version":"4","alerts":[Infinity]}', "invalid_json"),
        (b'{"version":"4","alerts":["\xff\xfe"]}', "invalid_json"),
        (b"\xef\xbb\xbf" + body(alert()), "invalid_json"),
        ("\ufeff".encode("utf-16"), "invalid_json"),
        (DEEP, "invalid_json"),
        (b"null", "invalid_notification"),
        (b"[]", "invalid_notification"),
        (b'"text"', "invalid_notification"),
        (b"{}", "unknown_version"),
        (b'{"version":"3","alerts":[]}', "unknown_version"),
        (b'{"version":"5","alerts":[]}', "unknown_version"),
        (b'{"version":4,"alerts":[]}', "unknown_version"),
        (b'{"version":["4"],"alerts":[]}', "unknown_version"),
        (b'{"version":"4"}', "invalid_notification"),
        (b'{"version":"4","alerts":null}', "invalid_notification"),
        (b'{"version":"4","alerts":{}}', "invalid_notification"),
        (b'{"version":"4","alerts":"a"}', "invalid_notification"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else value,
)
async def test_what_is_no_notification_is_refused_and_told_why(
    house: House, alertmanager: aiohttp.ClientSession, sent: bytes, code: str
) -> None:
    async with alertmanager.post(PATH, data=sent) as response:
        assert (await error(response))[:2] == (400, code)
    assert await kept(house) == []


async def test_a_message_repeats_only_a_little_of_what_was_sent(
    alertmanager: aiohttp.ClientSession,
) -> None:
    sent = json.dumps({"version": "\x1b[2J" + "x" * 100_000, "alerts": []}).encode()
    async with alertmanager.post(PATH, data=sent) as response:
        _, _, message = await error(response)
        assert len(message) < 400
        assert "\x1b" not in message


@pytest.mark.parametrize(
    "alerts",
    [[], [None], [1, "x", {}], [{"status": "firing"}], [{**alert(), "labels": {"a": ["b"]}}, alert()]],
    ids=repr,
)
async def test_a_single_unreadable_alert_does_not_cost_the_others(
    house: House, alertmanager: aiohttp.ClientSession, alerts: list[Any]
) -> None:
    """It is quarantined when the notification is taken in; here it is only kept."""
    async with alertmanager.post(PATH, data=body(*alerts)) as response:
        assert response.status == 200
    assert await kept(house) == [body(*alerts)]


@pytest.mark.parametrize(
    "value",
    ['"quoted" \\ back', "new\nline", "$(reboot)", "`reboot`", "\u202e\x00\x1b[31m", "x" * 65_536],
    ids=lambda value: repr(value[:12]),
)
async def test_labels_may_hold_anything(
    house: House, alertmanager: aiohttp.ClientSession, value: str
) -> None:
    sent = body(alert(value=value))
    async with alertmanager.post(PATH, data=sent) as response:
        assert response.status == 200
    assert await kept(house) == [sent]


async def test_ten_thousand_alerts_in_one_body(house: House, alertmanager: aiohttp.ClientSession) -> None:
    sent = body(*(alert(number) for number in range(10_000)))
    async with alertmanager.post(PATH, data=BytesIO(sent)) as response:
        assert response.status == 200
    assert await kept(house) == [sent]


async def test_five_megabytes_are_taken_where_they_are_allowed(
    house: House, alertmanager: aiohttp.ClientSession
) -> None:
    sent = body(alert(text="x" * 5_000_000))
    async with alertmanager.post(PATH, data=BytesIO(sent)) as response:
        assert response.status == 200
    assert await kept(house) == [sent]


async def _chunks(data: bytes, size: int = 65_536) -> Any:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


async def test_chunks_without_a_length_are_put_together(
    house: House, alertmanager: aiohttp.ClientSession
) -> None:
    sent = body(*(alert(number) for number in range(100)))
    async with alertmanager.post(PATH, data=_chunks(sent, 1000)) as response:
        assert response.status == 200
    assert await kept(house) == [sent]


@pytest.mark.parametrize(
    ("refusal", "code"), [(Busy, "busy"), (Draining, "draining"), (StoreFailed, "store_failed")]
)
async def test_alertmanager_is_told_to_come_again(
    house: House, alertmanager: aiohttp.ClientSession, refusal: type[Busy], code: str
) -> None:
    house.desk.refuse = refusal("not now", retry_after=7)
    async with alertmanager.post(PATH, data=body(alert())) as response:
        assert (await error(response))[:2] == (503, code)
        assert response.headers["Retry-After"] == "7"


async def test_a_fault_of_ours_tells_nothing_of_itself(
    house: House, alertmanager: aiohttp.ClientSession
) -> None:
    house.desk.refuse = RuntimeError("a secret detail")
    async with alertmanager.post(PATH, data=body(alert())) as response:
        status, code, message = await error(response)
        assert (status, code) == (500, "internal")
        assert "secret" not in message


async def test_answers_count_into_the_histogram_only_when_accepted(
    house: House, alertmanager: aiohttp.ClientSession
) -> None:
    for sent in (body(alert()), b"nonsense"):
        async with alertmanager.post(PATH, data=sent):
            pass
    count = house.front.metrics.registry.get_sample_value("remediator_receive_seconds_count")
    assert count == 1


@pytest.mark.parametrize("expect", [False, True], ids=["past the router", "through the router"])
async def test_both_ways_to_the_receiver_answer_the_same(
    house: House, alertmanager: aiohttp.ClientSession, expect: bool
) -> None:
    async with alertmanager.post(PATH, data=body(alert()), expect100=expect) as response:
        assert response.status == 200
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Server"] == "remediator"
        assert response.content_type == "application/json"
    async with alertmanager.post(PATH, data=b"nonsense", expect100=expect) as response:
        assert (await error(response))[:2] == (400, "invalid_json")
        assert response.headers["X-Content-Type-Options"] == "nosniff"


class Wire:
    """A connection on which a test sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, house: House) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", house.port))

    async def send(self, *lines: str, then: bytes = b"") -> None:
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + then)
        await self.writer.drain()

    async def rest(self) -> bytes:
        """Everything until the daemon closes the connection."""
        try:
            return await self.reader.read()
        finally:
            self.writer.close()


HEAD = (
    f"POST {PATH} HTTP/1.1",
    "Host: 127.0.0.1",
    f"Authorization: Bearer {INGEST}",
)


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_a_body_that_stalls_is_given_up_and_alertmanager_told_to_send_again(framing: str) -> None:
    """With a 503: after a 4xx Alertmanager would not send it again."""
    async with open_house(body_seconds=0.05) as house:
        wire = await Wire.to(house)
        await wire.send(*HEAD, framing, then=b'5\r\n{"ver')
        answer = await wire.rest()  # the connection ends, because the rest of the body could still come
        head, _, told = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in head
        assert json.loads(told)["error"]["code"] == "stalled"
        assert await kept(house) == []


async def test_a_body_that_tells_it_is_too_large_is_refused_before_it_comes() -> None:
    async with open_house(max_body=1_000_000) as house:
        wire = await Wire.to(house)
        await wire.send(*HEAD, "Content-Length: 5000000", then=b'{"version":"4"')
        await refused_as_too_large(house, await wire.rest())


async def test_a_body_that_turns_out_too_large_is_refused_while_it_comes() -> None:
    async with open_house(max_body=1_000_000) as house:
        wire = await Wire.to(house)
        chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        await wire.send(*HEAD, "Transfer-Encoding: chunked", then=chunk * 20)
        await refused_as_too_large(house, await wire.rest())


async def refused_as_too_large(house: House, answer: bytes) -> None:
    head, _, told = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert json.loads(told)["error"]["code"] == "too_large"
    assert "1000000 bytes" in json.loads(told)["error"]["message"]
    assert await kept(house) == []


async def test_a_body_that_breaks_off_is_not_taken_in(house: House) -> None:
    wire = await Wire.to(house)
    await wire.send(*HEAD, "Content-Length: 1000", then=b'{"version":"4","alerts":[]}')
    wire.writer.write_eof()
    await wire.rest()
    assert await kept(house) == []


async def test_what_is_not_http_is_refused_without_a_trace(house: House) -> None:
    wire = await Wire.to(house)
    await wire.send("\x16\x03\x01 nonsense")
    answer = await wire.rest()
    assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert b"Traceback" not in answer


async def test_two_lengths_that_differ_are_refused(house: House) -> None:
    """Otherwise a proxy and the daemon could take different parts for the next request."""
    wire = await Wire.to(house)
    await wire.send(*HEAD, "Content-Length: 2", "Transfer-Encoding: chunked", then=b"0\r\n\r\n")
    answer = await wire.rest()
    assert b" 400 " in answer.split(b"\r\n", 1)[0]
    assert await kept(house) == []
