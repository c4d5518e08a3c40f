"""The looks that ask Prometheus, on a real one, the older and the newer version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remediator.checks import registry
from remediator.clock import SystemClock
from remediator.model.service import Service, Target, TargetKind
from remediator.world.asking import Endpoint
from remediator.world.host import LocalHost
from remediator.world.network import LocalNetwork
from remediator.world.prometheus import PrometheusClient
from remediator.world.simulated import SimulatedWorld
from tests.lab.wait import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from remediator.model.world import Finding
    from remediator.world.base import World
    from tests.lab.prometheus import Prometheus

RULES = """
groups:
  - name: lab
    rules:
      - {alert: Fires, expr: "vector(7)", labels: {job: app}}
      - {alert: Waits, expr: "vector(1)", for: 1h, labels: {service: app}}
      - {alert: Other, expr: "vector(1)", labels: {job: other}}
      - {record: node_load1, expr: "vector(1.5)", labels: &db {instance: 'db:9100'}}
      - {record: node_load5, expr: "vector(1)", labels: *db}
      - {record: node_load15, expr: "vector(0.5)", labels: *db}
      - {record: node_memory_MemTotal_bytes, expr: "vector(8e9)", labels: *db}
      - {record: node_memory_MemAvailable_bytes, expr: "vector(2e9)", labels: *db}
      - record: node_filesystem_size_bytes
        expr: vector(1e11)
        labels: &disk {instance: 'db:9100', mountpoint: /data, device: /dev/sda1, fstype: ext4}
      - {record: node_filesystem_avail_bytes, expr: "vector(2e10)", labels: *disk}
      - record: node_filesystem_size_bytes
        expr: vector(1e11)
        labels: {instance: 'db:9100', mountpoint: /run, device: tmpfs, fstype: tmpfs}
"""
"""With what a node exporter would tell, as recording rules."""
LOOKS = registry({})
APP = Service(name="app", target=Target(kind=TargetKind.NONE))


@pytest.fixture
def prometheus(start_prometheus: Callable[..., Prometheus]) -> Prometheus:
    return start_prometheus(rules=RULES)


@pytest.fixture
async def asked(prometheus: Prometheus) -> AsyncIterator[World]:
    """A world with a real Prometheus, machine and network."""
    clock = SystemClock()
    client, network = PrometheusClient(Endpoint(url=prometheus.url), clock), LocalNetwork(clock)
    world = SimulatedWorld.make(clock)
    yield replace(world, prometheus=client, host=LocalHost(clock), network=network)  # type: ignore[arg-type]
    await client.close()
    await network.close()


async def look(world: World, check: str, **params: Any) -> Finding:
    return await LOOKS[check].look(APP, params, world)


async def test_a_query_and_how_it_went(asked: World) -> None:
    finding = await look(asked, "query", expr="vector(time() % 2) * 0 + 3", range="10m")
    assert finding.ok is True
    assert finding.facts["series"] == [{"labels": {}, "value": 3}]
    assert finding.text.splitlines()[-2:] == ["▄" * 60 + "|", "min 3, max 3"]
    finding = await look(asked, "query", expr="up{", range="10m")
    assert finding.ok is None
    assert "parse error" in finding.summary


async def test_active_alerts(asked: World) -> None:
    async def both() -> Finding | None:
        finding = await look(asked, "active_alerts")
        return finding if finding.facts.get("count") == 2 else None

    finding = await until(both, 30, "two alerts")
    assert finding is not None
    assert (finding.ok, finding.summary) == (False, "1 firing, 1 pending: Fires, Waits")


async def test_a_host_as_its_node_exporter_sees_it(asked: World) -> None:
    async def told() -> Finding | None:
        finding = await look(asked, "host")
        disks = finding.facts.get("disks", {})
        return finding if "/data" in disks and disks["/data"]["free"] and finding.facts["memory"] else None

    finding = await until(told, 30, "all values")
    assert finding is not None
    assert (finding.ok, finding.facts["seen_by"]) == (True, "the node exporter db:9100")
    assert list(finding.facts["disks"]) == ["/data"]
    assert (finding.facts["disks"]["/data"]["percent"], finding.facts["memory"]["percent"]) == (80, 75)
    assert finding.facts["load"] == [1.5, 1, 0.5]
    assert "Listening, seen by the daemon" in finding.text


async def test_a_host_without_a_node_exporter(asked: World) -> None:
    finding = await look(asked, "host", instance="none:9100", full=100)
    assert finding.facts["seen_by"].startswith("the daemon")
    assert "Prometheus has nothing of the node exporter none:9100" in finding.text
    assert finding.facts["memory"]["total"] > 0


async def test_ports_and_health_endpoints(asked: World, prometheus: Prometheus) -> None:
    address = prometheus.url.removeprefix("http://").rstrip("/")
    finding = await look(asked, "tcp", targets=[address])
    assert (finding.ok, finding.summary) == (True, "1 port took a connection")
    url = f"{prometheus.url.rstrip('/')}/-/healthy"
    finding = await look(asked, "health_url", url=url)
    assert finding.ok is True
    assert "Healthy" in finding.text
    prometheus.stop()
    assert (await look(asked, "tcp", targets=[address])).ok is False
    assert (await look(asked, "health_url", url=url)).ok is False
