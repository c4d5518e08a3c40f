"""Run a named command of the configuration: what operators wrote, with values that cannot bend it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.model.command import CommandInputError, CommandParams, objection, passed_on
from remediator.model.params import read_params
from remediator.model.plan import OperationSpec, PlanSpec, canonical
from remediator.model.words import Reason
from remediator.model.world import (
    ActFailed,
    Applied,
    NotApplied,
    TargetError,
    Unknown,
    WorldError,
)
from remediator.world.base import CommandNotStarted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remediator.model.command import CommandSpec
    from remediator.model.plan import Operation, Plan
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, ProbeResult
    from remediator.world.base import CommandResult, Survivor, World

KIND = "command.run"
MARGIN = timedelta(seconds=15)
"""On top of the command's own timeout: to start it, to end it, and to take in its output."""
ENDING = 5.0
"""Seconds that a command which was killed is given to be gone."""
POLL = 0.25
FINGERPRINT_CHARS = 16
"""Hexadecimal digits: enough to see a change, and short beside the argv."""


class Command:
    """The action `command`."""

    name = "command"
    params = CommandParams
    needs_containers = False
    disruptive = True
    reversible = True

    def __init__(self, commands: Mapping[str, CommandSpec]) -> None:
        self._commands = commands

    def check(self, params: CommandParams) -> str | None:
        """The command must exist, and the values fit it, as far as no label decides."""
        return objection(self._commands, params.name, params.args, templates=True)

    async def plan(self, service: Service, params: Mapping[str, Json], world: World) -> PlanSpec:
        """The command's exact argv, and a fingerprint of how it is to be run."""
        wanted = read_params(CommandParams, params)
        return _plan(service.name, wanted, world.commands.specs)

    async def apply(self, operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
        """Run it to its end, or to the end of its time; nothing, if it is not what was planned any more."""
        name, argv = operation.change["command"], operation.change["argv"]
        spec = world.commands.specs.get(name)
        if spec is None or _fingerprint(spec) != operation.change.get("spec"):
            changed = f"the command {name} was changed by a reload after this was planned; nothing was run"
            return ActFailed(result={"error": changed})
        try:
            done = await world.commands.run(spec, argv, attempt=attempt.id)
            result = _told(done)
            if done.timed_out:
                result["error"] = f"not done within {spec.timeout.total_seconds():g} s"
                left = await world.commands.survivors(attempt.id)
                if done.exit_code is None or left:
                    return Unknown(result={**result, "survivors": [_process(s) for s in left]})
                return ActFailed(result=result)
        except CommandNotStarted as error:
            return ActFailed(result={"error": str(error)})
        except WorldError as error:
            return Unknown(result={"error": str(error)})
        if done.exit_code == 0:
            return Applied(result=result)
        result["error"] = _ending(done)
        return ActFailed(result=result)

    async def probe(self, operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
        """Wait for its processes, end them after the deadline, and ask its probe command.

        Without a probe command nobody knows, but one that may be repeated counts as not applied.
        """
        still = await _survivors(operation, attempt, world)
        if still:
            return Unknown(result={"error": "it still runs", "survivors": [_process(s) for s in still]})
        name = operation.change["command"]
        spec = world.commands.specs.get(name)
        if spec is None:
            return Unknown(result={"error": f"the command {name} is no longer in the configuration"})
        if spec.probe is not None:
            return await _ask(spec, operation, world)
        if spec.repeatable:
            return NotApplied(result={"repeatable": True})
        return Unknown(result={"error": f"the command {name} names no probe that could tell"})

    def undo(self, plan: Plan, operations: Sequence[Operation]) -> PlanSpec | None:
        """The command that the configuration names as this one's undo, with the same values."""
        wanted = read_params(CommandParams, plan.params)
        spec = self._commands.get(wanted.name)
        undo = self._commands.get(spec.undo) if spec is not None and spec.undo is not None else None
        if spec is None or undo is None or not operations:
            return None
        back = CommandParams(name=undo.name, args=passed_on(spec.params, undo.params, wanted.args))
        return _plan(str(operations[0].before["service"]), back, self._commands)


def _plan(service: str, wanted: CommandParams, commands: Mapping[str, CommandSpec]) -> PlanSpec:
    wrong = objection(commands, wanted.name, wanted.args)
    if wrong is not None:
        raise TargetError(Reason.INVALID_PARAMS, wrong)
    spec = commands[wanted.name]
    argv = list(spec.fill(wanted.args))
    operation = OperationSpec(
        kind=KIND,
        object_id=f"{service}/{spec.name}",
        object_name=f"{spec.name} for {service}",
        change={"command": spec.name, "argv": argv, "spec": _fingerprint(spec)},
        before={"service": service, "args": wanted.args},
        timeout=spec.timeout + MARGIN,
    )
    return PlanSpec(
        action=Command.name,
        params=wanted.model_dump(mode="json"),
        operations=(operation,),
        summary=f"run the command {spec.name} for {service}: {' '.join(argv)}",
    )


def _fingerprint(spec: CommandSpec) -> str:
    """What else decides how the argv acts; a hash, as the environment may hold secrets.

    Not in it are `output_limit`, which only says how much of the output is kept, and `undo`, which is
    planned and judged when somebody wants it.
    """
    body = {
        "env": spec.env,
        "timeout": spec.timeout.total_seconds(),
        "probe": spec.probe,
        "repeatable": spec.repeatable,
    }
    return hashlib.sha256(canonical(body).encode()).hexdigest()[:FINGERPRINT_CHARS]


async def _survivors(operation: Operation, attempt: Attempt, world: World) -> list[Survivor]:
    """What of the command still runs; after the deadline it is ended first."""
    commands, clock = world.commands, world.clock
    left = await commands.survivors(attempt.id)
    if not left or clock.now() < attempt.deadline:
        return left
    argv = tuple(operation.change["argv"])
    await commands.end_survivors(attempt.id, argv)
    end = clock.monotonic() + ENDING
    while True:
        # What the command has let go of, such as a service that it was to start, may live on.
        left = [s for s in await commands.survivors(attempt.id) if s.argv[-len(argv) :] == argv]
        if not left or clock.monotonic() >= end:
            return left
        await clock.sleep(POLL)


async def _ask(spec: CommandSpec, operation: Operation, world: World) -> ProbeResult:
    """Run the probe command: exit 0 applied, 1 not applied, anything else unknown."""
    probe = world.commands.specs.get(spec.probe or "")
    if probe is None:
        return Unknown(result={"error": f"the probe {spec.probe} is not in the configuration"})
    try:
        argv = probe.fill(passed_on(spec.params, probe.params, operation.before["args"]))
        done = await world.commands.run(probe, argv)
    except (CommandInputError, CommandNotStarted) as error:
        return Unknown(result={"error": f"probe {probe.name}: {error}"})
    told: dict[str, Json] = {"probe": {"command": probe.name, **_told(done)}}
    if done.timed_out or done.exit_code not in (0, 1):
        return Unknown(result={"error": f"the probe {probe.name} could not tell", **told})
    return Applied(result=told) if done.exit_code == 0 else NotApplied(result=told)


def _told(done: CommandResult) -> dict[str, Json]:
    return {
        "exit_code": done.exit_code,
        "output": done.output,
        "output_bytes": done.output_bytes,
        "seconds": round(done.seconds, 3),
    }


def _ending(done: CommandResult) -> str:
    """How it failed, with the last line that it wrote: usually the one that says why."""
    code = done.exit_code or 0
    how = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
    lines = done.output.strip().splitlines()
    return f"{how}: {lines[-1][:200]}" if lines else how


def _process(survivor: Survivor) -> Json:
    return {"pid": survivor.pid, "argv": list(survivor.argv)}
