"""Opens what a backtest reads and works with: the files of the daemon, and the Prometheus of its past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from remediator.app import endpoint
from remediator.assembly import assemble
from remediator.clock import SystemClock
from remediator.config import load_config
from remediator.history.alerts_series import read_alerts
from remediator.history.changes import HistoryError
from remediator.world.asking import Endpoint
from remediator.world.prometheus import PrometheusClient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from remediator.config import Config
    from remediator.engine.setup import Setup
    from remediator.history.changes import Change

TIMEOUT = 120.0
"""Seconds for one answer of a Prometheus: it reads months."""


@dataclass(frozen=True)
class Opened:
    """The configuration, and what the engine goes by."""

    config: Config
    setup: Setup


def open_setup(config_file: Path, rules: Sequence[Path]) -> Opened:
    """Read the configuration, and these rule files instead of its own, if there are any. InputError."""
    config = load_config(config_file)
    return Opened(config, assemble(config, channels={}, rules=rules or None))


async def alerts_of(
    config: Config, url: str | None, begin: datetime, end: datetime, step: timedelta
) -> AsyncGenerator[Change, None]:
    """What fired between, as the Prometheus at `url` knows it, or else the configured one. HistoryError."""
    client = _client(config, url)
    try:
        async for change in read_alerts(client, begin, end, step.total_seconds()):
            yield change
    finally:
        await client.close()


def _client(config: Config, url: str | None) -> PrometheusClient:
    known = config.prometheus
    if url is not None:
        # Its credentials are only for the server that they were given for.
        where = endpoint(known) if known is not None and known.url == url else Endpoint(url=url)
    elif known is not None:
        where = endpoint(known)
    else:
        raise HistoryError("no Prometheus is configured: give its address with --prometheus")
    try:
        return PrometheusClient(where, SystemClock(), timeout=TIMEOUT)
    except ValueError as error:
        raise HistoryError(f"the address of Prometheus is of no use: {error}") from None
