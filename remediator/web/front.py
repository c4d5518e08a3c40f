"""What every handler needs, hung on the application under one key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from remediator.clock import Clock
    from remediator.engine.face import Desk
    from remediator.metrics import Levels, Metrics
    from remediator.model.rule import Rule
    from remediator.web.auth import Tokens


@dataclass(slots=True, kw_only=True)
class Front:
    """The engine's face, and the limits that the configuration sets."""

    desk: Desk
    tokens: Tokens
    metrics: Metrics
    levels: Callable[[], Awaitable[Levels]]
    """Reads what is so at this moment. May raise when the store cannot be read."""
    clock: Clock
    version: str
    """Of the daemon."""
    rules_version: Callable[[], str]
    """Of the rules in force."""
    find_rule: Callable[[str], Rule | None]
    """The rule of a name, as it is in force."""
    max_body: int
    """Bytes of a notification."""
    body_seconds: float
    """How long a body may take to arrive."""


FRONT = web.AppKey("front", Front)
