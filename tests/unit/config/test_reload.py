from pathlib import Path

import pytest

from remediator.config import Config, restart_needed
from remediator.config.model import RELOADABLE
from tests.unit.config.given import TOKENS, read, secret


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ("listen: 127.0.0.1:1", "listen"),
        ("store: other.db", "store"),
        ("log_level: debug", "log_level"),
        ("engines: {}", "engines"),
        ("alertmanagers: [{url: http://am}]", "alertmanagers"),
        ("prometheus: {url: http://prom}", "prometheus"),
        ("limits: {max_body: 1MB}", "limits"),
    ],
)
def test_what_a_reload_cannot_change_is_named(tmp_path: Path, changed: str, key: str) -> None:
    assert restart_needed(read(tmp_path), read(tmp_path, f"{changed}\n{TOKENS}")) == [key]


@pytest.mark.parametrize(
    "changed",
    [
        "rules: [other]",
        "mode: shadow",
        "severities: {P0: {people: 2}}",
        "guardrails: {cooldown: 1m}",
        "services: {app: {}}",
        "commands: {go: {argv: [/bin/true]}}",
        "channels: {oncall: {webhook: {url: http://h, secret_file: tokens/alice}}}",
        "pause_file: pause",
        "receiver: remediator",
        "drain: 1s",
        "watch: false",
        "watch_interval: 1m",
    ],
)
def test_what_a_reload_can_change_is_not(tmp_path: Path, changed: str) -> None:
    before, after = read(tmp_path), read(tmp_path, f"{changed}\n{TOKENS}")
    assert before != after
    assert restart_needed(before, after) == []


def test_a_new_token_in_an_old_file_is_a_change_that_a_reload_can_make(tmp_path: Path) -> None:
    before = read(tmp_path)
    secret(tmp_path, "tokens/alice", "another-0123456789")
    after = read(tmp_path)
    assert before.tokens != after.tokens
    assert restart_needed(before, after) == []


def test_nothing_changed_needs_nothing(tmp_path: Path) -> None:
    assert restart_needed(read(tmp_path), read(tmp_path)) == []


def test_every_key_says_whether_it_needs_a_restart() -> None:
    for key, field in Config.model_fields.items():
        assert ("Needs a restart." in (field.description or "")) is (key not in RELOADABLE), key
