"""DO: one file per family of actions, each over the faces of `remediator.world.base`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.actions.command import Command
from remediator.actions.restart import Restart
from remediator.actions.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.actions.base import Action
    from remediator.model.command import CommandSpec

__all__ = ["registry"]


def registry(commands: Mapping[str, CommandSpec]) -> dict[str, Action]:
    """Every action by its name; `commands` are the named commands of the configuration."""
    return {action.name: action for action in (Restart(), Scale(), Command(commands))}
