"""The engine's face: what people and Alertmanager may ask of it.

The HTTP interface knows the engine only through `Desk`, so it can be tested without one, and
so there is one list of everything that can change from outside. Every method that changes
something takes the actor whose name goes on the record.
"""

# ruff: noqa: N818 - the refusals are named by what is the matter; their base ends in Error

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from remediator.model.explain import AskedAlert, Explained
    from remediator.model.rule import RuleSource
    from remediator.model.run import Approval, Control, Run
    from remediator.reading.problems import Problem
    from remediator.store import Reader

T = TypeVar("T")


class DeskError(Exception):
    """The desk refused. The message says why and what to do, and is shown to the caller."""


class NotFound(DeskError):
    """Nothing has this id or name."""


class Conflict(DeskError):
    """It exists, but its state does not allow this: decided already, finished, another digest."""


class Invalid(DeskError):
    """What was asked makes no sense as it was asked."""


class Unavailable(DeskError):
    """Not now: the caller may ask again after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(Unavailable):
    """More work waits than is allowed to wait."""


class Draining(Unavailable):
    """The daemon is stopping and takes nothing new."""


class StoreFailed(Unavailable):
    """The store could not commit, so nothing was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that has to be well before the daemon counts as ready."""

    ok: bool
    detail: str = ""
    """What is wrong, or that it is not needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the daemon can do its work now, and which of its checks say so."""

    ready: bool
    checks: dict[str, Check] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A reload that left the old rules in force."""

    at: datetime
    by: str
    """The operator who asked for it, or `signal` or `watch`."""
    problems: tuple[Problem, ...]
    """Every mistake with its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesInForce:
    """The rules that decisions go by now."""

    version: str
    rules: int
    files: tuple[RuleSource, ...]
    """Where they were read from, in their order."""
    loaded_at: datetime
    loaded_by: str
    """`daemon` since the start; else as in `Refused`."""
    refused: Refused | None = None
    """The last reload, if it was refused."""


class Desk(Protocol):
    """What may be asked of the engine. Refusals are `DeskError`s."""

    async def receive(self, body: bytes, source: str) -> int:
        """Commit a raw notification to disk, and return its id.

        `source` names who posted it, for the record. Raises Busy, Draining or StoreFailed; then
        nothing was accepted and Alertmanager is to send it again.
        """

    async def approve(
        self, approval_id: int, actor: str, reason: str = "", digest: str | None = None
    ) -> Approval:
        """Say yes to an approval; with `digest`, only if it still asks for exactly that plan.

        Raises NotFound, or Conflict if it is decided, expired, replaced or has another digest.
        """

    async def deny(self, approval_id: int, actor: str, reason: str) -> Approval:
        """Say no to an approval. Raises NotFound, or Conflict if it is decided already."""

    async def start_run(self, rule: str, service: str, actor: str, reason: str = "") -> Run:
        """Start a rule on a service by hand, through the same guardrails as an alert.

        Raises NotFound for an unknown rule or service, Conflict if one is under way there.
        """

    async def cancel(self, run_id: int, actor: str, reason: str = "") -> Run:
        """Stop a run at its next safe point. Raises NotFound, or Conflict if it has finished."""

    async def settle(self, run_id: int, applied: bool, actor: str, reason: str = "") -> Run:
        """Say what became of an act whose outcome is unknown. Raises NotFound or Conflict."""

    async def undo(self, run_id: int, actor: str, reason: str = "") -> Run:
        """Begin a run that takes back what another one has done.

        Raises NotFound, or Conflict if there is nothing to take back, or it is under way.
        """

    async def pause(self, actor: str, reason: str) -> Control:
        """Throw the kill switch: no new act begins until `resume`."""

    async def resume(self, actor: str, reason: str = "") -> None:
        """Release the kill switch. Raises Conflict if a file holds it too."""

    async def reload(self, actor: str) -> str:
        """Read the rule files anew, and return the new version.

        Raises `remediator.reading.problems.InputError` with every mistake and its place; the old
        rules then stay in force.
        """

    def rules(self) -> RulesInForce:
        """Which rules are in force, since when, and whether newer ones were refused."""

    async def explain_alerts(self, alerts: Sequence[AskedAlert], most: int | None) -> Explained:
        """What would be done now about such alerts. Like the next two it acts on nothing, writes nothing.

        Of the rules that do not match the `most` nearest are told; None: all.
        """

    async def explain_live(self, which: str, most: int | None) -> Explained:
        """The same of alerts that Alertmanager has now: by the fingerprint of one, or by matchers.

        Raises NotFound; Invalid if no Alertmanager is configured, or Unavailable if none answers.
        """

    async def explain_incident(self, incident_id: int, most: int | None) -> Explained:
        """The same of an incident's alerts, beside what was decided about them. Raises NotFound."""

    async def readiness(self) -> Readiness:
        """Whether the daemon can do its work now."""

    async def read(self, job: Callable[[Reader], T]) -> T:
        """Run a short read against the store, on a thread of the store's."""
