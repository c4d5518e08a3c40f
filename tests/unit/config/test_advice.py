"""What is allowed but perhaps not meant is said, and nothing is refused for it."""

from pathlib import Path

import pytest

from tests.unit.config.given import CERTIFICATE, TOKENS, config_file, read, secret, warnings

WELL = f"""
{TOKENS}
alertmanagers: [{{url: http://am}}]
channels: {{oncall: {{webhook: {{url: http://h, secret_file: tokens/alice}}}}}}
"""


def test_a_configuration_that_means_what_it_says_is_not_talked_about(tmp_path: Path) -> None:
    assert warnings(tmp_path, WELL) == []


def test_an_empty_one_lacks_everything_that_makes_it_useful(tmp_path: Path) -> None:
    assert warnings(tmp_path, "{}") == [
        "0: there is no ingest token, so nobody can post alerts",
        "0: there is no operator token, so nobody can approve, pause or settle anything",
        "0: there is no channel, so people are told nothing",
        "0: no Alertmanager can be asked: what was missed stays missed, no act is ever proven useless, and "
        "after each start nothing is done about an alert before it is told again",
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "severities: {P0: {mode: auto}}",
            "incidents of severity P0 are acted on without anybody's approval",
        ),
        ("severities: {P1: {people: 2}}", "2 people must approve, but there is only 1 operator"),
        (
            "reconcile_interval: 5m",
            "alerts are confirmed less often than `confirm_within` asks for, so acts will be held",
        ),
        (
            "engines: {local: {host: 'tcp://h:2375'}}",
            "without a client certificate, whoever can reach this port is root on that machine",
        ),
        ("services: {app: {min_healthy: 50%}}", "`min_healthy` is kept, but not yet enforced"),
        ("services: {app: {failure_domain: r7}}", "`failure_domain` is kept, but nothing goes by it yet"),
        (
            "services: {app: {stakeholders: [research]}}",
            "`stakeholders` is kept, but they are not told anything yet: every channel is told everything",
        ),
        ("services: {app: {sli: {errors: up}}}", "`sli` is kept, but not asked for yet"),
        (
            "services: {a: {target: {compose_service: x}}, b: {target: {compose_service: x, project: p}}}",
            "without a `project` this may be the target of `b`, too",
        ),
        (
            "commands: {go: {argv: [/no/such/program]}}",
            "/no/such/program is no program that can be run here",
        ),
    ],
)
def test_what_may_not_be_meant_is_said_at_its_line(tmp_path: Path, more: str, message: str) -> None:
    assert warnings(tmp_path, f"{more}\n{WELL}") == [f"1: {message}"]


@pytest.mark.parametrize("stricter", ["mode: approve", "mode: shadow", "severities: {P0: {mode: shadow}}"])
def test_p0_may_be_strict_in_any_way(tmp_path: Path, stricter: str) -> None:
    assert warnings(tmp_path, f"{stricter}\n{WELL}") == []


def test_a_program_that_can_be_run_is_not_talked_about(tmp_path: Path) -> None:
    program = secret(tmp_path, "program", "#!/bin/sh\n", mode=0o700)
    assert warnings(tmp_path, f"commands: {{go: {{argv: [{program}]}}}}\n{WELL}") == []


def test_an_engine_reached_by_tls_is_not_talked_about(tmp_path: Path) -> None:
    keys = f"ca_file: {CERTIFICATE}, cert_file: {CERTIFICATE}, key_file: {CERTIFICATE}"
    assert warnings(tmp_path, f"engines: {{far: {{host: 'tcp://h:2376', {keys}}}}}\n{WELL}") == []


@pytest.mark.parametrize(
    "targets",
    [
        ("{compose_service: x, project: p}", "{compose_service: x, project: q}"),
        ("{label: a=b}", "{label: a=c}"),
        ("{container: x}", "{compose_service: x}"),
    ],
)
def test_targets_that_differ_are_not_talked_about(tmp_path: Path, targets: tuple[str, str]) -> None:
    one, two = targets
    assert warnings(tmp_path, f"services: {{a: {{target: {one}}}, b: {{target: {two}}}}}\n{WELL}") == []


def test_a_warning_knows_its_place(tmp_path: Path) -> None:
    config = read(tmp_path, f"services:\n  app:\n    min_healthy: 2\n{WELL}")
    assert [problem.place for problem in config.warnings] == [f"{config_file(tmp_path, WELL)}:3:18"]
