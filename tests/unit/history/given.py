"""A setup of two services and the rules of a test, and a past for them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from remediator import actions, checks
from remediator.decide.policy import Policy
from remediator.engine.setup import Setup
from remediator.history.assumptions import read_assumptions
from remediator.history.backtest import Backtest
from remediator.history.changes import Change, mark_of
from remediator.model.request import RequestSpec
from remediator.model.rule import Budget
from remediator.model.service import Service, Target, TargetKind
from remediator.rules.load import load_rules
from tests.simulation.given import rule, rules
from tests.unit.history.past import BEGIN, after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from remediator.history.tally import Tally

REQUESTS = {"drain": RequestSpec(name="drain", method="POST", url="http://lb/drain")}

Fires = tuple[str, str, float, float]
"""Alert, service, and the minutes at which it begins and ends."""


def setup(folder: Path, *written: str) -> Setup:
    """Rules as the daemon reads them."""
    services = {
        name: Service(name=name, target=Target(kind=TargetKind.COMPOSE_SERVICE, name=name))
        for name in ("web", "db")
    }
    file = folder / "rules.yml"
    file.write_text(rules(*(written or (rule(),))))
    known, looks = actions.registry({}, REQUESTS), checks.registry({}, REQUESTS)
    loaded = load_rules([file], services=services, actions=known, checks=looks, prometheus=True)
    return Setup(rules=loaded, policy=Policy(), services=services, actions=known, checks=looks)


def backtest(setup: Setup, *fires: Fires, assumed: tuple[str, ...] = (), minutes: float = 600) -> Tally:
    """What comes of it when these have fired."""
    changes = []
    for alert, service, begins, ends in fires:
        labels = {"alertname": alert, "service": service}
        mark, began = mark_of(labels), after(begins)
        changes.append(Change(began, True, mark, labels, began))
        changes.append(Change(after(ends), False, mark, labels, began))

    async def source() -> AsyncGenerator[Change, None]:
        for change in sorted(changes, key=lambda change: (change.at, change.firing)):
            yield change

    test = prepared(setup, source, assumed, minutes)
    test.go()
    return test.tally


def prepared(
    setup: Setup,
    source: Callable[[], AsyncGenerator[Change, None]],
    assumed: tuple[str, ...] = (),
    minutes: float = 600,
) -> Backtest:
    """A backtest of what the source tells."""
    return Backtest(
        setup=setup,
        commands={},
        requests=REQUESTS,
        assumed=read_assumptions(assumed, [matched.rule.name for matched in setup.rules]),
        flapping=Budget(count=3, window=timedelta(hours=1)),
        begin=BEGIN,
        end=after(minutes),
        source=source,
    )
