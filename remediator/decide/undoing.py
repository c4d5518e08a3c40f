"""Taking back what a run has done, by a run of its own: toward what was there before.

It obeys the lock, the kill switch, and the hands of others, as every act; it spends no budget, and asks for
no alert and no second yes, because a person wants it now.
"""

from collections.abc import Iterable

from remediator.decide.asking import RefusalError
from remediator.decide.draft import Draft
from remediator.decide.ending import finish
from remediator.decide.policy import Policy
from remediator.model.run import UNDO_STEP, Run
from remediator.model.words import Outcome, Reason, RunStatus


def begin(draft: Draft, run: Run, others: Iterable[Run], *, why: str) -> Run:
    """Begin to take a run back. `others` are the runs of its incident.

    RefusalError while it is under way, or being taken back, and where it took one back itself.
    """
    if run.undoes is not None:
        raise RefusalError(
            f"run {run.id} took run {run.undoes} back; to act once more: "
            f"remediator run {run.rule} --service {run.service}"
        )
    if not run.finished:
        raise RefusalError(f"run {run.id} is under way ({run.status}): cancel it, or wait for its end")
    for other in others:
        if other.undoes == run.id and not other.finished:
            raise RefusalError(f"run {run.id} is being taken back already, by run {other.id}: {other.status}")
    undo = Run(
        id=draft.snapshot.next_id(Run),
        incident_id=run.incident_id,
        rule=run.rule,
        rule_version=run.rule_version,
        service=run.service,
        status=RunStatus.PLANNING,
        step=UNDO_STEP,
        requested_by=draft.actor,
        created_at=draft.now,
        triaged=True,
        undoes=run.id,
    )
    draft.record(
        "run.undo_proposed",
        incident=run.incident_id,
        puts=(undo,),
        run=undo.id,
        undoes=run.id,
        rule=run.rule,
        rule_version=run.rule_version,
        service=run.service,
        requested_by=draft.actor,
        why=why,
    )
    return undo


def end(draft: Draft, run: Run, policy: Policy) -> None:
    """Its plan was carried out; or a part of it, where somebody stopped it meanwhile."""
    if run.status is not RunStatus.VERIFYING:
        return
    if run.cancel_requested is not None:
        outcome, reason = Outcome.CANCELLED, Reason.CANCELLED_BY_PERSON
        detail = f"run {run.undoes} was taken back in part: stopped by {run.cancel_requested}"
    else:
        outcome, reason = Outcome.SUCCEEDED, Reason.TAKEN_BACK
        detail = f"run {run.undoes} was taken back"
    finish(draft, run, policy, outcome=outcome, reason=reason, detail=detail)
