"""The Prometheus client against good, partial and nonsensical answers."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from remediator.clock import SystemClock
from remediator.model.world import WorldError
from remediator.world.asking import Endpoint, bearer
from remediator.world.prometheus import PrometheusClient
from tests.unit.world.stub import Answer, Stub, break_off, cut_short, hang, raw, serving, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with serving() as stub:
        yield stub


@pytest.fixture
async def client(stub: Stub) -> AsyncIterator[PrometheusClient]:
    client = PrometheusClient(
        Endpoint(url=stub.url, authorization=bearer(lambda: "t")), SystemClock(), timeout=2
    )
    yield client
    await client.close()


def success(data: Any, **more: Any) -> Answer:
    return told({"status": "success", "data": data, **more})


def vector(*values: str) -> dict[str, Any]:
    return {
        "resultType": "vector",
        "result": [{"metric": {"n": str(n)}, "value": [1.5, value]} for n, value in enumerate(values)],
    }


async def test_a_vector(stub: Stub, client: PrometheusClient) -> None:
    stub.on("POST /api/v1/query", success(vector("1", "2.5", "+Inf", "-Inf", "NaN")))
    samples = await client.query('up{job="x"} > 0')
    assert [sample.labels for sample in samples] == [{"n": str(n)} for n in range(5)]
    assert [sample.value for sample in samples[:4]] == [1, 2.5, math.inf, -math.inf]
    assert math.isnan(samples[4].value)
    (request,) = stub.requests
    assert parse_qs(request.body.decode()) == {"query": ['up{job="x"} > 0'], "timeout": ["2s"]}
    assert request.headers["authorization"] == "Bearer t"


async def test_an_empty_vector(stub: Stub, client: PrometheusClient) -> None:
    stub.on("POST /api/v1/query", success(vector()))
    assert await client.query("up") == []


async def test_a_scalar_is_one_sample_without_labels(stub: Stub, client: PrometheusClient) -> None:
    stub.on("POST /api/v1/query", success({"resultType": "scalar", "result": [1, "4"]}))
    (sample,) = await client.query("4")
    assert (sample.labels, sample.value) == ({}, 4)


async def test_a_partial_answer_is_an_error(stub: Stub, client: PrometheusClient) -> None:
    stub.on("POST /api/v1/query", success(vector("1"), warnings=["a store did not answer"]))
    with pytest.raises(WorldError, match="a partial answer: a store did not answer"):
        await client.query("up")


async def test_what_only_finds_fault_with_the_query_is_none(stub: Stub, client: PrometheusClient) -> None:
    stub.on("POST /api/v1/query", success(vector("1"), infos=["metric might not be a counter"], warnings=[]))
    assert len(await client.query("rate(up[5m])")) == 1


async def test_the_servers_own_words_are_told(stub: Stub, client: PrometheusClient) -> None:
    error = {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected {"}
    stub.on("POST /api/v1/query", told(error, 400))
    with pytest.raises(WorldError, match=r"HTTP 400: parse error: unexpected \{"):
        await client.query("x{")


NO_DATA: list[Answer] = [
    break_off,
    cut_short,
    raw(b"<html>"),
    raw(b"", 302, Location="/"),
    raw(b"service unavailable", 503),
    told([]),
    told(None),
    told({}),
    told({"status": "error", "data": {}}),
    success(None),
    success({"resultType": "string", "result": [1, "x"]}),
    success({"resultType": "vector"}),
    success({}),
]


@pytest.mark.parametrize("answer", [*NO_DATA, success(vector("many")), success(vector("1" * 5000 + "x"))])
async def test_a_query_without_an_answer(stub: Stub, client: PrometheusClient, answer: Answer) -> None:
    stub.on("POST /api/v1/query", answer)
    with pytest.raises(WorldError, match=r"http://127\.0\.0\.1"):
        await client.query("up")


@pytest.mark.parametrize(
    "data",
    [
        {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "1"]]}]},
        {"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {"count": "1"}]}]},
        {"resultType": "vector", "result": [{"metric": {}, "value": [1]}]},
        {"resultType": "vector", "result": [{"metric": {"a": 1}, "value": [1, "1"]}]},
        {"resultType": "scalar", "result": None},
    ],
)
async def test_a_query_with_an_answer_of_no_use(
    stub: Stub, client: PrometheusClient, data: dict[str, Any]
) -> None:
    stub.on("POST /api/v1/query", success(data))
    with pytest.raises(WorldError, match="cannot be read"):
        await client.query("up")


ALERT = {
    "labels": {"alertname": "Down"},
    "annotations": {},
    "state": "firing",
    "activeAt": "2026-03-01T11:00:00.123456789Z",
    "value": "1e+00",
}


async def test_alerts(stub: Stub, client: PrometheusClient) -> None:
    stub.on("GET /api/v1/alerts", success({"alerts": [ALERT, {**ALERT, "state": "pending"}]}))
    first, second = await client.alerts()
    assert first.labels == {"alertname": "Down"}
    assert first.active_at == datetime(2026, 3, 1, 11, 0, 0, 123_456, tzinfo=UTC)
    assert first.value == "1e+00"
    assert [first.state, second.state] == ["firing", "pending"]


@pytest.mark.parametrize(
    "answer", [*NO_DATA, success({"alerts": None}), success({"alerts": [{**ALERT, "state": "?"}]})]
)
async def test_no_alerts_can_be_read(stub: Stub, client: PrometheusClient, answer: Answer) -> None:
    stub.on("GET /api/v1/alerts", answer)
    with pytest.raises(WorldError, match=r"http://127\.0\.0\.1"):
        await client.alerts()


async def test_ready(stub: Stub, client: PrometheusClient) -> None:
    stub.on("GET /-/ready", raw(b"Prometheus Server is Ready.\n"))
    await client.ready()
    stub.on("GET /-/ready", raw(b"Service Unavailable", 503))
    with pytest.raises(WorldError, match="HTTP 503: Service Unavailable"):
        await client.ready()


async def test_one_that_is_not_there() -> None:
    client = PrometheusClient(Endpoint(url="http://127.0.0.1:1"), SystemClock())
    with pytest.raises(WorldError, match=r"http://127\.0\.0\.1:1: ClientConnectorError: Connect"):
        await client.ready()
    await client.close()


async def test_one_that_does_not_answer(stub: Stub) -> None:
    client = PrometheusClient(Endpoint(url=stub.url), SystemClock(), timeout=0.2)
    stub.on("GET /-/ready", hang)
    with pytest.raises(WorldError, match=r"no answer within 0\.2 s"):
        await client.ready()
    await client.close()


async def test_an_answer_without_end(
    stub: Stub, client: PrometheusClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remediator.world.asking.MAX_ANSWER", 1000)
    stub.on("GET /api/v1/alerts", raw(b" " * 2000))
    with pytest.raises(WorldError, match="more than 1000 bytes"):
        await client.alerts()


async def test_a_range(stub: Stub, client: PrometheusClient) -> None:
    rows = [{"metric": {"n": "1"}, "values": [[1.5, "1"], [2, "NaN"]]}, {"metric": {}, "values": []}]
    stub.on("POST /api/v1/query_range", success({"resultType": "matrix", "result": rows}))
    first, second = await client.query_range("up", 1.5, 60, 0.5)
    assert first.labels == {"n": "1"}
    assert first.samples[0] == (1.5, 1.0)
    assert math.isnan(first.samples[1][1])
    assert second.samples == ()
    (request,) = stub.requests
    assert parse_qs(request.body.decode()) == {
        "query": ["up"],
        "start": ["1.500"],
        "end": ["60.000"],
        "step": ["0.500"],
        "timeout": ["2s"],
    }


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (success(vector("1")), "resultType"),
        (success({"resultType": "matrix", "result": []}, warnings=["shard 1"]), "a partial answer: shard 1"),
        (success({"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "x"]]}]}), "no number"),
        (raw(b"<html>"), "not JSON"),
        (told({"status": "error", "error": "exceeded maximum resolution"}, 400), "maximum resolution"),
    ],
)
async def test_a_range_that_cannot_be_read(
    stub: Stub, client: PrometheusClient, answer: Answer, said: str
) -> None:
    stub.on("POST /api/v1/query_range", answer)
    with pytest.raises(WorldError, match=said):
        await client.query_range("up", 0, 60, 1)
