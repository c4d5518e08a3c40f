"""Explains what would be done about an alert, by deciding about it as the engine does and throwing that away.

The decisions run over a snapshot that was only read, in a draft that is never saved: nothing is written,
nobody is told, nothing is acted on. What is not there yet gets numbers that no table has.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.decide import acting
from remediator.decide.classify import classify
from remediator.decide.draft import Draft
from remediator.decide.intake import correlation_key, service_key, service_of, take_in
from remediator.engine.facts import read_facts
from remediator.engine.filling import UnfilledError, filled, reason_of
from remediator.engine.runner import records_for
from remediator.model.alert import Alert, Episode, Sighting, fingerprint
from remediator.model.explain import Explanation
from remediator.model.run import Incident, Run
from remediator.model.snapshot import KEYS, Snapshot
from remediator.model.verdict import word
from remediator.model.words import AT_WORK, Reason, RunStatus
from remediator.model.world import TargetError, WorldError
from remediator.rules.nearest import look_at_rules
from remediator.world.targets import find_service

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from remediator.decide.facts import WorldFacts
    from remediator.decide.guardrails import Judgement
    from remediator.engine.core import Core
    from remediator.engine.setup import Setup
    from remediator.model.explain import AskedAlert, RulesLook
    from remediator.model.plan import PlanSpec
    from remediator.model.rule import Rule
    from remediator.store import Reader

PROVISIONAL = 2**62
"""First number of what is only supposed; no row of any table has it."""

RESOLUTION = timedelta(microseconds=1)
"""Least time between two moments."""

MANY = 500
"""Newest runs of an incident among which the last one for an alert is looked for."""

FRESH = timedelta(seconds=2)
"""How old an answer of Alertmanager's may be."""


@dataclass(frozen=True, slots=True)
class _Supposed:
    """The alert as taken in, in a draft."""

    draft: Draft
    episode: Episode
    new: bool
    """Whether no episode of the alert is open, and one was supposed."""
    run: Run | None
    over: str = ""
    """Why nothing begins for an alert that fires already; empty if something may."""

    @property
    def incident(self) -> Incident:
        assert self.episode.incident_id is not None  # noqa: S101 - one that fires has one
        return self.draft.snapshot.get(Incident, self.episode.incident_id)


async def explain(core: Core, asked: AskedAlert, *, most: int | None) -> Explanation:
    """What would be done now about an alert; of the rules that do not match, the `most` nearest."""
    setup = core.setup
    labels = {name: value for name, value in asked.labels.items() if value}
    alert = Alert(
        status="firing",
        labels=labels,
        starts_at=asked.starts_at or core.clock.now(),
        fingerprint=asked.fingerprint or fingerprint(labels),
    )
    looked = await asyncio.to_thread(look_at_rules, setup.rules, labels, most)
    found = setup.rules.match(labels)
    rule = setup.rule_for(found.rule, service_of(alert, found.rule)) if found else None
    supposed = await core.store.read(lambda reader: _suppose(core, setup, reader, alert, rule))
    alerts = core.world.alerts
    sighting = None if alerts is None else (await alerts.look(FRESH)).sighting(alert.fingerprint)
    explanation, run = _begun(setup, alert, rule, looked, supposed, sighting), supposed.run
    if supposed.over:
        return replace(explanation, overall="over", detail=supposed.over)
    if rule is None:
        return replace(explanation, overall="no_rule", detail="no rule matches, so nothing is done")
    if run is None or run.finished:
        why = run.detail if run and run.detail else "no service is named"
        reason = run.reason.value if run and run.reason else None
        return replace(explanation, overall="deny", reason=reason, detail=why)
    if run.status in AT_WORK:
        return replace(explanation, overall="at_work", detail=f"run {run.id} is {run.status.value}")
    return await _planned(core, setup, alert, rule, run, explanation, sighting)


