"""Advice on a configuration: what it allows, but perhaps does not mean."""

import os
from collections.abc import Iterator
from dataclasses import replace

from remediator.config.model import Config
from remediator.model.words import Mode, Severity
from remediator.reading.typed import Location

Advice = tuple[Location, str]
"""Where in the file, and what is to be thought about."""


def advice(config: Config) -> Iterator[Advice]:
    """All that there is to say, in no order."""
    yield from _on_people(config)
    yield from _on_alerts(config)
    yield from _on_acts(config)


def _on_people(config: Config) -> Iterator[Advice]:
    if not config.tokens.ingest:
        yield ("tokens",), "there is no ingest token, so nobody can post alerts"
    if not config.tokens.operators:
        yield ("tokens",), "there is no operator token, so nobody can approve, pause or settle anything"
    if not config.channels:
        yield ("channels",), "there is no channel, so people are told nothing"
    people = {entry.name for entry in config.tokens.operators}
    for severity, policy in config.policy.severities.items():
        if people and policy.people > len(people):
            there = "is only 1 operator" if len(people) == 1 else f"are only {len(people)} operators"
            message = f"{policy.people} people must approve, but there {there}"
            yield ("severities", severity, "people"), message


def _on_alerts(config: Config) -> Iterator[Advice]:
    if not config.alertmanagers:
        message = (
            "no Alertmanager can be asked: what was missed stays missed, no act is ever proven useless, and "
            "after each start nothing is done about an alert before it is told again"
        )
        yield ("alertmanagers",), message
    elif config.reconcile_interval >= config.guardrails.confirm_within:
        message = "alerts are confirmed less often than `confirm_within` asks for, so acts will be held"
        yield ("reconcile_interval",), message


def _on_acts(config: Config) -> Iterator[Advice]:
    policy = config.policy
    if Mode.AUTO is policy.mode is policy.severities[Severity.P0].mode:
        yield ("severities", "P0", "mode"), "incidents of severity P0 are acted on without anybody's approval"
    for name, engine in config.engines.items():
        if engine.host.startswith("tcp://") and engine.cert_file is None:
            message = "without a client certificate, whoever can reach this port is root on that machine"
            yield ("engines", name, "host"), message
    yield from _on_services(config)
    for name, command in config.commands.items():
        if not os.access(command.argv[0], os.X_OK):
            yield ("commands", name, "argv", 0), f"{command.argv[0]} is no program that can be run here"


_NO_USE_YET = {
    "failure_domain": "kept, but nothing goes by it yet",
    "min_healthy": "kept, but not yet enforced",
    "sli": "kept, but not asked for yet",
    "stakeholders": "kept, but they are not told anything yet: every channel is told everything",
}


def _on_services(config: Config) -> Iterator[Advice]:
    for name, service in config.services.items():
        for key, fate in _NO_USE_YET.items():
            if getattr(service, key):
                yield ("services", name, key), f"`{key}` is {fate}"
        target = service.target
        for other, named in config.services.items():
            if named.target.project is not None and target == replace(named.target, project=None):
                message = f"without a `project` this may be the target of `{other}`, too"
                yield ("services", name, "target"), message
