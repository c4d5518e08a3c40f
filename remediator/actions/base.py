"""What an action is: a verb that plans, applies one operation, and can tell whether one was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from remediator.model.plan import Operation, Plan, PlanSpec
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, ProbeResult
    from remediator.world.base import World


class Action(Protocol):
    """One verb. It holds no state: what it must remember stands in the operation."""

    @property
    def name(self) -> str:
        """As rules write it."""

    @property
    def params(self) -> type[BaseModel]:
        """The model of its parameters. It forbids extra keys."""

    @property
    def needs_containers(self) -> bool:
        """False if it also makes sense for a service without containers."""

    @property
    def disruptive(self) -> bool:
        """True if it can interrupt what the service does for its users."""

    @property
    def reversible(self) -> bool:
        """True if it may have something to take back; `undo` tells."""

    def check(self, params: Any) -> str | None:
        """Why parameters that fit the model cannot be carried out here; None if they can."""

    async def plan(self, service: Service, params: Mapping[str, Json], world: World) -> PlanSpec:
        """Name the exact objects and the change to each. Only reads.

        TargetError: it must not, or cannot, be done. WorldError: the world cannot be read now.
        """

    async def apply(self, operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
        """Carry out one operation. Raises nothing; when cancelled, the outcome is for `probe` to find."""

    async def probe(self, operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
        """Find out whether an operation took effect, without changing anything of it.

        Before the attempt's deadline only Applied may be believed. WorldError: the world cannot be
        read now, ask again; Unknown: it was read, and could not tell.
        """

    def undo(self, plan: Plan, operations: Sequence[Operation]) -> PlanSpec | None:
        """The plan that takes this one back; None if there is nothing to take back, or no way."""
