"""Fixtures that only integration tests use."""

from tests.integration.house import build

__all__ = ["build"]
