"""LOOK: triage, facts and verification; everything in here only reads."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from remediator.checks.auth import AuthFailuresLook
from remediator.checks.command import CommandLook
from remediator.checks.containers import ContainersLook
from remediator.checks.deploys import ChangesLook
from remediator.checks.directory import DirectoryLook
from remediator.checks.events import EventsLook
from remediator.checks.health import HealthLook
from remediator.checks.host import HostLook
from remediator.checks.http import HttpLook
from remediator.checks.logs import LogsLook
from remediator.checks.prometheus import ActiveAlertsLook, QueryLook
from remediator.checks.reach import HealthUrlLook, TcpLook
from remediator.checks.stats import StatsLook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.checks.base import Check
    from remediator.model.command import CommandSpec
    from remediator.model.request import RequestSpec

__all__ = ["registry"]


def registry(
    commands: Mapping[str, CommandSpec], requests: Mapping[str, RequestSpec] = MappingProxyType({})
) -> dict[str, Check]:
    """Every check by its name; given are the named commands and requests of the configuration."""
    looks: tuple[Check, ...] = (
        ContainersLook(),
        LogsLook(),
        HealthLook(),
        StatsLook(),
        EventsLook(),
        ChangesLook(),
        HostLook(),
        TcpLook(),
        HealthUrlLook(),
        DirectoryLook(),
        QueryLook(),
        ActiveAlertsLook(),
        AuthFailuresLook(),
        CommandLook(commands),
        HttpLook(requests),
    )
    return {look.name: look for look in looks}
