"""What the tests of the looks share: a look taken as triage takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remediator.checks import registry
from tests.unit.given import WEB

if TYPE_CHECKING:
    from remediator.model.service import Service
    from remediator.model.world import Finding
    from remediator.world.base import World

LOOKS = registry({})


async def look(world: World, check: str, service: Service = WEB, **params: Any) -> Finding:
    """Look by the name of the check, with parameters as rules write them."""
    return await LOOKS[check].look(service, params, world)
