"""What a check is: a look at the world that changes nothing, and never fails, only cannot tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import structlog
from pydantic import BaseModel

from remediator.model.params import read_params
from remediator.model.world import Finding, TargetError, WorldError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.world.base import World

P = TypeVar("P", bound=BaseModel)

log = structlog.get_logger(__name__)


class Check(Protocol):
    """One look."""

    @property
    def name(self) -> str:
        """As rules write it."""

    @property
    def params(self) -> type[BaseModel]:
        """The model of its parameters. It forbids extra keys."""

    @property
    def needs_containers(self) -> bool:
        """False if it also makes sense for a service without containers."""

    def check(self, params: Any) -> str | None:
        """Why parameters that fit the model cannot be used here; None if they can."""

    async def look(self, service: Service, params: Mapping[str, Json], world: World) -> Finding:
        """See. Raises nothing: what cannot be read is a finding with `ok` None, and the reason."""


class Look(ABC, Generic[P]):
    """Base of our checks: turns everything that can go wrong into a finding that says so."""

    name: ClassVar[str]
    params: type[P]
    needs_containers: ClassVar[bool] = True

    def check(self, params: P) -> str | None:
        """Nothing to object."""
        return None

    async def look(self, service: Service, params: Mapping[str, Json], world: World) -> Finding:
        """See; as `Check.look` promises."""
        try:
            return await self.see(service, read_params(self.params, params), world)
        except (WorldError, TargetError) as error:
            return self.cannot_tell(str(error))
        except Exception as error:  # a fault of ours must not cost the act that the look was for
            log.exception("a check failed in a way that it does not know", check=self.name)
            return self.cannot_tell(f"this check broke: {type(error).__name__}: {error}")

    @abstractmethod
    async def see(self, service: Service, params: P, world: World) -> Finding:
        """What `look` does; WorldError and TargetError may pass."""

    def cannot_tell(self, why: str) -> Finding:
        """A finding that says why there is none."""
        return Finding(check=self.name, ok=None, summary=why)
