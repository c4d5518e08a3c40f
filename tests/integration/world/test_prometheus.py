"""The Prometheus client on a real Prometheus, the older and the newer version."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.model.world import WorldError
from remediator.world.asking import Endpoint
from remediator.world.prometheus import PrometheusClient
from tests.lab.wait import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from remediator.world.base import PromAlert
    from tests.lab.prometheus import Prometheus

RULES = """
groups:
  - name: lab
    rules:
      - {alert: Fires, expr: "vector(7)", labels: {job: robo-rlhf}, annotations: {summary: "{{ $value }}"}}
      - {alert: Waits, expr: "vector(1)", for: 1h}
      - {alert: Never, expr: "vector(1) > 2"}
"""


@pytest.fixture
def prometheus(start_prometheus: Callable[..., Prometheus]) -> Prometheus:
    return start_prometheus(rules=RULES)


@pytest.fixture
async def client(prometheus: Prometheus) -> AsyncIterator[PrometheusClient]:
    client = PrometheusClient(Endpoint(url=prometheus.url), SystemClock())
    yield client
    await client.close()


async def test_ready_until_it_goes_away(prometheus: Prometheus, client: PrometheusClient) -> None:
    await client.ready()
    prometheus.stop()
    with pytest.raises(WorldError, match=prometheus.url):
        await client.ready()


async def test_alerts(client: PrometheusClient) -> None:
    async def both() -> dict[str, PromAlert] | None:
        alerts = {alert.labels["alertname"]: alert for alert in await client.alerts()}
        return alerts if len(alerts) == 2 else None

    alerts = await until(both, 30, "two alerts")
    assert alerts is not None
    assert alerts["Fires"].state == "firing"
    assert alerts["Fires"].labels == {"alertname": "Fires", "job": "robo-rlhf"}
    assert alerts["Fires"].annotations == {"summary": "7"}
    assert float(alerts["Fires"].value) == 7
    assert alerts["Waits"].state == "pending"


@pytest.mark.parametrize(
    ("expr", "values"),
    [
        ("vector(1)", [1]),
        ("2 + 3", [5]),
        ("vector(1) > 2", []),
        ("vector(1) / 0", [math.inf]),
        ("-1 / 0", [-math.inf]),
    ],
)
async def test_queries(client: PrometheusClient, expr: str, values: list[float]) -> None:
    assert [sample.value for sample in await client.query(expr)] == values


async def test_not_a_number(client: PrometheusClient) -> None:
    (sample,) = await client.query("vector(0) / 0")
    assert math.isnan(sample.value)


@pytest.mark.parametrize(
    ("expr", "scalar"),
    [("1", True), ("scalar(vector(0))", True), ("vector(0)", False), ("1 == bool 2", True)],
)
async def test_a_number_by_itself_is_told_from_a_series(
    client: PrometheusClient, expr: str, scalar: bool
) -> None:
    (sample,) = await client.query(expr)
    assert sample.scalar is scalar


async def test_labels(client: PrometheusClient) -> None:
    (sample,) = await client.query('label_replace(vector(1), "name", "a\\"b\\n", "", "")')
    assert sample.labels == {"name": 'a"b\n'}


async def test_a_long_query(client: PrometheusClient) -> None:
    expr = " or ".join(f"vector({n}) > 1000" for n in range(2000))
    assert [sample.value for sample in await client.query(expr)] == [1001]


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("up{", "parse error"),
        ("", "no expression"),
        ('"text"', "cannot be read"),
        ("up[5m]", "cannot be read"),
    ],
)
async def test_queries_without_a_value(client: PrometheusClient, expr: str, words: str) -> None:
    with pytest.raises(WorldError, match=words):
        await client.query(expr)
