"""What the tests of the front and of the command line share: a desk over a real store, and its site.

`StoreDesk` is the engine's face with the real pure decisions and a real store in memory, but
without the engine's loops: what people ask is decided and recorded, and nothing acts.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from remediator.decide import acting, asking, intake, outcomes, people, undoing
from remediator.decide.asking import RefusalError
from remediator.decide.draft import Draft
from remediator.decide.facts import Records, WorldFacts
from remediator.decide.policy import Policy
from remediator.engine.face import Check, Conflict, DeskError, NotFound, Readiness, RulesInForce
from remediator.metrics import Levels, Metrics
from remediator.model.alert import Alert
from remediator.model.explain import Explained
from remediator.model.rule import Rule, RuleSource, Step
from remediator.model.run import Approval, Attempt, Control, Run
from remediator.model.words import AttemptStatus, Severity
from remediator.model.world import Applied, Unknown
from remediator.store import Store
from remediator.web.app import make_app, start_site, stop_site
from remediator.web.auth import Caller, Tokens
from remediator.web.front import Front
from tests.unit.web.explained import EXPLANATION, NOW, PLAN, RECORDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from remediator.model.explain import AskedAlert
    from remediator.model.plan import PlanSpec
    from remediator.store import Reader, Transaction

T = TypeVar("T")

INGEST, ALICE, BOB = "ingest-token", "alice-token", "bob-token"
RULE = Rule(
    name="app-down",
    group="apps",
    version="rule-version",
    source="rules/apps.yml:3",
    severity=Severity.P0,
    service="app",
    steps=(Step(action="restart"),),
    owner="platform",
    runbook_url="https://wiki.example.com/app-down",
)
IN_FORCE = RulesInForce(
    version="5" * 64,
    rules=1,
    files=(RuleSource(file="rules/apps.yml", sha256="a" * 64, rules=1),),
    loaded_at=NOW,
    loaded_by="alice",
)
LOGS = "line one\nline two\x1b[31m is red\n"


class Standing:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


@dataclass
class StoreDesk:
    """The engine's face over a store."""

    store: Store
    clock: Standing
    policy: Policy = field(default_factory=Policy)
    refuse: BaseException | None = None
    """Raised by whatever is asked next, and from then on."""
    ready: bool = True
    rules_version: str = "rules-1"
    in_force: RulesInForce = IN_FORCE
    asked: list[tuple[object, int | None]] = field(default_factory=list)
    """What was to be explained, and of how many rules that do not match it was to be told."""

    async def receive(self, body: bytes, source: str) -> int:
        self._may()
        return await self.store.add_notification(body, source)

    async def approve(
        self, approval_id: int, actor: str, reason: str = "", digest: str | None = None
    ) -> Approval:
        def decide(draft: Draft, approval: Approval) -> None:
            asking.grant(draft, approval, reason=reason, digest=digest)

        return await self._on_approval(approval_id, actor, decide)

    async def deny(self, approval_id: int, actor: str, reason: str) -> Approval:
        def decide(draft: Draft, approval: Approval) -> None:
            asking.deny(draft, approval, self.policy, reason=reason)

        return await self._on_approval(approval_id, actor, decide)

    async def start_run(self, rule: str, service: str, actor: str, reason: str = "") -> Run:
        if rule != RULE.name:
            raise NotFound(f"there is no rule {rule}")

        def job(store: Transaction) -> Run:
            draft = Draft(store.snapshot(keys=[f"service:{service}"]), self.clock.now(), actor=actor)
            run = people.start_run(draft, RULE, service, why=reason)
            store.save(draft.events)
            return run

        return await self._write(job)

    async def cancel(self, run_id: int, actor: str, reason: str = "") -> Run:
        return await self._on_run(
            run_id, actor, lambda draft, run: people.cancel(draft, run, self.policy, why=reason)
        )

    async def settle(self, run_id: int, applied: bool, actor: str, reason: str = "") -> Run:
        def decide(draft: Draft, run: Run) -> None:
            people.settle(draft, run, RULE, self.policy, was_applied=applied, why=reason)

        return await self._on_run(run_id, actor, decide)

    async def undo(self, run_id: int, actor: str, reason: str = "") -> Run:
        begun: list[Run] = []

        def decide(draft: Draft, run: Run) -> None:
            begun.append(undoing.begin(draft, run, draft.snapshot.all(Run), why=reason))

        await self._on_run(run_id, actor, decide)
        return begun[0]

    async def pause(self, actor: str, reason: str) -> Control:
        def job(store: Transaction) -> Control:
            draft = Draft(store.snapshot(), self.clock.now(), actor=actor)
            control = people.pause(draft, why=reason)
            store.save(draft.events)
            return control

        return await self._write(job)

    async def resume(self, actor: str, reason: str = "") -> None:
        def job(store: Transaction) -> None:
            draft = Draft(store.snapshot(), self.clock.now(), actor=actor)
            people.resume(draft, why=reason)
            store.save(draft.events)

        await self._write(job)

    async def reload(self, actor: str) -> str:
        self._may()
        self.rules_version = f"rules-2, by {actor}"
        return self.rules_version

    def rules(self) -> RulesInForce:
        return self.in_force

    async def explain_alerts(self, alerts: Sequence[AskedAlert], most: int | None) -> Explained:
        return self._explain([dict(alert.labels) for alert in alerts], most)

    async def explain_live(self, which: str, most: int | None) -> Explained:
        return self._explain(which, most)

    async def explain_incident(self, incident_id: int, most: int | None) -> Explained:
        return replace(self._explain(incident_id, most), recorded=RECORDED)

    def _explain(self, asked: object, most: int | None) -> Explained:
        self._may()
        self.asked.append((asked, most))
        return Explained(explanations=(EXPLANATION,), found=12)

    async def readiness(self) -> Readiness:
        return Readiness(
            ready=self.ready,
            checks={
                "store": Check(ok=True),
                "docker": Check(ok=self.ready, detail="" if self.ready else "it is down"),
            },
        )

    async def read(self, job: Callable[[Reader], T]) -> T:
        self._may()
        return await self.store.read(job)

    def _may(self) -> None:
        if self.refuse is not None:
            raise self.refuse

    async def _write(self, job: Callable[[Transaction], T]) -> T:
        self._may()
        try:
            return await self.store.write(job)
        except RefusalError as error:
            raise Conflict(str(error)) from None

    async def _on_approval(
        self, approval_id: int, actor: str, decide: Callable[[Draft, Approval], None]
    ) -> Approval:
        def job(store: Transaction) -> Approval:
            found = store.get(Approval, approval_id)
            if found is None:
                raise NotFound(f"there is no approval {approval_id}")
            draft = Draft(store.snapshot(runs=[found.run_id]), self.clock.now(), actor=actor)
            decide(draft, found)
            store.save(draft.events)
            return draft.snapshot.get(Approval, approval_id)

        return await self._write(job)

    async def _on_run(self, run_id: int, actor: str, decide: Callable[[Draft, Run], None]) -> Run:
        def job(store: Transaction) -> Run:
            draft = Draft(store.snapshot(runs=[run_id]), self.clock.now(), actor=actor)
            run = draft.snapshot.find(Run, run_id)
            if run is None:
                raise NotFound(f"there is no run {run_id}")
            decide(draft, run)
            store.save(draft.events)
            return draft.snapshot.get(Run, run_id)

        return await self._write(job)

    # What the engine's loops would do, so that there is something to look at.

    async def fire(self, number: int = 1, *, service: str = "app", **labels: str) -> int:
        """Take in a firing alert that the rule matches; returns the run that it led to."""
        alert = Alert.model_validate(
            {
                "status": "firing",
                "labels": {"alertname": "ApplicationDown", "service": service, **labels},
                "annotations": {"summary": "the app is down"},
                "startsAt": NOW - timedelta(minutes=1),
                "fingerprint": f"{number:016x}",
            }
        )
        rule = Rule(**{**_fields(RULE), "service": service})

        def job(store: Transaction) -> int:
            found = store.snapshot(fingerprints=[alert.fingerprint], keys=[f"service:{service}"])
            draft = Draft(found, self.clock.now())
            intake.take_in(draft, alert, rule, self.policy)
            store.save(draft.events)
            return max(run.id for run in draft.snapshot.all(Run))

        return await self.store.write(job)

    async def plan(self, run_id: int, plan: PlanSpec = PLAN, *, logs: str = LOGS) -> None:
        """Triage, plan, and put to the guardrails: P0 then waits for approval, if it has none."""

        def job(store: Transaction) -> None:
            sha256 = store.add_evidence(logs.encode(), "text/plain")
            seen = {"check": "logs", "title": "Logs of app-1", "summary": "2 lines", "sha256": sha256}
            draft = Draft(store.snapshot(runs=[run_id]), self.clock.now())
            run = acting.triaged(draft, draft.snapshot.get(Run, run_id), (seen,))
            world = WorldFacts(read_at=self.clock.now(), confirmed_at=self.clock.now())
            acting.decide(draft, run, RULE, self.policy, world, Records(), plan)
            store.save(draft.events)

        await self.store.write(job)

    async def act(self, run_id: int, result: Applied | Unknown) -> None:
        """Tell what became of the act that the run has begun."""

        def job(store: Transaction) -> None:
            draft = Draft(store.snapshot(runs=[run_id]), self.clock.now())
            run = draft.snapshot.get(Run, run_id)
            (attempt,) = (
                a
                for a in draft.snapshot.all(Attempt)
                if a.run_id == run_id and a.status is AttemptStatus.INTENT
            )
            outcomes.act_ended(draft, run, attempt, RULE, self.policy, result, 0.5)
            if isinstance(result, Unknown):
                run = draft.snapshot.get(Run, run_id)
                attempt = draft.snapshot.get(Attempt, attempt.id)
                outcomes.probed(draft, run, attempt, RULE, self.policy, result)
            store.save(draft.events)

        await self.store.write(job)


