"""The check `containers`: how each container of a service stands, as a table for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from remediator.checks.base import Look
from remediator.checks.texts import table
from remediator.model.params import Params
from remediator.model.service import TargetKind
from remediator.model.text import counted, harmless
from remediator.model.world import Finding
from remediator.world.health import state
from remediator.world.targets import seen_containers, seen_swarm_service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import Container
    from remediator.world.base import World

_HEAD = ("NAME", "STATE", "HEALTH", "RESTARTS", "EXIT", "STARTED", "FINISHED", "IMAGE")


class ContainersLook(Look[Params]):
    """Look at the state of every container."""

    name = "containers"
    params = Params

    async def see(self, service: Service, params: Params, world: World) -> Finding:
        """Well is: all run, and none is unhealthy."""
        containers = await seen_containers(service, world)
        summary, text = _summary(containers), table(_HEAD, map(_row, containers))
        ok = all(c.status == "running" and c.health != "unhealthy" for c in containers)
        facts: dict[str, Json] = {"containers": [_facts(c) for c in containers]}
        if service.target.kind is TargetKind.SWARM_SERVICE:
            swarm = await seen_swarm_service(service, world)
            ok = swarm.running >= swarm.replicas > 0
            update = f", update {swarm.update_state}" if swarm.update_state else ""
            update += f": {harmless(swarm.update_message)}" if swarm.update_message else ""
            summary = f"{swarm.running} of {swarm.replicas} tasks run{update}; on this node: {summary}"
            facts |= {"replicas": swarm.replicas, "running": swarm.running, "update": swarm.update_state}
            text = f"{swarm.name}: {summary}\n\n{text}"
        return Finding(check=self.name, ok=ok, summary=summary, text=text, facts=facts)


def _summary(containers: Sequence[Container]) -> str:
    if not containers:
        return "no containers"
    counts = Counter(state(container) for container in containers)
    listed = ", ".join(f"{count} {what}" if len(containers) > 1 else what for what, count in counts.items())
    return f"{counted(len(containers), 'container')}: {listed}"


def _row(c: Container) -> tuple[str, ...]:
    exited = "-" if c.running or c.exit_code is None else str(c.exit_code)
    return (
        harmless(c.name),
        c.status,
        c.health or "-",
        str(c.restart_count),
        f"{exited} (out of memory)" if c.oom_killed else exited,
        c.started_at.isoformat(timespec="seconds") if c.started_at else "never",
        c.finished_at.isoformat(timespec="seconds") if c.finished_at and not c.running else "-",
        harmless(c.image),
    )


def _facts(c: Container) -> dict[str, Json]:
    return {
        "id": c.id,
        "name": c.name,
        "status": c.status,
        "health": c.health,
        "exit_code": c.exit_code,
        "oom_killed": c.oom_killed,
        "restart_count": c.restart_count,
        "started_at": c.started_at and c.started_at.isoformat(),
        "finished_at": c.finished_at and c.finished_at.isoformat(),
    }
