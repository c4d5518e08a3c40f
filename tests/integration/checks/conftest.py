"""The world that looks look at is the one that actions act on."""

from tests.integration.actions.conftest import world

__all__ = ["world"]
