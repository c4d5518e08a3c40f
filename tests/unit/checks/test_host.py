"""The check `host`: how a machine stands, and who says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remediator.checks.host import EXPORTERS, MAX_SOCKETS, cpus_query, values_query
from remediator.world.base import Sample
from remediator.world.near import Disk, Machine, Memory, Socket
from tests.unit.checks.given import look
from tests.unit.given import BARE

if TYPE_CHECKING:
    from remediator.world.simulated import SimulatedWorld

GIB = 1 << 30
OWN = Machine(
    cpus=4,
    load=(0.5, 0.4, 0.3),
    memory=Memory(total=16 * GIB, available=4 * GIB),
    disks={"/": Disk(size=100 * GIB, free=40 * GIB, files=1000, files_free=900)},
    sockets=(Socket(22, "tcp", "0.0.0.0"), Socket(9098, "tcp", "127.0.0.1")),
)


@pytest.fixture(autouse=True)
def machine(world: SimulatedWorld) -> None:
    world.host.seen = OWN


def exporter(world: SimulatedWorld, instance: str = "db:9100", *, free: float = 50 * GIB) -> None:
    disk = {"mountpoint": "/data", "device": "/dev/sda1"}
    bind = {"mountpoint": "/data/bind", "device": "/dev/sda1"}
    values = [
        ("node_load1", {}, 1.5),
        ("node_load5", {}, 1.0),
        ("node_load15", {}, 0.5),
        ("node_memory_MemTotal_bytes", {}, 8 * GIB),
        ("node_memory_MemAvailable_bytes", {}, 2 * GIB),
        *(("node_filesystem_size_bytes", labels, 200 * GIB) for labels in (disk, bind)),
        *(("node_filesystem_avail_bytes", labels, free) for labels in (disk, bind)),
    ]
    world.prometheus.answers[values_query(instance)] = [
        Sample(labels={"__name__": name, "instance": instance, **labels}, value=value)
        for name, labels, value in values
    ]
    world.prometheus.answers[cpus_query(instance)] = [Sample(labels={}, value=2)]
    world.prometheus.answers.setdefault(EXPORTERS, []).append(Sample(labels={"instance": instance}, value=1))


async def test_the_daemons_own_view_says_so(world: SimulatedWorld) -> None:
    finding = await look(world, "host", BARE)
    assert (finding.ok, finding.summary) == (
        True,
        "disks at most 60% used, memory 75% used, load 0.5 (seen by the daemon, on its own machine)",
    )
    lines = finding.text.splitlines()
    assert lines[0] == "Seen by the daemon, on its own machine (Prometheus knows no node exporter)."
    assert "load    0.5 0.4 0.3, 4 CPUs" in lines
    assert "memory  4.0 GiB of 16.0 GiB available" in lines
    assert "/     100.0 GiB  40.0 GiB  60%   10%" in lines
    assert lines[-2:] == ["tcp 0.0.0.0 port 22", "tcp 127.0.0.1 port 9098"]
    assert finding.facts["disks"]["/"]["percent"] == 60
    assert finding.facts["memory"]["percent"] == 75


@pytest.mark.parametrize("known_by", ["engine", "file"])
async def test_from_inside_of_a_container(world: SimulatedWorld, known_by: str) -> None:
    world.host.seen = replace(OWN, contained=known_by == "file")
    world = replace(world, own_container_id="c0ffee" if known_by == "engine" else None)
    finding = await look(world, "host")
    assert finding.facts["seen_by"] == "the daemon, from inside of its container"
    assert "disks and what listens are the container's own" in finding.text


async def test_a_node_exporter_knows_better(world: SimulatedWorld) -> None:
    exporter(world)
    finding = await look(world, "host")
    assert finding.ok is True
    assert finding.summary == (
        "disks at most 75% used, memory 75% used, load 1.5 (seen by the node exporter db:9100)"
    )
    assert list(finding.facts["disks"]) == ["/data"], "a device that is mounted twice counts once"
    assert finding.facts["cpus"] == 2
    assert "Listening, seen by the daemon, on its own machine:" in finding.text


async def test_of_several_the_rule_names_one(world: SimulatedWorld) -> None:
    exporter(world, "db:9100", free=1)
    exporter(world, 'web"\\:9100')
    finding = await look(world, "host")
    assert finding.facts["seen_by"].startswith("the daemon")
    assert "2 node exporters, and `instance` names none" in finding.text
    assert (await look(world, "host", instance='web"\\:9100')).ok is True
    assert (await look(world, "host", instance="db:9100")).ok is False
    finding = await look(world, "host", instance="gone:9100")
    assert "Prometheus has nothing of the node exporter gone:9100" in finding.text
    assert finding.facts["seen_by"].startswith("the daemon")


async def test_without_a_prometheus_that_answers(world: SimulatedWorld) -> None:
    world.prometheus.unreachable = "no route"
    finding = await look(world, "host", instance="db:9100")
    assert finding.ok is True
    assert "(Prometheus does not answer: no route)" in finding.text
    assert "no Prometheus is configured" in (await look(replace(world, prometheus=None), "host")).text


@pytest.mark.parametrize(
    ("seen", "summary"),
    [
        (replace(OWN, disks={"/": Disk(size=100, free=5)}), "/ is 95% used"),
        (
            replace(OWN, disks={"/": Disk(size=100, free=50, files=100, files_free=2)}),
            "the files of / are 98% used",
        ),
        (replace(OWN, memory=Memory(total=100, available=1)), "memory is 99% used"),
    ],
)
async def test_full_is_not_well(world: SimulatedWorld, seen: Machine, summary: str) -> None:
    world.host.seen = seen
    finding = await look(world, "host")
    assert finding.ok is False
    assert finding.summary.startswith(f"{summary} (seen by")
    assert (await look(world, "host", full=100)).ok is True


async def test_what_could_not_be_read_is_told(world: SimulatedWorld) -> None:
    world.host.seen = Machine(cpus=None, load=None, memory=None, disks={"/gone": "No such file or directory"})
    finding = await look(world, "host", paths=["/gone"])
    assert finding.ok is None
    assert "/gone  cannot be read: No such file or directory" in finding.text
    assert "What listens could not be read." in finding.text
    assert "memory  unknown" in finding.text


async def test_of_very_many_sockets_only_some_are_shown(world: SimulatedWorld) -> None:
    sockets = tuple(Socket(port, "tcp", "::") for port in range(1, MAX_SOCKETS + 6))
    world.host.seen = replace(OWN, sockets=sockets)
    finding = await look(world, "host")
    assert finding.text.endswith("[... 5 more ...]")
    assert len(finding.facts["listening"]) == MAX_SOCKETS


async def test_a_machine_that_cannot_be_looked_at(world: SimulatedWorld) -> None:
    world.host.seen = None
    assert (await look(world, "host")).ok is None