def explain_by_rules(setup: Setup, asked: AskedAlert, now: datetime, *, most: int | None) -> Explanation:
    """What rules and configuration alone tell: neither world nor store is looked at."""
    labels = {name: value for name, value in asked.labels.items() if value}
    alert = Alert(status="firing", labels=labels, starts_at=now, fingerprint=fingerprint(labels))
    found = setup.rules.match(labels)
    rule = found.rule if found else None
    classified = classify(Draft(Snapshot(), now, classify=setup.rules.classify), labels, rule)
    return Explanation(
        at=now,
        labels=labels,
        fingerprint=alert.fingerprint,
        known="assumed",
        alertmanager="none",
        rules=look_at_rules(setup.rules, labels, most),
        rules_version=setup.rules.version,
        rule=rule.name if rule else None,
        rule_version=rule.version if rule else None,
        severity=classified.severity,
        type=classified.type,
        classified_by=classified.by,
        service=service_of(alert, rule),
        overall="unknown" if rule else "no_rule",
        detail=(rule.no_service or "") if rule else "no rule matches, so nothing is done",
    )


async def _planned(
    core: Core,
    setup: Setup,
    alert: Alert,
    rule: Rule,
    run: Run,
    explanation: Explanation,
    sighting: Sighting | None,
) -> Explanation:
    """The run's present step, planned and judged."""
    if run.step >= len(rule.steps):
        why = "its ladder has become shorter"
        return replace(explanation, overall="deny", reason=Reason.RULE_GONE.value, detail=why)
    step = rule.steps[run.step]
    explanation = replace(explanation, step=run.step, action=step.action, params=step.params)
    try:
        service = await find_service(run.service, setup.services, core.world)
        target = service.target
        shown = f"{target.kind.value} {target.name}".strip() + f" on engine {target.engine}"
        explanation = replace(explanation, target=shown)
        params = await filled(core, run, step, [alert.labels] if explanation.known == "assumed" else [])
        planned = await setup.actions[step.action].plan(service, params, core.world)
    except TargetError as error:
        overall = "deny" if error.lasting else "hold"
        return replace(explanation, overall=overall, reason=error.reason.value, detail=error.detail)
    except (WorldError, UnfilledError) as error:
        return replace(explanation, overall="hold", reason=reason_of(error).value, detail=str(error))
    explanation = replace(explanation, plan=planned, digest=planned.digest(rule.version, run.step))
    facts = await read_facts(core, run, rule, service, planned.operations)
    facts = _as_supposed(facts, alert, explanation.known, sighting)
    judgement, why = await core.store.read(
        lambda reader: _judged(core, setup, reader, alert, rule, facts, planned)
    )
    explanation = replace(explanation, params=planned.params, facts=facts.told())
    if judgement is None:
        return replace(explanation, overall="over", detail=why)
    return replace(
        explanation,
        verdicts=tuple(judgement.told()),
        overall=word(judgement.overall),
        decisive=judgement.decisive,
        reason=judgement.overall.reason.value,
        detail=judgement.overall.detail,
    )


def _as_supposed(facts: WorldFacts, alert: Alert, known: str, sighting: Sighting | None) -> WorldFacts:
    """The facts for an alert that the daemon does not know of: it fires, unless it is known to be muted."""
    if known == "open":
        return facts
    if sighting is None or sighting.state in ("absent", "unknown"):
        sighting = Sighting(fingerprint=alert.fingerprint, state="firing", at=facts.read_at)
    others = (known for known in facts.sightings if known.fingerprint != alert.fingerprint)
    return replace(facts, sightings=(*others, sighting), confirmed_at=facts.read_at)


def _begun(
    setup: Setup,
    alert: Alert,
    rule: Rule | None,
    looked: RulesLook,
    supposed: _Supposed,
    sighting: Sighting | None,
) -> Explanation:
    """What is known before anything is planned."""
    classified = classify(supposed.draft, alert.labels, rule)
    incident, run = supposed.incident, supposed.run
    under_way = run if run is not None and run.id < PROVISIONAL else None
    return Explanation(
        at=supposed.draft.now,
        labels=alert.labels,
        fingerprint=alert.fingerprint,
        known="assumed" if supposed.new else "open",
        alertmanager=sighting.state if sighting else "none",
        rules=looked,
        rules_version=setup.rules.version,
        rule=rule.name if rule else None,
        rule_version=rule.version if rule else None,
        severity=classified.severity,
        type=classified.type,
        classified_by=classified.by,
        service=incident.service,
        incident=incident.id if incident.id < PROVISIONAL else None,
        run=under_way.id if under_way else None,
        run_status=under_way.status if under_way else None,
        overall="",
    )


