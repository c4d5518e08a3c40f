"""Makes the plan of a run: of its step, or of what takes another run back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.engine.filling import filled
from remediator.model.plan import Operation, Plan
from remediator.model.rule import Rule
from remediator.model.words import AttemptStatus, Reason
from remediator.model.world import TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.actions.base import Action
    from remediator.engine.core import Core
    from remediator.model.plan import PlanSpec
    from remediator.model.run import Run
    from remediator.model.service import Service
    from remediator.store import Reader


async def plan_of(core: Core, run: Run, rule: Rule, service: Service) -> PlanSpec:
    """What a run is to do now. TargetError, WorldError and UnfilledError where that cannot be told."""
    actions = core.setup.actions
    if run.undoes is not None:
        wanted = run.undoes
        return await core.store.read(lambda reader: undo_of(reader, wanted, actions))
    step = rule.steps[run.step]
    params = await filled(core, run, step)
    return await actions[step.action].plan(service, params, core.world)


def rule_of_undo(run: Run) -> Rule:
    """What a run goes by that takes another one back: no ladder, and no guards of its own."""
    return Rule(name=run.rule, group="", version=run.rule_version, source="", steps=())


def undo_of(reader: Reader, run_id: int, actions: Mapping[str, Action]) -> PlanSpec:
    """The plan that takes back the last thing that a run has done and that can be taken back.

    TargetError when there is none.
    """
    done: dict[int, list[Operation]] = {}
    for attempt in reader.list_attempts(run_id):
        operation = reader.get(Operation, attempt.operation_id)
        if attempt.status is AttemptStatus.APPLIED and operation is not None:
            done.setdefault(operation.plan_id, []).append(operation)
    for number in sorted(done, reverse=True):
        plan = reader.get(Plan, number)
        action = actions.get(plan.action) if plan is not None else None
        if plan is None or action is None or not action.reversible:
            continue
        undo = action.undo(plan, sorted(done[number], key=lambda operation: operation.number))
        if undo is not None:
            return undo
    nothing = f"run {run_id} has done nothing that can be taken back"
    raise TargetError(Reason.NOTHING_TO_CHANGE, nothing)
