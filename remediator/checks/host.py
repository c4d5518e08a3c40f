"""The check `host`: disks, memory, load and what listens, saying who saw it.

A node exporter's values are taken where Prometheus has them, for it sees the machine whole. The daemon
itself may sit in a container, or on another machine than the service; so its own view says that it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field

from remediator.checks.base import Look
from remediator.checks.directory import AbsolutePath  # noqa: TC001 - pydantic needs it
from remediator.checks.texts import share, size, table
from remediator.model.params import Params
from remediator.model.text import counted, harmless
from remediator.model.world import Finding, WorldError
from remediator.world.near import Disk, Machine, Memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.world.base import Prometheus, Sample, World
    from remediator.world.near import Socket

EXPORTERS = "count by (instance) (node_load1)"
"""Asks which node exporters there are."""
MAX_DISKS = 50
MAX_SOCKETS = 200
"""Shown; more are only counted."""

_INSIDE = "the daemon, from inside of its container"
_FILES = ("size_bytes", "avail_bytes", "files", "files_free")
_MEMORY = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
_NAMES = "|".join(
    ["node_load(1|5|15)", f"node_memory_({'|'.join(_MEMORY)})_bytes", f"node_filesystem_({'|'.join(_FILES)})"]
)
_NO_DISKS = "tmpfs|ramfs|overlay|squashfs|autofs|nsfs|iso9660"


class HostParams(Params):
    """Parameters of the check `host`."""

    instance: str | None = Field(
        default=None,
        min_length=1,
        description="The label `instance` of a node exporter. Left out: the only one that there is.",
    )
    paths: tuple[AbsolutePath, ...] = Field(
        default=("/",), min_length=1, max_length=20, description="Where the daemon itself looks at disks."
    )
    full: float = Field(
        default=95, gt=0, le=100, description="A disk or memory is full from this percentage on."
    )


class HostLook(Look[HostParams]):
    """Look at a machine."""

    name = "host"
    params = HostParams
    needs_containers = False

    async def see(self, service: Service, params: HostParams, world: World) -> Finding:
        """Well is: no disk is full, and neither is memory."""
        own = await world.host.machine(params.paths)
        exported, why = await _exported(params, world)
        seen, by = (own, _own_view(own, world)) if exported is None else exported
        full = list(_full(seen, params.full))
        unread = seen.memory is None or any(isinstance(disk, str) for disk in seen.disks.values())
        return Finding(
            check=self.name,
            ok=False if full else None if unread else True,
            summary=f"{'; '.join(full) or _roomy(seen)} (seen by {by})",
            text="\n".join(_text(seen, by, why, own, _own_view(own, world))),
            facts={"seen_by": by, **_facts(seen), "listening": _listening(own)},
        )


def _own_view(own: Machine, world: World) -> str:
    inside = own.contained or world.own_container_id is not None
    return _INSIDE if inside else "the daemon, on its own machine"


async def _exported(params: HostParams, world: World) -> tuple[tuple[Machine, str] | None, str]:
    """What a node exporter tells, and by whom; else None, and why there is none."""
    if world.prometheus is None:
        return None, "no Prometheus is configured"
    try:
        instance = params.instance
        if instance is None:
            there = [s.labels.get("instance", "") for s in await world.prometheus.query(EXPORTERS)]
            if len(there) != 1:
                told = f"{counted(len(there), 'node exporter')}, and `instance` names none"
                return None, told if there else "Prometheus knows no node exporter"
            instance = there[0]
        machine = await _from(world.prometheus, instance)
    except WorldError as error:
        return None, str(error)
    if machine is None:
        return None, f"Prometheus has nothing of the node exporter {instance}"
    return (machine, f"the node exporter {harmless(instance, limit=200)}"), ""


async def _from(prometheus: Prometheus, instance: str) -> Machine | None:
    samples = await prometheus.query(values_query(instance))
    if not samples:
        return None
    cpus = await prometheus.query(cpus_query(instance))
    plain = {s.labels.get("__name__", ""): s.value for s in samples if "mountpoint" not in s.labels}
    load = [plain.get(f"node_load{minutes}") for minutes in (1, 5, 15)]
    memory = [plain.get(f"node_memory_{name}_bytes") for name in _MEMORY]
    return Machine(
        cpus=int(cpus[0].value) if cpus else None,
        load=(load[0], load[1], load[2]) if None not in load else None,  # type: ignore[arg-type]  # just looked
        memory=None if None in memory[:2] else _memory([value or 0.0 for value in memory]),
        disks=dict(list(_disks(samples).items())[:MAX_DISKS]),
    )


def values_query(instance: str) -> str:
    """Asks a node exporter for load, memory and disks at once."""
    return f'{{__name__=~"{_NAMES}", fstype!~"{_NO_DISKS}", instance={_quoted(instance)}}}'


def cpus_query(instance: str) -> str:
    """Asks a node exporter how many CPUs there are."""
    return f'count(node_cpu_seconds_total{{mode="idle", instance={_quoted(instance)}}})'


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _memory(values: Sequence[float]) -> Memory:
    total, available, swap_total, swap_free = map(int, values)
    return Memory(total=total, available=available, swap_total=swap_total, swap_free=swap_free)


def _disks(samples: Sequence[Sample]) -> dict[str, Disk]:
    """By mount point; of a device that is mounted more than once, the first one."""
    mounts: dict[str, dict[str, float]] = {}
    devices: dict[str, str] = {}
    for sample in sorted(samples, key=lambda s: s.labels.get("mountpoint", "")):
        mount = sample.labels.get("mountpoint")
        if mount is None or devices.setdefault(sample.labels.get("device", mount), mount) != mount:
            continue
        mounts.setdefault(mount, {})[sample.labels.get("__name__", "")] = sample.value
    found = {}
    for mount, told in mounts.items():
        total, free, files, files_free = (int(told.get(f"node_filesystem_{what}", 0)) for what in _FILES)
        if total:
            found[mount] = Disk(size=total, free=free, files=files, files_free=files_free)
    return found


def _full(seen: Machine, limit: float) -> Iterator[str]:
    for path, disk in seen.disks.items():
        if isinstance(disk, Disk):
            for what, percent in (("", _used(disk)), ("the files of ", _files_used(disk))):
                if percent is not None and percent >= limit:
                    yield f"{what}{harmless(path)} {'are' if what else 'is'} {percent:g}% used"
    used = _memory_used(seen)
    if used is not None and used >= limit:
        yield f"memory is {used:g}% used"


def _roomy(seen: Machine) -> str:
    worst = max((_used(disk) or 0 for disk in seen.disks.values() if isinstance(disk, Disk)), default=None)
    parts = [
        None if worst is None else f"disks at most {worst:g}% used",
        None if (used := _memory_used(seen)) is None else f"memory {used:g}% used",
        None if seen.load is None else f"load {seen.load[0]:g}",
    ]
    return ", ".join(part for part in parts if part) or "nothing could be read"


def _used(disk: Disk) -> float | None:
    return share(disk.size - disk.free, disk.size)


def _files_used(disk: Disk) -> float | None:
    return share(disk.files - disk.files_free, disk.files)


def _memory_used(seen: Machine) -> float | None:
    return (
        None if seen.memory is None else share(seen.memory.total - seen.memory.available, seen.memory.total)
    )


def _text(seen: Machine, by: str, why: str, own: Machine, own_view: str) -> Iterator[str]:
    yield f"Seen by {by}{f' ({harmless(why)})' if why else ''}."
    if seen is own and own_view == _INSIDE:
        yield "Load and memory are the machine's; disks and what listens are the container's own."
    yield ""
    yield from _load_and_memory(seen)
    yield ""
    if seen.disks:
        rows = (_disk_row(path, disk) for path, disk in seen.disks.items())
        yield table(("DISK", "SIZE", "FREE", "USED", "FILES USED"), rows)
    else:
        yield "no disks"
    yield ""
    if own.sockets is None:
        yield "What listens could not be read."
        return
    yield f"Listening, seen by {own_view}:"
    yield from map(_told, own.sockets[:MAX_SOCKETS])
    if len(own.sockets) > MAX_SOCKETS:
        yield f"[... {len(own.sockets) - MAX_SOCKETS} more ...]"


def _load_and_memory(seen: Machine) -> Iterator[str]:
    cpus = "an unknown number of CPUs" if seen.cpus is None else counted(seen.cpus, "CPU")
    load = "unknown" if seen.load is None else " ".join(f"{value:g}" for value in seen.load)
    yield f"load    {load}, {cpus}"
    memory = seen.memory
    if memory is None:
        yield "memory  unknown"
        return
    yield f"memory  {size(memory.available)} of {size(memory.total)} available"
    yield f"swap    {size(memory.swap_free)} of {size(memory.swap_total)} free"


def _disk_row(path: str, disk: Disk | str) -> tuple[str, ...]:
    if isinstance(disk, str):
        return harmless(path), f"cannot be read: {harmless(disk)}", "-", "-", "-"
    used, files = _used(disk), _files_used(disk)
    return (
        harmless(path),
        size(disk.size),
        size(disk.free),
        "-" if used is None else f"{used:g}%",
        "-" if files is None else f"{files:g}%",
    )


def _facts(seen: Machine) -> dict[str, Json]:
    memory = seen.memory
    return {
        "load": None if seen.load is None else [*seen.load],
        "cpus": seen.cpus,
        "memory": None
        if memory is None
        else {
            "total": memory.total,
            "available": memory.available,
            "swap_total": memory.swap_total,
            "swap_free": memory.swap_free,
            "percent": _memory_used(seen),
        },
        "disks": {harmless(path): _disk_facts(disk) for path, disk in seen.disks.items()},
    }


def _disk_facts(disk: Disk | str) -> Json:
    if isinstance(disk, str):
        return {"error": harmless(disk)}
    percents = {"percent": _used(disk), "files_percent": _files_used(disk)}
    return {"size": disk.size, "free": disk.free, **percents}


def _listening(own: Machine) -> Json:
    return None if own.sockets is None else [_told(socket) for socket in own.sockets[:MAX_SOCKETS]]


def _told(socket: Socket) -> str:
    return f"{socket.protocol} {socket.address} port {socket.port}"
