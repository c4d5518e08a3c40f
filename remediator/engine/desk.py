"""What people may ask of the engine, carried out: the one implementation of `face.Desk`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

from remediator.decide import asking, people, undoing
from remediator.decide.asking import RefusalError
from remediator.engine import asked, planning
from remediator.engine.face import Conflict, Draining, Invalid, NotFound, StoreFailed, Unavailable
from remediator.engine.facts import paused_by_file
from remediator.model.run import Approval, Control, Run
from remediator.model.words import Reason
from remediator.model.world import TargetError, WorldError
from remediator.store import StoreError
from remediator.world.targets import find_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from remediator.decide.draft import Draft
    from remediator.engine.core import Core
    from remediator.engine.face import Readiness, RulesInForce
    from remediator.engine.intake import Intake
    from remediator.engine.readiness import ReadinessCheck
    from remediator.engine.reloading import Reloading
    from remediator.model.explain import AskedAlert, Explained
    from remediator.store import Reader, Transaction

T = TypeVar("T")


class EngineDesk:
    """The engine's desk; see `face.Desk` for what each method means."""

    def __init__(
        self,
        core: Core,
        intake: Intake,
        readiness: ReadinessCheck,
        reloading: Reloading,
    ) -> None:
        self._core = core
        self._intake = intake
        self._readiness = readiness
        self._reloading = reloading

    async def receive(self, body: bytes, source: str) -> int:
        """Commit a raw notification."""
        return await self._intake.receive(body, source)

    async def approve(
        self, approval_id: int, actor: str, reason: str = "", digest: str | None = None
    ) -> Approval:
        """Say yes to an approval."""
        run_id = (await self._approval(approval_id)).run_id

        def decision(draft: Draft, _: Transaction) -> Approval:
            approval = draft.snapshot.get(Approval, approval_id)
            asking.grant(draft, approval, reason=reason, digest=digest)
            return draft.snapshot.get(Approval, approval_id)

        return await self._decide(decision, actor, run_id)

    async def deny(self, approval_id: int, actor: str, reason: str) -> Approval:
        """Say no to an approval."""
        if not reason.strip():
            raise Invalid("a denial needs a reason: those who read the record later will ask for it")
        run_id = (await self._approval(approval_id)).run_id

        def decision(draft: Draft, _: Transaction) -> Approval:
            approval = draft.snapshot.get(Approval, approval_id)
            asking.deny(draft, approval, self._core.setup.policy, reason=reason)
            return draft.snapshot.get(Approval, approval_id)

        return await self._decide(decision, actor, run_id)

    async def start_run(self, rule: str, service: str, actor: str, reason: str = "") -> Run:
        """Start a rule on a service by hand."""
        core = self._core
        if core.draining:
            raise Draining("the daemon is stopping; ask again when it is back")
        found = core.setup.rules.find(rule)
        if found is None:
            raise NotFound(f"there is no rule {rule!r}; the rule files name those that there are")
        if found.service is not None and found.service != service:
            raise Invalid(f"the rule {rule} is for the service {found.service}, not for {service}")
        try:
            await find_service(service, core.setup.services, core.world)
        except TargetError as error:
            raise NotFound(f"there is no service {service!r} to act on: {error.detail}") from None
        except WorldError as error:
            raise Unavailable(f"the service cannot be looked for now: {error}", retry_after=5) from None

        def decision(draft: Draft, _: Transaction) -> Run:
            return people.start_run(draft, found, service, why=reason)

        with _refusals():
            return await core.decide(decision, actor=actor, keys=[f"service:{service}"])

    async def cancel(self, run_id: int, actor: str, reason: str = "") -> Run:
        """Stop a run at its next safe point."""
        policy = self._core.setup.policy

        def decision(draft: Draft, _: Transaction) -> Run:
            people.cancel(draft, draft.snapshot.get(Run, run_id), policy, why=reason)
            return draft.snapshot.get(Run, run_id)

        await self._run(run_id)
        return await self._decide(decision, actor, run_id)

    async def settle(self, run_id: int, applied: bool, actor: str, reason: str = "") -> Run:
        """Say what became of an act whose outcome is unknown."""
        rule = self._core.book.known(await self._run(run_id))
        policy = self._core.setup.policy

        def decision(draft: Draft, _: Transaction) -> Run:
            run = draft.snapshot.get(Run, run_id)
            people.settle(draft, run, rule, policy, was_applied=applied, why=reason)
            return draft.snapshot.get(Run, run_id)

        return await self._decide(decision, actor, run_id)

    async def undo(self, run_id: int, actor: str, reason: str = "") -> Run:
        """Begin to take back what a run has done."""
        core = self._core
        if core.draining:
            raise Draining("the daemon is stopping; ask again when it is back")
        await self._run(run_id)

        def decision(draft: Draft, transaction: Transaction) -> Run:
            run = draft.snapshot.get(Run, run_id)
            others = transaction.list_runs(incident=run.incident_id, limit=planning.MOST_RUNS)
            begun = undoing.begin(draft, run, others, why=reason)
            planning.undo_of(transaction, run_id, core.setup.actions)
            return begun

        try:
            return await self._decide(decision, actor, run_id)
        except TargetError as error:
            raise Conflict(error.detail) from None

    async def pause(self, actor: str, reason: str) -> Control:
        """Throw the kill switch."""
        if not reason.strip():
            raise Invalid("a pause needs a reason: those who find the daemon paused will ask for it")
        with _refusals():
            return await self._core.decide(lambda draft, _: people.pause(draft, why=reason), actor=actor)

    async def resume(self, actor: str, reason: str = "") -> None:
        """Release the kill switch."""
        file = paused_by_file(self._core)

        def decision(draft: Draft, transaction: Transaction) -> None:
            # All that the pause holds is woken, whatever incident it belongs to.
            for run in transaction.held_runs(Reason.PAUSED):
                draft.snapshot.put(run)
            people.resume(draft, why=reason)

        with _refusals():
            await self._core.decide(decision, actor=actor)
        if file is not None:
            raise Conflict(f"the pause by command is over, but the file {file} still pauses; remove it")

    async def reload(self, actor: str) -> str:
        """Read the rule files anew."""
        return await self._reloading.reload(actor)

    def rules(self) -> RulesInForce:
        """What is in force now."""
        return self._reloading.state()

    async def explain_alerts(self, alerts: Sequence[AskedAlert], most: int | None) -> Explained:
        """What would be done about such alerts."""
        with _refusals():
            return await asked.explain_alerts(self._core, alerts, most)

    async def explain_live(self, which: str, most: int | None) -> Explained:
        """What would be done about alerts that Alertmanager has."""
        with _refusals():
            return await asked.explain_live(self._core, which, most)

    async def explain_incident(self, incident_id: int, most: int | None) -> Explained:
        """What was decided about an incident, and what would be."""
        with _refusals():
            return await asked.explain_incident(self._core, incident_id, most)

    async def readiness(self) -> Readiness:
        """Whether the daemon can do its work now."""
        return await self._readiness.ask()

    async def read(self, job: Callable[[Reader], T]) -> T:
        """Run a short read against the store."""
        try:
            return await self._core.store.read(job)
        except StoreError as error:
            raise StoreFailed(f"the store cannot be read: {error}") from None

    async def _approval(self, number: int) -> Approval:
        approval = await self.read(lambda reader: reader.get(Approval, number))
        if approval is None:
            raise NotFound(f"there is no approval {number}; `remediator approvals` lists those that wait")
        return approval

    async def _run(self, number: int) -> Run:
        run = await self.read(lambda reader: reader.get(Run, number))
        if run is None:
            raise NotFound(f"there is no run {number}; `remediator runs` lists them")
        return run

    async def _decide(self, decision: Callable[[Draft, Transaction], T], actor: str, run_id: int) -> T:
        with _refusals():
            return await self._core.decide(decision, actor=actor, runs=[run_id])


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turns what a decision or the store refuses into the desk's own refusals."""
    try:
        yield
    except RefusalError as error:
        raise Conflict(str(error)) from None
    except StoreError as error:
        raise StoreFailed(f"nothing was changed: {error}") from None
