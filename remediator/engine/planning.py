"""Makes the plan of a run: of its step, or of what takes another run back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.engine.filling import filled
from remediator.model.plan import Operation, Plan
from remediator.model.rule import Rule
from remediator.model.run import Run
from remediator.model.words import AttemptStatus, Outcome, Reason
from remediator.model.world import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from remediator.actions.base import Action
    from remediator.engine.core import Core
    from remediator.model.plan import PlanSpec
    from remediator.model.service import Service
    from remediator.store import Reader

MOST_RUNS = 500
"""Of an incident, looked through for those that take another one back."""


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
    """The plan that takes back the last step of a run that can be taken back, and has not been yet.

    TargetError when there is none.
    """
    run = reader.get(Run, run_id)
    others = reader.list_runs(incident=run.incident_id, limit=MOST_RUNS) if run is not None else []
    taken = sum(other.undoes == run_id and other.outcome is Outcome.SUCCEEDED for other in others)
    undos = [undo for undo in _undos(reader, run_id, actions) if undo is not None]
    if taken >= len(undos):
        more = "more " if taken else ""
        nothing = f"run {run_id} has done nothing {more}that can be taken back"
        raise TargetError(Reason.NOTHING_TO_CHANGE, nothing)
    return undos[taken]


def _undos(reader: Reader, run_id: int, actions: Mapping[str, Action]) -> Iterator[PlanSpec | None]:
    """What would take back each of a run's steps, the last one first; None where nothing would."""
    done: dict[int, list[Operation]] = {}
    for attempt in reader.list_attempts(run_id):
        operation = reader.get(Operation, attempt.operation_id)
        if attempt.status is AttemptStatus.APPLIED and operation is not None:
            done.setdefault(attempt.step, []).append(operation)
    for step in sorted(done, reverse=True):
        # Between two operations of a step its plan is made anew.
        operations = sorted(done[step], key=lambda operation: operation.number)
        plan = reader.get(Plan, operations[-1].plan_id)
        action = actions.get(plan.action) if plan is not None else None
        if plan is not None and action is not None and action.reversible:
            yield action.undo(plan, operations)
