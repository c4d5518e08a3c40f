"""DO: one file per family of actions, each over the faces of `remediator.world.base`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from remediator.actions.command import Command
from remediator.actions.http import Http
from remediator.actions.recreate import Recreate
from remediator.actions.restart import Restart
from remediator.actions.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.actions.base import Action
    from remediator.model.command import CommandSpec
    from remediator.model.request import RequestSpec

__all__ = ["registry"]


def registry(
    commands: Mapping[str, CommandSpec], requests: Mapping[str, RequestSpec] = MappingProxyType({})
) -> dict[str, Action]:
    """Every action by its name; given are the named commands and requests of the configuration."""
    actions: tuple[Action, ...] = (Restart(), Recreate(), Scale(), Command(commands), Http(requests))
    return {action.name: action for action in actions}