def _suppose(core: Core, setup: Setup, reader: Reader, alert: Alert, rule: Rule | None) -> _Supposed:
    """Take the alert in, in a draft over what the store holds, and find or begin its run."""
    keys = [correlation_key(alert, rule), *(service_key(s) for s in ((rule and rule.unless_open) or ()))]
    read = reader.snapshot(fingerprints=[alert.fingerprint], keys=keys)
    numbers = itertools.count(PROVISIONAL)
    kinds: list[type[Any]] = list(KEYS)
    entities = [entity for kind in kinds for entity in read.all(kind)]
    snapshot = Snapshot(entities, next_id=lambda _: next(numbers), fires_beyond=read.fires_beyond)
    rules = setup.rules
    draft = Draft(snapshot, core.clock.now(), find_rule=rules.find, classify=rules.classify)
    became = take_in(draft, alert, rule, setup.policy)
    if became == "stale":  # it is from before its last end: taken as if it began again
        last = _latest(snapshot, alert)
        begins = max(draft.now, last.starts_at + RESOLUTION, (last.ends_at or draft.now) + RESOLUTION)
        became = take_in(draft, alert.model_copy(update={"starts_at": begins}), rule, setup.policy)
    episode = _latest(snapshot, alert)
    run = None if rule is None else _run(draft, episode, rule)
    if became == "opened":
        return _Supposed(draft, episode, True, run)
    over = _over(draft, reader, episode, rule)
    return _Supposed(draft, episode, False, None if over else run, over)


def _latest(snapshot: Snapshot, alert: Alert) -> Episode:
    return max((e for e in snapshot.all(Episode) if e.fingerprint == alert.fingerprint), key=lambda e: e.id)


def _run(draft: Draft, episode: Episode, rule: Rule) -> Run | None:
    """The run for the episode: the one under way, else one that ended as soon as it was supposed."""
    mine = [run for run in draft.snapshot.all(Run) if _is_for(run, episode, rule.name)]
    under_way = next((run for run in mine if not run.finished), None)
    return under_way or next((run for run in mine if run.id >= PROVISIONAL), None)


def _is_for(run: Run, episode: Episode, rule: str | None) -> bool:
    return (run.incident_id, run.rule, run.undoes) == (episode.incident_id, rule, None)


def _over(draft: Draft, reader: Reader, episode: Episode, rule: Rule | None) -> str:
    """Why nothing begins for an alert that fires already: a rule begins when an alert does, or not at all."""
    began = episode.rule
    if rule is None and began is None:
        return ""
    runs = [run for run in draft.snapshot.all(Run) if _is_for(run, episode, began) and not run.finished]
    if rule is None or rule.name != began:
        under = "under no rule" if began is None else f"under the rule {began}"
        at_it = f", whose run {runs[0].id} is {runs[0].status.value}" if runs else ""
        return f"the alert began {under}{at_it}; a rule begins when an alert begins to fire"
    if runs:
        return ""
    ended = reader.list_runs(incident=episode.incident_id, limit=MANY)
    last = next((run for run in ended if _is_for(run, episode, began)), None)
    if last is None or last.outcome is None:
        return f"it has no run; {began} begins again when the alert fires anew"
    why = f": {last.detail}" if last.detail else ""
    return f"run {last.id} is over, {last.outcome.value}{why}; {began} begins again when the alert fires anew"


def _judged(
    core: Core,
    setup: Setup,
    reader: Reader,
    alert: Alert,
    rule: Rule,
    facts: WorldFacts,
    planned: PlanSpec,
) -> tuple[Judgement | None, str]:
    """What the guardrails say; without a judgement, why there is none."""
    supposed = _suppose(core, setup, reader, alert, rule)
    draft, run = supposed.draft, supposed.run
    if run is None or run.finished:
        return None, supposed.over or "its run has ended meanwhile"
    if run.status is RunStatus.AWAITING_APPROVAL:
        run = replace(run, status=RunStatus.PLANNING)
        draft.snapshot.put(run)
    records = records_for(reader, run, rule, draft.now - setup.policy.horizon(rule.guards), planned)
    if supposed.new:
        records = replace(
            records,
            alerts=(*records.alerts, supposed.episode),
            alerts_of_incident=records.alerts_of_incident + 1,
        )
    judgement = acting.decide(draft, run, rule, setup.policy, facts, records, planned)
    ended = draft.snapshot.get(Run, run.id)
    return judgement, ended.detail or "there is nothing to decide"
