"""A stage is the whole daemon before a simulated world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.assembly import assemble
from remediator.config import load_config
from remediator.rehearse.stage import Stage
from remediator.rehearse.time import run

if TYPE_CHECKING:
    from pathlib import Path

    from remediator.engine.setup import Setup
    from remediator.model.event import Event

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LABELS = {"alertname": "Down"}

CONFIG = """\
rules: [rules.yml]
engines: {local: {}, other: {host: "tcp://other:2375"}}
services:
  web: {target: TARGET}
"""
RULES = """\
groups:
  - name: house
    rules:
      - name: web-down
        match: ['alertname="Down"']
        severity: P1
        service: web
        steps: [{restart: {}, verify: {healthy: true, resolved_within: 5m, stays: 2m}}]
"""


def setup(folder: Path, target: str = "{compose_service: web}") -> Setup:
    (folder / "rules.yml").write_text(RULES)
    (folder / "remediator.yml").write_text(CONFIG.replace("TARGET", target))
    return assemble(load_config(folder / "remediator.yml"), channels={})


def test_an_alert_is_acted_on_and_the_act_is_verified(tmp_path: Path) -> None:
    events: list[Event] = []

    async def main() -> Stage:
        stage = Stage(setup(tmp_path), start=NOON)
        stage.on_commit(events.extend)
        async with stage:
            mark = await stage.fire(LABELS)
            await stage.wait_until(NOON + timedelta(minutes=1))
            await stage.resolve(mark)
            await stage.wait_until(NOON + timedelta(hours=1))
        return stage

    stage = run(main)
    finished = next(event for event in events if event.kind == "run.finished")
    assert finished.data["outcome"] == "succeeded"
    assert finished.at == NOON + timedelta(minutes=3), "a minute, and two in which it stays so"
    assert stage.docker.restarts == ["rehearsal-web-1"]
    assert stage.told == []


@pytest.mark.parametrize(
    "target",
    [
        "{compose_service: web, project: shop}",
        "{container: web}",
        "{label: app=web}",
        "{swarm_service: web}",
        "{container: web, engine: other}",
    ],
)
def test_every_kind_of_target_is_there(tmp_path: Path, target: str) -> None:
    async def main() -> Stage:
        async with Stage(setup(tmp_path, target), start=NOON) as stage:
            await stage.fire(LABELS)
            await stage.wait_until(NOON + timedelta(minutes=1))
        return stage

    assert len(run(main).engine_of("web").restarts) == 1
