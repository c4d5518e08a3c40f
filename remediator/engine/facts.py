"""Reads the slow facts that a decision needs, just before it is made."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.checks.changes import recent_changes
from remediator.decide.facts import SERIES_TOLD, Answer, WorldFacts
from remediator.model.service import TargetKind
from remediator.model.world import WorldError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remediator.engine.core import Core
    from remediator.model.alert import Sighting
    from remediator.model.plan import Operation, OperationSpec
    from remediator.model.rule import Rule
    from remediator.model.run import Run
    from remediator.model.service import Service
    from remediator.model.world import ObjectChange

SIGHTING_AGE = timedelta(seconds=2)
"""An answer of Alertmanager's that is not older is shared by those who ask at the same time."""

STALE = timedelta(seconds=10)
"""Facts older than this when the decision is made are read anew."""


async def read_facts(
    core: Core,
    run: Run,
    rule: Rule,
    service: Service,
    operations: Sequence[Operation | OperationSpec],
) -> WorldFacts:
    """Everything outside the store that the guardrails judge a run's next operation by."""
    sightings, (changes, changes_error), answer = await asyncio.gather(
        _sightings(core, run), _changes(core, rule, service, operations), _answer(core, rule)
    )
    heard = [at for fingerprint in core.alarms.of(run) if (at := core.alarms.last_heard(fingerprint))]
    seen = [s.at for s in sightings if s.state == "firing"]
    return WorldFacts(
        # Each sighting tells its own time; the rest is as new as this.
        read_at=core.clock.now(),
        started_at=core.started_at,
        reconciled=core.reconciled,
        draining=core.draining,
        paused_by_file=paused_by_file(core),
        alert_api=core.world.alerts is not None,
        sightings=sightings,
        confirmed_at=max(heard + seen, default=None),
        changes=changes,
        changes_error=changes_error,
        answer=answer,
    )


def paused_by_file(core: Core) -> str | None:
    """Path of the pause file, if it is there. What cannot be looked at counts as there."""
    path = core.setup.pause_file
    if path is None:
        return None
    try:
        path.lstat()
    except FileNotFoundError:
        return None
    except OSError:
        return str(path)
    return str(path)


async def _sightings(core: Core, run: Run) -> tuple[Sighting, ...]:
    alerts = core.world.alerts
    if alerts is None or run.by_hand:
        return ()
    if not core.alarms.of(run):
        return ()
    seen = await alerts.look(SIGHTING_AGE)
    return tuple(seen.sighting(fingerprint) for fingerprint in sorted(core.alarms.of(run)))


async def _changes(
    core: Core, rule: Rule, service: Service, operations: Sequence[Operation | OperationSpec]
) -> tuple[tuple[ObjectChange, ...], str | None]:
    window = core.setup.policy.hands_off(rule.guards)
    if window <= timedelta(0) or service.target.kind is TargetKind.NONE:
        return (), None
    try:
        since = core.clock.now() - window
        return await recent_changes(service, operations, since, core.world), None
    except WorldError as error:
        return (), str(error)


async def _answer(core: Core, rule: Rule) -> Answer | None:
    """What Prometheus says to the rule's expression, at this moment."""
    promql, prometheus = rule.when.promql, core.world.prometheus
    if promql is None:
        return None
    if prometheus is None:
        return Answer(promql=promql, error="no Prometheus is configured")
    try:
        found = await prometheus.query(promql)
    except WorldError as error:
        return Answer(promql=promql, error=str(error))
    return Answer(
        promql=promql,
        met=any(not one.scalar or (one.value != 0 and not math.isnan(one.value)) for one in found),
        series=len(found),
        told=tuple((one.labels, f"{one.value:g}") for one in found[:SERIES_TOLD]),
    )
