"""Everything that a test of rules can let happen, and what the rules make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remediator.rehearse.report import told
from remediator.rehearse.suite import load_suite, perform
from tests.simulation.given import rule, rules

if TYPE_CHECKING:
    from pathlib import Path

    from remediator.rehearse.suite import Result

SETTINGS = """
  services:
    web: {}
    jobs: {target: {swarm_service: jobs}}
    idea: {target: none}
  prometheus: {url: "http://prometheus:9090"}
  commands:
    drain: {argv: [/usr/bin/drain], timeout: 30s}
"""
VERIFY = "verify: {resolved_within: 5m}"
RULES = rules(
    rule(),
    rule("jobs-down", service="jobs"),
    rule("web-slow", alert="Slow", steps=(f"{{command: {{name: drain}}, {VERIFY}}}",)),
    rule("web-odd", alert="Odd", more="mode: approve"),
    rule("web-busy", alert="Busy", more="when: {promql: queue > 5}"),
)
FIRE = "fire: {alertname: Down, service: web}"


def live(folder: Path, *moments: str) -> Result:
    """One test of these moments."""
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


@pytest.mark.parametrize(
    ("docker", "fields"),
    [
        ("works", "status: verifying, acts: 1"),
        ("refuses", "outcome: failed, reason: act_failed, acts: 1"),
        ("loses_answers", "status: verifying, acts: 1"),
        ("down", "status: held, reason: world_unreadable, acts: 0"),
    ],
)
def test_a_docker_engine_takes_acts_in_its_way(tmp_path: Path, docker: str, fields: str) -> None:
    passes(tmp_path, f"at: 0s, docker: {docker}, {FIRE}", f"at: 2m, {run(fields)}")


def test_an_engine_that_hangs_leaves_people_to_tell_what_it_did(tmp_path: Path) -> None:
    passes(
        tmp_path,
        f"at: 0s, docker: hangs, {FIRE}, {run('status: probing, acts: 1')}",
        f"at: 2m, {run('status: unknown, acts: 1')}",
    )


def test_without_the_api_nobody_can_tell_whether_an_act_helped(tmp_path: Path) -> None:
    passes(
        tmp_path,
        f"at: 1m, alertmanager: down, {FIRE}",
        f"at: 10m, {run('outcome: inconclusive, reason: cannot_tell')}",
    )


@pytest.mark.parametrize(
    ("program", "fields"),
    [
        ("{}", "status: verifying"),
        ("{takes: 20s}", "status: acting"),
        ("{exit_code: 3}", "outcome: failed, reason: act_failed"),
        ("{hangs: true}", "status: acting"),
        ("{starts: false}", "outcome: failed, reason: act_failed"),
    ],
)
def test_a_command_behaves_in_its_way(tmp_path: Path, program: str, fields: str) -> None:
    slow = "fire: {alertname: Slow, service: web}"
    passes(tmp_path, f"at: 0s, commands: {{drain: {program}}}, {slow}", f"at: 10s, {run(fields, 'web-slow')}")


def test_prometheus_says_what_it_is_given(tmp_path: Path) -> None:
    passes(
        tmp_path,
        "at: 0s, fire: {alertname: Busy, service: web}",
        f"at: 1s, {run('status: held, acts: 0', 'web-busy')}",
        "at: 1m, prometheus: {queue > 5: 7}",
        f"at: 10m, {run('acts: 1', 'web-busy')}",
    )


@pytest.mark.parametrize(("series", "acts"), [("[7, 8]", 1), ("[]", 0)])
def test_prometheus_gives_many_series_or_none(tmp_path: Path, series: str, acts: int) -> None:
    fire = "fire: {alertname: Busy, service: web}"
    passes(tmp_path, f"at: 0s, prometheus: {{queue > 5: {series}}}, {fire}, expect: {{acts: {acts}}}")


def test_a_muted_alert_is_left_alone_until_it_is_heard_again(tmp_path: Path) -> None:
    alert = "{alertname: Down, service: web}"
    passes(
        tmp_path,
        f"at: 0s, pause: {{}}, {FIRE}",
        f"at: 1s, mute: {alert}",
        f"at: 2s, resume: {{by: bob}}, {run('status: held, reason: muted')}",
        f"at: 1m, unmute: {alert}",
        f"at: 10m, {run('acts: 1')}",
    )


def test_the_end_of_a_muted_alert_is_not_told_and_shows_at_the_next_look_at_the_api(tmp_path: Path) -> None:
    alert = "{alertname: Odd, service: web}"
    passes(
        tmp_path,
        f"at: 1s, fire: {alert}",
        f"at: 2s, mute: {alert}, resolve: {alert}",
        f"at: 29s, {run('status: awaiting_approval', 'web-odd')}",
        f"at: 30s, {run('outcome: cancelled, reason: resolved', 'web-odd')}",
    )


def test_the_kill_switch_holds(tmp_path: Path) -> None:
    passes(
        tmp_path,
        "at: 0s, pause: {by: alice, reason: a look around}",
        f"at: 1s, {FIRE}, {run('status: held, reason: paused')}",
        "at: 2s, resume: {by: alice}, expect: {acts: 1}",
    )


def test_a_rule_is_started_and_stopped_by_hand(tmp_path: Path) -> None:
    passes(
        tmp_path,
        "at: 0s, start: {rule: web-odd, service: web}",
        f"at: 1s, {run('status: awaiting_approval, asked: rule_mode, people: 1', 'web-odd')}",
        "at: 2s, cancel: {rule: web-odd, by: alice}",
        f"at: 3s, {run('outcome: cancelled, reason: cancelled_by_person', 'web-odd')}",
    )


def test_a_person_settles_what_nobody_can_tell(tmp_path: Path) -> None:
    passes(
        tmp_path,
        f"at: 0s, docker: hangs, {FIRE}",
        "at: 1s, docker: down",
        f"at: 10m, {run('status: unknown')}",
        "at: 11m, docker: works, settle: {rule: web-down, applied: true}",
        f"at: 12m, {run('status: verifying, acts: 1')}",
    )


@pytest.mark.parametrize(
    "happening", ["restarted_by_hand", "recreated_by_hand", "stopped_by_hand", "removed_by_hand"]
)
def test_a_hand_on_containers_is_respected(tmp_path: Path, happening: str) -> None:
    passes(
        tmp_path,
        f"at: 0s, containers: {{web: {happening}}}",
        f"at: 10s, {FIRE}, {run('status: held, acts: 0')}",
    )


@pytest.mark.parametrize("happening", ["crashed", "out_of_memory", "unhealthy"])
def test_what_breaks_by_itself_is_cured_by_a_restart(tmp_path: Path, happening: str) -> None:
    passes(
        tmp_path,
        f"at: 0s, containers: {{web: {happening}}}, {FIRE}",
        "at: 1m, resolve: {alertname: Down, service: web}",
        f"at: 3m, {run('outcome: succeeded')}",
    )


def test_what_becomes_well_by_itself_was_well_all_the_time(tmp_path: Path) -> None:
    passes(
        tmp_path,
        f"at: 0s, containers: {{web: incurable}}, {FIRE}",
        "at: 1m, containers: {web: well}, resolve: {alertname: Down, service: web}",
        f"at: 3m, {run('outcome: succeeded')}",
    )


@pytest.mark.parametrize(
    ("happening", "fields"),
    [
        ("crashed", "outcome: succeeded"),
        ("incurable", "outcome: failed"),
        ("restarted_by_hand", "outcome: cancelled, reason: resolved"),
    ],
)
def test_what_happens_to_a_swarm_service(tmp_path: Path, happening: str, fields: str) -> None:
    alert = "{alertname: Down, service: jobs}"
    passes(
        tmp_path,
        f"at: 0s, containers: {{jobs: {happening}}}, fire: {alert}",
        f"at: 1m, resolve: {alert}",
        f"at: 6m, {run(fields, 'jobs-down')}",
    )


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        ("containers: {wbe: crashed}", "there is no service wbe; did you mean `web`?"),
        ("containers: {idea: crashed}", "idea has no containers"),
        (
            "containers: {jobs: out_of_memory}",
            "`out_of_memory` is nothing that happens to the Swarm service jobs",
        ),
        ("commands: {drian: {}}", "there is no command drian; did you mean `drain`?"),
        ("resolve: {alertname: X}", "no alert with the labels {alertname: X} has fired in this test"),
        ("approve: {rule: web-odd}", "there was no run of web-odd so far"),
        ("resume: {}", "nothing is paused by command"),
        ("start: {rule: web-dwon, service: web}", "there is no rule"),
    ],
)
def test_what_cannot_happen_is_told(tmp_path: Path, moment: str, message: str) -> None:
    result = live(tmp_path, f"at: 0s, {moment}, expect: {{runs: 0}}")
    assert result.failure is not None
    assert message in result.failure.error


def test_nobody_can_say_yes_to_what_is_not_asked(tmp_path: Path) -> None:
    result = live(tmp_path, f"at: 0s, {FIRE}", "at: 1s, approve: {rule: web-down}, expect: {runs: 1}")
    assert result.failure is not None
    assert result.failure.error == "nobody is asked about web-down: its run is verifying"
