"""Runs whose steps are named requests, from the alert to the end, as a test of rules lives through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remediator.reading.problems import InputError
from remediator.rehearse.report import told
from remediator.rehearse.suite import load_suite, perform
from tests.simulation.given import rule, rules

if TYPE_CHECKING:
    from pathlib import Path

    from remediator.rehearse.suite import Result

SETTINGS = """
  services:
    web: {}
  requests:
    drain:
      method: POST
      url: http://lb/servers/{server}/state
      params: {server: {pattern: "[a-z]+"}}
      timeout: 20s
      probe: state
    state:
      method: GET
      url: http://lb/servers/{server}/state
      params: {server: {}}
      expect: {json: {/state: drain}}
      not: {json: {/state: ready}}
    toggle: {method: POST, url: http://flags/toggle, timeout: 20s}
"""
VERIFY = "verify: {resolved_within: 5m}"
DRAIN = "http: {name: drain, params: {server: '{{ labels.service }}'}}"
RULES = rules(
    rule(steps=(f"{{{DRAIN}, {VERIFY}}}", f"{{restart: {{}}, {VERIFY}}}")),
    rule("web-slow", alert="Slow", steps=(f"{{http: toggle, {VERIFY}}}",)),
)
FIRE = "fire: {alertname: Down, service: web}"


def live(folder: Path, *moments: str) -> Result:
    (folder / "web.yml").write_text(RULES)
    lines = "".join(f"      - {{{moment}}}\n" for moment in moments)
    file = folder / "web.test.yml"
    file.write_text(f"settings: {SETTINGS}\ntests:\n  - name: one\n    timeline:\n{lines}")
    suite = load_suite(file)
    return perform(suite, suite.cases[0])


def passes(folder: Path, *moments: str) -> None:
    result = live(folder, *moments)
    assert result.ok, "\n".join(told(result))


def run(fields: str, rule: str = "web-down") -> str:
    return f"expect: {{run: {{rule: {rule}, {fields}}}}}"


def test_a_request_that_helps_ends_the_run(tmp_path: Path) -> None:
    passes(
        tmp_path,
        f"at: 0s, {FIRE}, {run('status: verifying, acts: 1')}",
        "at: 1m, resolve: {alertname: Down, service: web}",
        f"at: 10m, {run('outcome: succeeded, acts: 1')}",
    )


@pytest.mark.parametrize(
    ("server", "fields"),
    [
        ("{status: 409}", "status: verifying, acts: 2"),
        ("{reachable: false}", "status: verifying, acts: 2"),
        ("{takes: 15s}", "status: acting, acts: 1"),
    ],
)
def test_one_that_fails_gives_way_to_the_next_step(tmp_path: Path, server: str, fields: str) -> None:
    passes(tmp_path, f"at: 0s, requests: {{drain: {server}}}, {FIRE}", f"at: 10s, {run(fields)}")


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        ("drain", "status: verifying, acts: 1"),
        ("ready", "status: verifying, acts: 4"),  # three times in vain, then the next step
        ("odd", "status: unknown, acts: 1"),
    ],
)
def test_without_an_answer_the_probe_tells(tmp_path: Path, state: str, fields: str) -> None:
    probe = f'state: {{status: 200, body: \'{{"state": "{state}"}}\'}}'
    passes(
        tmp_path,
        f"at: 0s, requests: {{drain: {{breaks: true}}, {probe}}}, {FIRE}",
        f"at: 3m, {run(fields)}",
    )


def test_without_a_probe_a_person_tells(tmp_path: Path) -> None:
    passes(
        tmp_path,
        "at: 0s, requests: {toggle: {breaks: true}}, fire: {alertname: Slow, service: web}",
        f"at: 3m, {run('status: unknown, acts: 1', 'web-slow')}",
        "at: 4m, settle: {rule: web-slow, applied: true}",
        f"at: 4m1s, {run('status: verifying, acts: 1', 'web-slow')}",
    )


def test_what_cannot_happen_is_told(tmp_path: Path) -> None:
    result = live(tmp_path, "at: 0s, requests: {drian: {}}, expect: {runs: 0}")
    assert result.failure is not None
    assert result.failure.error == "there is no request drian; did you mean `drain`?"
    with pytest.raises(InputError, match="this is no JSON"):
        live(tmp_path, "at: 0s, requests: {drain: {body: nonsense}}, expect: {runs: 0}")