def _fields(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in Rule.__dataclass_fields__}


@dataclass
class House:
    """A desk, its front, and where it is served."""

    desk: StoreDesk
    front: Front
    url: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def house(**limits: Any) -> AsyncIterator[House]:
    """The front over a desk of its own, listening on a free port of 127.0.0.1."""
    clock = Standing()
    store = Store.open(":memory:", clock, threads=False)
    desk = StoreDesk(store, clock)

    async def levels() -> Levels:
        counts = await desk.read(lambda reader: reader.counts())
        paused = await desk.read(lambda reader: reader.get(Control, people.PAUSE))
        return Levels(
            ready=desk.ready,
            paused=paused is not None,
            incidents_open=counts.incidents_open,
            approvals_pending=counts.approvals_pending,
            notifications_pending=counts.notifications_pending,
        )

    front = Front(
        desk=desk,
        tokens=Tokens(
            [
                (INGEST, Caller("ingest", "alertmanager")),
                (ALICE, Caller("operator", "alice")),
                (BOB, Caller("operator", "bob")),
            ]
        ),
        metrics=Metrics("1.2.3"),
        levels=levels,
        clock=clock,
        version="1.2.3",
        rules_version=lambda: desk.rules_version,
        find_rule=lambda name: RULE if name == RULE.name else None,
        **{"max_body": 8_000_000, "body_seconds": 10.0, **limits},
    )
    runner, port = await start_site(make_app(front), "127.0.0.1", 0)
    try:
        yield House(desk, front, f"http://127.0.0.1:{port}")
    finally:
        await stop_site(runner, 10.0)
        await store.close()


def refusals() -> dict[str, DeskError]:
    """One of each kind of refusal that a desk knows."""
    return {kind.__name__: kind("told to the caller") for kind in DeskError.__subclasses__()}
