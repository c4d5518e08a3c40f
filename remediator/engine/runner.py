"""Carries one run along: what its status asks for is done, and what came of it is decided upon.

The status is the whole truth of where a run stands, so a runner can be dropped at any moment and
begun anew from the store: after a crash, a drain, or a fault of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import structlog

from remediator.decide import acting, asking, outcomes, undoing
from remediator.decide.facts import Records
from remediator.decide.intake import service_key
from remediator.engine import looking, planning
from remediator.engine.core import wait_for
from remediator.engine.facts import STALE, read_facts
from remediator.engine.filling import UnfilledError, reason_of
from remediator.model.plan import Operation, Plan
from remediator.model.run import Attempt, Run
from remediator.model.verdict import Hold
from remediator.model.words import AttemptStatus, Outcome, RunStatus
from remediator.model.world import Applied, TargetError, Unknown, WorldError
from remediator.world.targets import find_service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from remediator.decide.draft import Draft
    from remediator.decide.facts import WorldFacts
    from remediator.decide.verify import Assessment
    from remediator.engine.core import Core
    from remediator.engine.setup import Setup
    from remediator.model.plan import PlanSpec
    from remediator.model.rule import Rule
    from remediator.model.service import Service
    from remediator.model.snapshot import Snapshot
    from remediator.model.world import ApplyResult, ProbeResult
    from remediator.store import Reader, Transaction

STARTING = 30.0
"""Seconds that a start may take before runs are decided upon all the same, and held because of it."""

SLOT_PATIENCE = 3.0
"""Seconds that a run waits for others' acts before it is decided upon without acting: short acts cost no
second decision, and long ones keep no question from people."""

LOOK_AGAIN = 300.0
"""Seconds after which a held run is looked at in any case, so that nothing waits for ever."""

PROBE_PAUSE = 10.0
PROBE_PATIENCE = 120.0
"""Seconds that a world which cannot be read is asked again what became of an act."""

CLOSED_AT_ONCE = 100
"""Most episodes that one decision about a run ends."""

RESULT_ROOM = 4096
"""Characters of an act's output that are kept in the record itself."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Act(NamedTuple):
    """One try at one operation that is under way, or was when the daemon ended."""

    operation: Operation
    attempt: Attempt
    action: str


def under_way(snapshot: Snapshot, run: Run) -> Act:
    """The act that a run in ACTING or PROBING is about."""
    attempt = max(
        (a for a in snapshot.all(Attempt) if a.run_id == run.id and a.status is AttemptStatus.INTENT),
        key=lambda a: a.id,
    )
    operation = snapshot.get(Operation, attempt.operation_id)
    return Act(operation, attempt, snapshot.get(Plan, operation.plan_id).action)


