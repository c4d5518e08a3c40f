"""Rules and configuration read anew: whole or not at all, on the record, and told of when refused."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, TypeVar

import structlog

from remediator.decide.draft import DAEMON
from remediator.engine.face import Refused, RulesInForce
from remediator.model.text import counted
from remediator.reading.problems import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.decide.draft import Draft
    from remediator.engine.core import Core
    from remediator.engine.readiness import ReadinessCheck
    from remediator.engine.setup import Setup
    from remediator.rules.ruleset import RuleSet

T = TypeVar("T")
log = structlog.get_logger(__name__)

SIGNAL = "signal"
"""Who asks for a reload by SIGHUP, as the record has it."""
WATCH = "watch"
"""Who asks for one because files have changed."""

NOBODY = frozenset({DAEMON, SIGNAL, WATCH})
"""Actors that are no people."""


class Reloading:
    """The one way in which rules come into force, and what is known of those that are."""

    def __init__(
        self,
        core: Core,
        readiness: ReadinessCheck,
        load: Callable[[], Setup],
        use: Callable[[Setup], None],
    ) -> None:
        """`load` reads everything, on a thread; it may raise InputError. `use` puts it in force."""
        self._core = core
        self._readiness = readiness
        self._load = load
        self._use = use
        self._lock = asyncio.Lock()
        self._loaded_at = core.clock.now()
        self._loaded_by = DAEMON
        self._refused: Refused | None = None

    async def reload(self, actor: str, *, patience: float = 0.0) -> str:
        """Read everything anew, and return the version of the rules.

        Raises InputError with every mistake; then the old ones stay in force. With `patience`, files that are
        wrong are read again after so many seconds before anybody is told: they may have been half-written.
        """
        core = self._core
        async with self._lock:
            try:
                setup = await self._read(patience)
            except InputError as error:
                await self._refuse(error, actor)
                raise
            # On the record first: rules that nobody can read up on later are not to be in force.
            await core.decide(lambda draft, _: tell_rules(draft, setup.rules), actor=actor)
            self._loaded_at, self._loaded_by, self._refused = core.clock.now(), actor, None
            self._use(setup)
            self._readiness.rules_error = None
            self._readiness.forget()
            log.info("rules are loaded", version=setup.rules.version, rules=len(setup.rules), by=actor)
        return setup.rules.version

    def state(self) -> RulesInForce:
        """What is in force now, since when, and what was refused since."""
        rules = self._core.setup.rules
        return RulesInForce(
            version=rules.version,
            rules=len(rules),
            files=rules.files,
            loaded_at=self._loaded_at,
            loaded_by=self._loaded_by,
            refused=self._refused,
        )

    async def _read(self, patience: float) -> Setup:
        try:
            return await asyncio.to_thread(uncollected, self._load)
        except InputError:
            if not patience:
                raise
        await self._core.clock.sleep(patience)
        return await asyncio.to_thread(uncollected, self._load)

    async def _refuse(self, error: InputError, actor: str) -> None:
        core = self._core
        first = str(error.problems[0]).splitlines()[0]
        told = f"the last reload was refused ({counted(len(error.problems), 'mistake')}, first {first})"
        self._refused = Refused(at=core.clock.now(), by=actor, problems=error.problems)
        self._readiness.rules_error = told
        self._readiness.forget()
        log.error("the rules are not reloaded; the old ones stay in force", error=str(error), by=actor)
        errors = [str(problem).splitlines()[0] for problem in error.problems[:20]]
        await core.decide(
            lambda draft, _: draft.record("rules.refused", incident=None, errors=errors), actor=actor
        )


def uncollected(load: Callable[[], T]) -> T:
    """Load without the collector of garbage, and count what was loaded among what is old.

    A full pass holds up every thread for as long as it takes: more than half a second among the objects of
    10,000 rules while they are read. What is old is looked at in full passes only, which are rare. Nothing is
    kept from these: the old rules go as soon as nobody uses them, and what lay in circles goes with a pass.
    """
    gc.disable()
    try:
        return load()
    finally:
        gc.freeze()  # both together move everything to the oldest generation, without a look at it
        gc.unfreeze()
        gc.enable()


def tell_rules(draft: Draft, rules: RuleSet) -> None:
    """Put on the record that these rules are loaded."""
    draft.record(
        "rules.loaded",
        incident=None,
        version=rules.version,
        rules=len(rules),
        by_hand=draft.actor not in NOBODY,
    )
