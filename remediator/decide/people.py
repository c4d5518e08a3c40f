"""What operators may ask for besides approving: run, cancel, settle, pause and resume."""

from dataclasses import replace

from remediator.decide.asking import RefusalError
from remediator.decide.draft import Draft
from remediator.decide.ending import BEFORE_ACTING, cancel_waiting, finish, wake
from remediator.decide.intake import propose, worsened
from remediator.decide.outcomes import applied, not_applied
from remediator.decide.policy import UNCLASSIFIED, Policy
from remediator.model.rule import Rule
from remediator.model.run import PAUSE, Attempt, Control, Incident, Run
from remediator.model.words import AttemptStatus, IncidentStatus, Outcome, Reason, RunStatus


def start_run(draft: Draft, rule: Rule, service: str, *, why: str) -> Run:
    """Start a rule by hand, in the service's open incident or in a new one. All guardrails apply.

    RefusalError where the rule is meant for another service, or under way for this one.
    """
    if rule.service is not None and rule.service != service:
        raise RefusalError(f"the rule {rule.name} is for the service {rule.service}, not for {service}")
    key = f"service:{service}"
    incident = next(
        (i for i in draft.snapshot.all(Incident) if i.correlation_key == key and i.open),
        None,
    )
    if incident is None:
        incident = Incident(
            id=draft.snapshot.next_id(Incident),
            correlation_key=key,
            service=service,
            severity=rule.severity or UNCLASSIFIED,
            type=rule.type,
            status=IncidentStatus.OPEN,
            title=f"{rule.name} on {service}, by hand",
            opened_at=draft.now,
        )
        draft.record(
            "incident.opened",
            incident=incident.id,
            puts=(incident,),
            severity=incident.severity.value,
            type=incident.type.value if incident.type else None,
            service=service,
        )
    for run in draft.snapshot.all(Run):
        if (run.incident_id, run.rule, run.undoes) == (incident.id, rule.name, None) and not run.finished:
            raise RefusalError(
                f"run {run.id} of {rule.name} is already under way for {service}: {run.status}"
            )
    worsened(draft, incident, rule.severity or incident.severity, rule.type)
    return propose(draft, incident, rule, requested_by=draft.actor, why=why)


def cancel(draft: Draft, run: Run, policy: Policy, *, why: str) -> None:
    """Stop a run at its next safe point: at once unless it acts. RefusalError if there is nothing to stop."""
    detail = f"cancelled by {draft.actor}" + (f": {why}" if why else "")
    if run.finished:
        raise RefusalError(f"run {run.id} has already ended: {run.outcome}")
    if run.status is RunStatus.UNKNOWN:
        raise RefusalError(f"run {run.id} waits to be told what became of its act: use settle instead")
    if run.status in BEFORE_ACTING:
        cancel_waiting(draft, run, policy, reason=Reason.CANCELLED_BY_PERSON, detail=detail)
    elif run.status is RunStatus.VERIFYING:
        finish(
            draft,
            run,
            policy,
            outcome=Outcome.CANCELLED,
            reason=Reason.CANCELLED_BY_PERSON,
            detail=f"{detail}, after the act and before its verification was over",
        )
    elif run.cancel_requested is not None:
        raise RefusalError(f"run {run.id} is to be stopped after its act already, by {run.cancel_requested}")
    else:
        draft.record(
            "run.cancel_requested",
            incident=run.incident_id,
            puts=(replace(run, cancel_requested=draft.actor),),
            run=run.id,
            why=why,
        )


def settle(draft: Draft, run: Run, rule: Rule, policy: Policy, *, was_applied: bool, why: str) -> None:
    """A person tells what became of an act whose outcome nobody could tell; RefusalError otherwise."""
    if run.status is not RunStatus.UNKNOWN:
        raise RefusalError(f"run {run.id} needs no settling: it is {run.outcome or run.status}")
    attempt = max(
        (a for a in draft.snapshot.all(Attempt) if a.run_id == run.id and a.status is AttemptStatus.UNKNOWN),
        key=lambda a: a.id,
    )
    result = {**attempt.result, "settled_by": draft.actor, "settled_why": why}
    if was_applied:
        applied(draft, run, attempt, result)
    else:
        not_applied(draft, run, attempt, rule, policy, result)


def pause(draft: Draft, *, why: str) -> Control:
    """Throw the kill switch. A second pause replaces the first one's reason."""
    control = Control(key=PAUSE, by=draft.actor, reason=why, at=draft.now)
    draft.record("pause.on", incident=None, puts=(control,), why=why)
    return control


def resume(draft: Draft, *, why: str) -> None:
    """Release the kill switch and look anew at what it held; RefusalError if it is not on."""
    control = draft.snapshot.find(Control, PAUSE)
    if control is None:
        raise RefusalError("nothing is paused by command; a pause file must be removed by hand")
    draft.record("pause.off", incident=None, deletes=(control,), why=why)
    for run in list(draft.snapshot.all(Run)):
        if run.status is RunStatus.HELD and run.hold_reason is Reason.PAUSED:
            wake(draft, run, why=f"resumed by {draft.actor}")