class Runner:
    """One unfinished run, as the engine drives it."""

    def __init__(self, core: Core, run: Run, ready: asyncio.Event, slots: asyncio.Semaphore) -> None:
        self.run = run
        """As last committed; the dispatcher keeps it so."""
        self.changed = asyncio.Event()
        """Set by the dispatcher when the run was changed by anybody."""
        self.acting = False
        """True while an act is under way, which a drain waits for."""
        self._core = core
        self._ready = ready
        self._slots = slots
        self._hold_until: datetime | None = None
        self._unclear_since: datetime | None = None
        """Since when its target has been missing, or more than one."""

    async def drive(self) -> None:
        """Go on until the run has finished, or the daemon stops and the act under way is on the record."""
        await wait_for(self._ready, STARTING)
        while not self.run.finished and not self._core.draining:
            self.changed.clear()
            match self.run.status:
                case RunStatus.PLANNING:
                    await self._plan_and_act()
                case RunStatus.HELD:
                    await self._wait_held()
                    if self.run.status is RunStatus.HELD:
                        await self._plan_and_act()
                case RunStatus.ACTING:
                    # No act of ours is under way here, so it was cut off.
                    await self._decide(outcomes.interrupted)
                case RunStatus.PROBING:
                    await self._probe()
                case RunStatus.VERIFYING if self.run.undoes is not None:
                    await self._decide(lambda draft, run: undoing.end(draft, run, self._core.setup.policy))
                case RunStatus.VERIFYING:
                    await self._verify()
                case RunStatus.AWAITING_APPROVAL:
                    await self._wait_for_answer()
                case RunStatus.UNKNOWN:
                    await self.changed.wait()
                case RunStatus.FINISHED:
                    return

    async def _wait_held(self) -> None:
        """Until the hold is over, the run was changed, or it is time to look in any case."""
        until = self._hold_until
        # Not known after a start or a wake: look at once.
        seconds = 0.0 if until is None else min(self._core.seconds_until(until), LOOK_AGAIN)
        await wait_for(self.changed, seconds)

    async def _wait_for_answer(self) -> None:
        """Until people have answered; if the rule is another one meanwhile, their question is, too."""
        rule = await self._rule_in_force()
        if rule is None:
            return
        if rule.version == self.run.rule_version:
            await self.changed.wait()
        else:
            await self._decide(lambda draft, run: asking.withdraw(draft, run, why="the rule has changed"))

    async def _plan_and_act(self) -> None:
        core, run = self._core, self.run
        setup = core.setup
        rule = await self._rule_in_force()
        if rule is None:
            return
        try:
            service = await find_service(run.service, setup.services, core.world)
            if rule.triage and not run.triaged:
                run = await self._triage(run, rule, service)
            # In the middle of a plan it is made anew, too: what it was made for may be gone.
            planned = await planning.plan_of(core, run, rule, service)
        except TargetError as error:
            refused = error
            since = self._unclear_since = self._unclear_since or core.clock.now()
            self._note(
                await self._decide(
                    lambda draft, run: acting.plan_failed(draft, run, setup.policy, refused, since)
                )
            )
            return
        except (WorldError, UnfilledError) as error:
            why = str(error), reason_of(error)
            self._note(
                await self._decide(lambda draft, run: acting.plan_unreadable(draft, run, setup.policy, *why))
            )
            return
        self._unclear_since = None
        if not await self._slot_within(SLOT_PATIENCE):
            # What would not act now is held, denied or asked about, however long others act.
            facts = await read_facts(core, run, rule, service, planned.operations)
            await self._judge(setup, rule, facts, planned, may_begin=False)
            if self.run.status not in acting.UNDECIDED or self._hold_until is not None:
                return
            await self._slots.acquire()
        try:
            facts = await read_facts(core, run, rule, service, planned.operations)
            # From before the intent is committed, so that a stop cannot come between it and the act.
            self.acting = True
            begun = await self._judge(setup, rule, facts, planned)
            if begun is not None:
                await self._act(rule, begun)
        finally:
            self.acting = False
            self._slots.release()

    async def _slot_within(self, seconds: float) -> bool:
        """Take one of the slots for acts, if one is free soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._slots.acquire()
        return False

    async def _triage(self, run: Run, rule: Rule, service: Service) -> Run:
        """Look before the first act; what was seen is kept as evidence."""
        findings = await looking.triage(self._core, rule, service)

        def decision(draft: Draft, transaction: Transaction) -> Run:
            current = draft.snapshot.get(Run, run.id)
            if current.triaged or current.finished:
                return current
            evidence = tuple(looking.kept(finding, transaction) for finding in findings)
            return acting.triaged(draft, current, evidence)

        return await self._core.decide(decision, runs=[run.id])

    async def _judge(
        self, setup: Setup, rule: Rule, facts: WorldFacts, planned: PlanSpec, *, may_begin: bool = True
    ) -> Act | None:
        """Decide; returns what to do now, if anything. What is allowed may have to wait for a slot."""
        core, number, policy = self._core, self.run.id, setup.policy

        def decision(draft: Draft, transaction: Transaction) -> tuple[Hold | None, Act | None]:
            if draft.now - facts.read_at > STALE or core.setup is not setup or core.draining:
                return None, None  # the writer was busy for long, or rules or daemon changed: look anew
            run = draft.snapshot.get(Run, number)
            records = records_for(transaction, run, rule, draft.now - policy.horizon(rule.guards), planned)
            judgement = acting.decide(draft, run, rule, policy, facts, records, planned, may_begin=may_begin)
            run = draft.snapshot.get(Run, number)
            if run.status is not RunStatus.ACTING:
                overall = judgement.overall if judgement else None
                return (overall if isinstance(overall, Hold) else None), None
            return None, under_way(draft.snapshot, run)

        gone = await self._close_most(
            [sighting.fingerprint for sighting in facts.sightings if sighting.state == "absent"],
            lambda draft, run: acting.close_what_is_gone(draft, run, policy, facts),
        )
        hold, begun = await core.decide(
            decision, fingerprints=gone, keys=[service_key(s) for s in rule.unless_open or ()], runs=[number]
        )
        self._note(hold)
        return begun

    async def _act(self, rule: Rule, act: Act) -> None:
        core, attempt = self._core, act.attempt
        begun = core.clock.monotonic()
        result = await self._apply(act)
        seconds = core.clock.monotonic() - begun
        result = looking.cut(result, RESULT_ROOM)

        def decision(draft: Draft, _: Transaction) -> None:
            outcomes.act_ended(
                draft,
                draft.snapshot.get(Run, attempt.run_id),
                draft.snapshot.get(Attempt, attempt.id),
                rule,
                core.setup.policy,
                result,
                seconds,
            )

        await core.insist(lambda: core.decide(decision, runs=[attempt.run_id]))

    async def _apply(self, act: Act) -> ApplyResult:
        """Carry out one operation, and never let it go on for ever."""
        action = self._core.setup.actions[act.action]
        limit = act.operation.timeout + acting.MARGIN.total_seconds()
        try:
            async with asyncio.timeout(limit):
                return await action.apply(act.operation, act.attempt, self._core.world)
        except TimeoutError:
            return Unknown(result={"error": f"no outcome within {limit:g} s"})
        except Exception as error:
            log.exception("an action failed in a way that it does not know", action=act.action)
            return Unknown(result={"error": f"{type(error).__name__}: {error}"})

    async def _probe(self) -> None:
        core, number = self._core, self.run.id
        if (act := await core.store.read(lambda reader: _unless_over(reader, number))) is None:
            return
        attempt = act.attempt
        result = await self._ask(act)
        rule = core.book.known(self.run)

        def decision(draft: Draft, _: Transaction) -> None:
            outcomes.probed(
                draft,
                draft.snapshot.get(Run, attempt.run_id),
                draft.snapshot.get(Attempt, attempt.id),
                rule,
                core.setup.policy,
                looking.cut(result, RESULT_ROOM),
            )

        await core.insist(lambda: core.decide(decision, runs=[attempt.run_id]))

    async def _ask(self, act: Act) -> ProbeResult:
        """What became of an act. That it happened is believed at once, all else after its deadline."""
        core, attempt = self._core, act.attempt
        action = core.setup.actions.get(act.action)
        if action is None:
            return Unknown(result={"error": f"the action {act.action} is no longer there"})
        patience = attempt.deadline.timestamp() + PROBE_PATIENCE
        while True:
            over = core.clock.now() >= attempt.deadline
            result: ProbeResult
            try:
                result = await action.probe(act.operation, attempt, core.world)
                if over or isinstance(result, Applied):
                    return result
            except WorldError as error:
                result = Unknown(result={"error": str(error)})
                if core.clock.now().timestamp() >= patience:
                    return result
            except Exception as error:
                log.exception("a probe failed in a way that it does not know", action=act.action)
                return Unknown(result={"error": f"{type(error).__name__}: {error}"})
            await core.clock.sleep(PROBE_PAUSE if over else core.seconds_until(attempt.deadline))

    async def _verify(self) -> None:
        core, run = self._core, self.run
        rule = core.book.known(run)
        watch = looking.Watch(core, run, rule)
        await watch.begin()
        while self.run.status is RunStatus.VERIFYING:
            assessment = await watch.look()
            if assessment.outcome is not None:
                await self._decide_verified(rule, assessment)
                return
            self.changed.clear()
            await wait_for(self.changed, core.setup.verify_interval.total_seconds())

    async def _decide_verified(self, rule: Rule, assessment: Assessment) -> None:
        policy = self._core.setup.policy
        gone = await self._close_most(
            list(self._core.alarms.of(self.run)) if assessment.outcome is Outcome.SUCCEEDED else [],
            lambda draft, run: outcomes.close_seen_gone(draft, run, policy, assessment),
        )
        await self._decide(
            lambda draft, run: outcomes.verified(draft, run, rule, policy, assessment), fingerprints=gone
        )

    async def _close_most(
        self, fingerprints: Sequence[str], close: Callable[[Draft, Run], None]
    ) -> Sequence[str]:
        """Have all but a few of these ended before a decision, which would keep everybody else waiting.

        Returns the few, for the decision itself.
        """
        while len(fingerprints) > CLOSED_AT_ONCE:
            await self._decide(close, fingerprints=fingerprints[:CLOSED_AT_ONCE])
            fingerprints = fingerprints[CLOSED_AT_ONCE:]
        return fingerprints

    async def _rule_in_force(self) -> Rule | None:
        """The rule as it is now, by which goes what is still to be done; if it is gone, the run ends."""
        if self.run.undoes is not None:
            return planning.rule_of_undo(self.run)
        setup = self._core.setup
        rule = setup.rules.find(self.run.rule)
        if rule is not None and self.run.step < len(rule.steps):
            return setup.rule_for(rule, self.run.service)
        detail = "its ladder has become shorter" if rule else "it is no longer among the rule files"
        await self._decide(lambda draft, run: acting.rule_gone(draft, run, setup.policy, detail))
        return None

    async def _decide(self, decision: Callable[[Draft, Run], T], fingerprints: Sequence[str] = ()) -> T:
        """Run a decision about this run, as it stands when the decision is made."""
        number = self.run.id
        return await self._core.decide(
            lambda draft, _: decision(draft, draft.snapshot.get(Run, number)),
            fingerprints=fingerprints,
            runs=[number],
        )

    def hurry(self) -> None:
        """Have a held run looked at now."""
        self._hold_until = None
        self.changed.set()

    def _note(self, hold: Hold | None) -> None:
        """Remember when a held run is to be looked at again."""
        self._hold_until = None if hold is None else hold.until or self._core.later(LOOK_AGAIN)


def records_for(reader: Reader, run: Run, rule: Rule, since: datetime, planned: PlanSpec) -> Records:
    """What a decision about this plan needs beside the snapshot, and no more of it."""
    wanted, least = acting.alerts_wanted(rule), rule.when.alerts
    return Records(
        history=reader.history(run.service, since),
        elsewhere=reader.at_work_on({o.object_id for o in planned.operations}, but=run.id),
        alerts=reader.firing_of(run.incident_id, run.rule, wanted) if wanted else (),
        alerts_of_incident=reader.count_firing(run.incident_id, least) if least else 0,
    )


def _unless_over(reader: Reader, number: int) -> Act | None:
    snapshot = reader.snapshot(runs=[number])
    run = snapshot.get(Run, number)
    return under_way(snapshot, run) if run.status is RunStatus.PROBING else None
