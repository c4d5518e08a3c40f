"""Looks at the world for a run: evidence before the act, and whether it helped afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import structlog

from remediator.checks.health import health
from remediator.decide.verify import Assessment, Look, Progress, assess
from remediator.model.words import Outcome, Reason
from remediator.model.world import (
    ActFailed,
    Applied,
    Finding,
    NotApplied,
    TargetError,
    Unknown,
    WorldError,
)
from remediator.world.health import Health
from remediator.world.targets import find_service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Literal

    from remediator.engine.core import Core
    from remediator.model.rule import Rule, TriageStep
    from remediator.model.run import Run
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.store import Transaction

R = TypeVar("R", bound=Applied | NotApplied | ActFailed | Unknown)

log = structlog.get_logger(__name__)


async def triage(core: Core, rule: Rule, service: Service) -> Sequence[Finding]:
    """All looks of a rule side by side; one that fails or takes too long stops no other."""
    seconds = core.setup.triage_timeout.total_seconds()
    return await asyncio.gather(*(_look(core, step, service, seconds) for step in rule.triage))


async def _look(core: Core, step: TriageStep, service: Service, seconds: float) -> Finding:
    check = core.setup.checks.get(step.check)
    if check is None:
        return Finding(check=step.check, ok=None, summary="there is no such check any more")
    try:
        async with asyncio.timeout(seconds):
            return await check.look(service, step.params, core.world)
    except TimeoutError:
        return Finding(check=step.check, ok=None, summary=f"took longer than {seconds:g} s")
    except Exception as error:
        log.exception("a check failed in a way that it does not know", check=step.check)
        return Finding(check=step.check, ok=None, summary=f"{type(error).__name__}: {error}")


def kept(finding: Finding, transaction: Transaction) -> Json:
    """What a run keeps of a finding; its whole text goes to the evidence, under its hash."""
    digest = (
        transaction.add_evidence(finding.text.encode(errors="replace"), "text/plain; charset=utf-8")
        if finding.text
        else None
    )
    return {
        "check": finding.check,
        "ok": finding.ok,
        "summary": finding.summary,
        "facts": finding.facts,
        "sha256": digest,
    }


def cut(result: R, room: int) -> R:
    """The result of an act with long texts cut, as it goes into the record."""
    short = {
        key: value[:room] + "…" if isinstance(value, str) and len(value) > room else value
        for key, value in result.result.items()
    }
    return replace(result, result=short)


class Watch:
    """Looks again and again at whether an act helped, and folds what it sees into a verdict."""

    def __init__(self, core: Core, run: Run, rule: Rule | None) -> None:
        self._core = core
        self._run = run
        self._spec = rule.steps[run.step].verify if rule and run.step < len(rule.steps) else None
        self._progress = Progress()
        begun = run.verify_from or core.clock.now()
        # What could not be watched while the daemon was down is not held against the act.
        self._started = max(begun, core.started_at)
        self._fingerprints: frozenset[str] = frozenset()
        self._latest = core.alarms.latest(run)
        """The last episode that had begun by the look before."""

    async def begin(self) -> None:
        """Find out which alerts to look for: all of the run's, also those that are over."""
        run = self._run
        self._fingerprints = await self._core.store.read(
            lambda reader: reader.fingerprints_of(run.incident_id, run.rule)
        )

    async def look(self) -> Assessment:
        """Look once more, and judge all looks so far."""
        if self._spec is None:
            return Assessment(
                progress=self._progress,
                outcome=Outcome.INCONCLUSIVE,
                reason=Reason.RULE_GONE,
                detail="the rule that says how to verify is gone",
            )
        begun = self._core.clock.now()
        (alert, told, asked_at), health_seen = await asyncio.gather(self._alert(), self._health())
        look = Look(
            # Of what came later nothing was seen, though the look went on.
            at=min(begun, asked_at),
            alert=alert,
            healthy=health_seen.healthy,
            detail="; ".join(part for part in (told, health_seen.detail) if part),
            relapsed=self._relapsed(),
            up_since=health_seen.since,
        )
        assessment = assess(self._spec, self._started, self._progress, look)
        self._progress = assessment.progress
        return assessment

    def _relapsed(self) -> bool:
        """Whether the alert has begun again since the look before, be it for a moment."""
        before, self._latest = self._latest, self._core.alarms.latest(self._run)
        return self._latest > before

    async def _alert(self) -> tuple[Literal["firing", "gone", "unknown", "none"], str, datetime]:
        """The state of the run's alerts, what to say of it, and since when it may be out of date."""
        core, run = self._core, self._run
        now = core.clock.now()
        firing = core.alarms.of(run)
        fingerprints = self._fingerprints | firing.keys()
        if not fingerprints:
            return "none", "", now
        if core.world.alerts is None:
            # A missing `resolved` proves nothing: it may be late, or lost.
            return ("unknown", "no webhook has told of its end", now) if firing else ("gone", "", now)
        # Shared with everybody who asks, but never older than the act itself.
        age = min(core.setup.verify_interval / 2, now - (run.verify_from or self._started))
        age = max(age, timedelta(0))
        seen = await core.world.alerts.look(age)
        states, at = {seen.sighting(fingerprint).state for fingerprint in fingerprints}, seen.at
        if "firing" in states:
            return "firing", "the alert still fires", at
        if "unknown" in states:
            return "unknown", "Alertmanager cannot tell whether the alert fires", at
        if "muted" in states:
            return "unknown", "the alert is muted in Alertmanager, so nobody can see its end", at
        return "gone", "", at

    async def _health(self) -> Health:
        core, spec = self._core, self._spec
        if spec is None or not spec.healthy:
            return Health(healthy=None, detail="")
        try:
            service = await find_service(self._run.service, core.setup.services, core.world)
        except (TargetError, WorldError) as error:
            return Health(healthy=None, detail=str(error))
        return await health(service, spec.steady, core.world)
