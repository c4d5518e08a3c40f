"""Whether the daemon can do its work now, asked of everything that it needs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.engine.face import Check, Readiness
from remediator.model.world import WorldError
from remediator.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from remediator.engine.core import Core
    from remediator.world.base import Engine, Prometheus

PATIENCE = 3.0
"""Seconds that anybody may take to answer."""
FRESH = 2.0
"""Seconds for which an answer is good for everybody who asks."""


class ReadinessCheck:
    """Asks, and remembers the answer for a moment: a page that anybody may open must cost little."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._asked_at = float("-inf")
        self._answer = Readiness(ready=False)
        self._lock = asyncio.Lock()
        self.rules_error: str | None = None
        """Why the last reload was refused, if it was."""

    async def ask(self) -> Readiness:
        """The state of everything, at most FRESH seconds old."""
        async with self._lock:
            if self._core.clock.monotonic() - self._asked_at > FRESH or self._core.draining:
                self._answer = await self._ask()
                self._asked_at = self._core.clock.monotonic()
            return self._answer

    def forget(self) -> None:
        """Something has changed: ask anew the next time."""
        self._asked_at = float("-inf")

    async def _ask(self) -> Readiness:
        core = self._core
        engines = core.world.engines
        answers = await asyncio.gather(
            self._store(),
            self._alertmanager(),
            _prometheus(core.world.prometheus),
            *(_engine(engine) for engine in engines.values()),
        )
        checks = {
            "draining": Check(ok=not core.draining, detail="the daemon is stopping" if core.draining else ""),
            "store": answers[0],
            # The rules before a refused reload stay in force, so the daemon can work all the same.
            "rules": Check(ok=True, detail=self.rules_error or f"version {core.setup.rules.version[:12]}"),
            "alertmanager": answers[1],
            "prometheus": answers[2],
            **dict(zip((f"engine {name}" for name in engines), answers[3:], strict=True)),
        }
        if not engines:
            checks["engines"] = Check(ok=True, detail="none is configured, so none is needed")
        return Readiness(ready=all(check.ok for check in checks.values()), checks=checks)

    async def _store(self) -> Check:
        try:
            await self._core.store.check()
        except StoreError as error:
            return Check(ok=False, detail=str(error))
        return Check(ok=True)

    async def _alertmanager(self) -> Check:
        core = self._core
        if core.world.alerts is None:
            return Check(ok=True, detail="none is configured; the webhooks alone are believed")
        try:
            async with asyncio.timeout(PATIENCE):
                seen = await core.world.alerts.look(timedelta(seconds=30))
        except TimeoutError:
            return Check(ok=False, detail=f"no answer within {PATIENCE:g} s")
        told = "; ".join(f"{address}: {error}" for address, error in seen.errors.items())
        if not core.reconciled:
            return Check(ok=False, detail=told or "not held against Alertmanager since the start")
        return Check(ok=seen.answered, detail=told)


async def _prometheus(server: Prometheus | None) -> Check:
    if server is None:
        return Check(ok=True, detail="none is configured, so none is needed")
    return await _answers(server.ready())


async def _engine(engine: Engine) -> Check:
    async def ask() -> str:
        return f"Docker {(await engine.ping()).version}"

    return await _answers(ask())


async def _answers(question: Awaitable[str | None]) -> Check:
    """Whether somebody can be reached, and what they say."""
    try:
        async with asyncio.timeout(PATIENCE):
            return Check(ok=True, detail=await question or "")
    except TimeoutError:
        return Check(ok=False, detail=f"no answer within {PATIENCE:g} s")
    except WorldError as error:
        return Check(ok=False, detail=str(error))
