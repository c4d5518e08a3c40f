"""Have Swarm replace all tasks of a service, changing nothing else: what several actions come down to.

The counter of forced updates, which it raises, tells afterwards whether it was begun.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.model.plan import OperationSpec
from remediator.model.world import ActFailed, Applied, NotApplied, Unknown, WorldError

if TYPE_CHECKING:
    from remediator.model.plan import Operation
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.model.world import ApplyResult, ProbeResult, SwarmService
    from remediator.world.base import Engine, World

SWARM = "service.force_update"

SENT = "sent_unanswered"
"""In the result of an attempt: the engine took the request, so no deadline proves that it will not do it."""
MARGIN = timedelta(seconds=60)
"""On top of the batches: the managers may be slow to begin."""
BATCH_START = timedelta(seconds=60)
"""For one batch of tasks to be placed, started and found healthy."""
LONGEST = timedelta(minutes=50)
"""No operation takes longer; an update that does is left to the verification."""
POLL = 1.0
"""Seconds between two looks at an update."""
STUCK = frozenset({"paused", "rollback_paused", "rollback_completed"})
"""States in which Swarm has given up an update."""


def forced_update(service: Service, swarm: SwarmService) -> OperationSpec:
    """The operation, with the time that its batches take."""
    batches = math.ceil(swarm.replicas / swarm.update_parallelism) if swarm.update_parallelism else 1
    batch = timedelta(seconds=swarm.stop_timeout + swarm.update_pause) + BATCH_START
    return OperationSpec(
        kind=SWARM,
        object_id=swarm.id,
        object_name=swarm.name,
        before={
            "engine": service.target.engine,
            "version": swarm.version,
            "force_update": swarm.force_update,
        },
        timeout=min(max(batches, 1) * batch + MARGIN, LONGEST),
    )


async def apply_forced_update(operation: Operation, engine: Engine, world: World) -> ApplyResult:
    """Have Swarm replace all tasks, and wait until it says how that went.

    Once begun, an update that takes too long or cannot be watched is not a failure: the verification
    will tell. Raises what `Engine.force_update` does.
    """
    end = world.clock.monotonic() + operation.timeout
    await engine.force_update(operation.object_id, int(operation.before["version"]))
    said = "nothing"
    while world.clock.monotonic() < end:
        await world.clock.sleep(POLL)
        try:
            swarm = await engine.swarm_service(operation.object_id)
        except WorldError as error:
            said = str(error)
            continue
        if swarm is None:
            return ActFailed(result={"error": "the Swarm service was removed during its update"})
        state = swarm.update_state or "not begun"
        said = f"update {state}, {swarm.running} of {swarm.replicas} tasks replaced"
        if state in STUCK:
            return ActFailed(result={"error": f"{said}: {swarm.update_message}"})
        # `running` counts the replaced tasks only, so this cannot be the state from before.
        if state in ("not begun", "completed") and swarm.running >= swarm.replicas:
            return Applied(result={"force_update": swarm.force_update, "running": swarm.running})
    return Applied(result={"converged": False, "last_seen": said})


async def probe_forced_update(
    operation: Operation, attempt: Attempt, engine: Engine, over: bool
) -> ProbeResult:
    """Whether the counter was raised. `over`: the attempt's deadline has passed."""
    swarm = await engine.swarm_service(operation.object_id)
    if swarm is None:
        return Unknown(result={"error": "the Swarm service is gone"})
    if swarm.force_update > int(operation.before["force_update"]):
        return Applied(result={"force_update": swarm.force_update})
    if not over or attempt.result.get(SENT):
        return Unknown(result={"error": "no forced update so far, but the engine may still begin one"})
    return NotApplied(result={"force_update": swarm.force_update})
