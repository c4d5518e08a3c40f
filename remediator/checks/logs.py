"""The check `logs`: the last lines that each container wrote, fit to be read and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from remediator.checks.base import Look
from remediator.model.params import Params
from remediator.model.text import counted, harmless
from remediator.model.world import Finding, WorldError
from remediator.world.output import redact
from remediator.world.targets import seen_containers

if TYPE_CHECKING:
    from remediator.model.service import Service
    from remediator.world.base import World

MAX_CHARS = 262_144
"""Of all containers together; each gets an equal share, and of a longer one the end is kept."""


MAX_LINES = 5000
"""Of each container."""


class LogsParams(Params):
    """Parameters of the check `logs`."""

    tail: int = Field(default=100, ge=1, le=MAX_LINES, description="Lines of each container.")


class LogsLook(Look[LogsParams]):
    """Read the end of every container's log."""

    name = "logs"
    params = LogsParams

    async def see(self, service: Service, params: LogsParams, world: World) -> Finding:
        """Read them one after the other; one that cannot be read does not hide the others."""
        engine = world.engine(service.target.engine)
        containers = await seen_containers(service, world)
        room = MAX_CHARS // max(len(containers), 1)
        parts, failed, lines = [], [], 0
        for container in containers:
            try:
                # Secrets first: a cut could take away what gives one away.
                text = _end(redact(await engine.logs(container.id, params.tail)), room)
            except WorldError as error:
                text = f"cannot be read: {error}"
                failed.append(container.name)
            else:
                lines += len(text.splitlines())
            parts.append(f"--- {container.name}\n{text.rstrip()}\n")
        told = f"{counted(lines, 'line')} of {counted(len(containers) - len(failed), 'container')}"
        return Finding(
            check=self.name,
            ok=None if failed or not containers else True,
            summary=f"{told}; cannot be read: {', '.join(failed)}" if failed else told,
            text=harmless("\n".join(parts), lines=True),
        )


def _end(text: str, room: int) -> str:
    return text if len(text) <= room else f"[... {len(text) - room} characters cut ...]\n{text[-room:]}"
