"""What the engine goes by, made of the configuration: for the daemon, and for rehearsals without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.actions import registry as actions_of
from remediator.checks import registry as checks_of
from remediator.config import load_config
from remediator.engine.explain import explain_by_rules
from remediator.engine.setup import Setup
from remediator.rules.load import load_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from remediator.channels.base import Channel
    from remediator.clock import Clock
    from remediator.config import Config
    from remediator.model.explain import AskedAlert, Explanation


def assemble(
    config: Config, *, channels: Mapping[str, Channel], rules: Sequence[Path] | None = None
) -> Setup:
    """Read the rules, those of the configuration unless others are given, and put all together.

    Raises InputError with every mistake in them. Nothing is opened.
    """
    actions = actions_of(config.commands, config.requests)
    checks = checks_of(config.commands, config.requests)
    return Setup(
        rules=load_rules(
            rules or config.rules,
            services=config.services,
            actions=actions,
            checks=checks,
            prometheus=config.prometheus is not None,
        ),
        policy=config.policy,
        services=config.services,
        actions=actions,
        checks=checks,
        channels=channels,
        receiver=config.receiver,
        pause_file=config.pause_file,
        reconcile_interval=config.reconcile_interval,
        lost_after=config.lost_after,
        verify_interval=config.verify_interval,
        triage_timeout=config.triage_timeout,
    )


def explain_offline(
    path: Path, alerts: Sequence[AskedAlert], clock: Clock, most: int | None
) -> list[Explanation]:
    """What the files alone tell of alerts, without a daemon. InputError carries every mistake in them."""
    setup = assemble(load_config(path), channels={})
    return [explain_by_rules(setup, alert, clock.now(), most=most) for alert in alerts]
