"""Secrets stand in files, are refused where they could be guessed or shared, and never show."""

import os
from pathlib import Path

import pytest

from remediator.config import load_config
from remediator.reading.problems import InputError
from tests.unit.config.given import TOKENS, config_file, problems, read, secret, warnings

SECRET = "hunter2-hunter2-hunter2"
LOUD = """
alertmanagers: [{url: http://am, token_file: s/am}]
prometheus: {url: http://prom, username: me, password_file: s/prom}
tokens:
  ingest: [{name: am, file: s/ingest}]
  operators: [{name: alice, file: s/alice}, {name: alice, file: s/alice-new}]
channels:
  one: {webhook: {url: https://hooks.example.com/hunter2-url, secret_file: s/sign}}
  two: {webhook: {url_file: s/url, secret_file: s/sign}}
"""
FILES = {
    **{
        f"s/{name}": f"hunter2-{name}-0123456789"
        for name in ("am", "prom", "ingest", "alice", "alice-new", "sign")
    },
    "s/url": "https://hooks.example.com/hunter2-second",
}


def test_every_secret_is_read_and_none_is_shown(tmp_path: Path) -> None:
    for name, text in FILES.items():
        secret(tmp_path, name, f"  {text}\n")
    config = read(tmp_path, LOUD)
    assert config.secrets == {*FILES.values(), "https://hooks.example.com/hunter2-url"}
    assert "hunter2" not in repr(config) + str(config) + str(config.model_dump())
    assert [entry.token.get_secret_value() for entry in config.tokens.operators] == [
        "hunter2-alice-0123456789",
        "hunter2-alice-new-0123456789",
    ]
    assert (
        config.channels["one"].webhook.address.get_secret_value() == "https://hooks.example.com/hunter2-url"
    )
    assert config.channels["two"].webhook.address.get_secret_value() == FILES["s/url"]
    assert config.channels["two"].webhook.secret_bytes == b"hunter2-sign-0123456789"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "tokens/new is empty; it has to hold the secret"),
        (" \n", "tokens/new is empty; it has to hold the secret"),
        ("short", "tokens/new: the secret in it is shorter than 16 characters, and could be guessed"),
        ("two words of length", "tokens/new: the secret in it has to be one word of ASCII characters"),
        ("line-0123456789\nline-0123456789", "tokens/new: the secret in it has to be one word of ASCII"),
        ("pässword-0123456789", "tokens/new: the secret in it has to be one word of ASCII characters"),
        (b"\xff" * 20, "tokens/new holds no text; is this the right file?"),
        ("x" * 5000, "tokens/new holds more than 4096 bytes; is this the right file?"),
    ],
)
def test_a_file_that_holds_no_token_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    secret(tmp_path, "tokens/new", text)
    (found,) = problems(tmp_path, "tokens:\n  ingest:\n    - name: am\n      file: tokens/new\n")
    assert found.startswith(f"tokens/new: {message}")


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "tokens: {ingest: [{name: am, file: tokens/none}]}")
    assert found == "tokens/none: tokens/none cannot be read: no such file or directory"


def test_a_file_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (found,) = problems(tmp_path, "tokens: {ingest: [{name: am, file: pipe}]}")
    assert found == "pipe: pipe is not a regular file"


def test_every_missing_file_is_told(tmp_path: Path) -> None:
    expected = [*FILES, "s/sign"]  # that one is named twice
    found = problems(tmp_path, LOUD)
    assert sorted(found) == sorted(
        f"{name}: {name} cannot be read: no such file or directory" for name in expected
    )


def test_a_secret_that_is_refused_does_not_show(tmp_path: Path) -> None:
    secret(tmp_path, "tokens/new", "hunter2 hunter2 hunter2")
    secret(tmp_path, "url", "hunter2://x")
    text = """
    tokens:
      ingest: hunter2
      operators:
        - hunter2
        - {name: bob, token: hunter2}
        - {name: bob, file: tokens/new}
    channels:
      a: {webhook: {url: "ftp://h/hunter2", secret: hunter2, secret_file: url}}
      b: {webhook: {url_file: url, secret_file: tokens/new}}
    """
    with pytest.raises(InputError) as caught:
        load_config(config_file(tmp_path, text))
    assert len(caught.value.problems) >= 7
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (
            "{operators: [{name: alice, file: tokens/alice}, {name: bob, file: copy}]}",
            "copy: this is also the token of `alice` (operators): each needs one of their own",
        ),
        (
            "{ingest: [{name: alice, file: copy}], operators: [{name: alice, file: tokens/alice}]}",
            "tokens/alice: this is also the token of `alice` (ingest): each needs one of their own",
        ),
    ],
)
def test_no_two_callers_share_a_token(tmp_path: Path, tokens: str, message: str) -> None:
    secret(tmp_path, "tokens/alice", SECRET)
    secret(tmp_path, "copy", f"{SECRET}\n")
    assert problems(tmp_path, f"tokens: {tokens}") == [message]


def test_one_caller_may_have_the_same_token_in_two_files(tmp_path: Path) -> None:
    secret(tmp_path, "tokens/alice", SECRET)
    secret(tmp_path, "copy", SECRET)
    config = read(
        tmp_path, "tokens: {operators: [{name: alice, file: tokens/alice}, {name: alice, file: copy}]}"
    )
    assert len(config.tokens.operators) == 2


@pytest.mark.parametrize("name", ["alert", "alertmanager", "daemon"])
def test_an_operator_cannot_have_the_name_of_no_person(tmp_path: Path, name: str) -> None:
    (found,) = problems(tmp_path, f"tokens: {{operators: [{{name: {name}, file: tokens/alice}}]}}")
    assert found.startswith(f"{name}: `{name}` cannot be an operator")
    assert read(tmp_path, f"tokens: {{ingest: [{{name: {name}, file: tokens/alice}}]}}")


def test_a_file_that_everybody_can_read_is_only_warned_of(tmp_path: Path) -> None:
    secret(tmp_path, "tokens/ingest", mode=0o644)
    (found,) = [line for line in warnings(tmp_path, TOKENS) if "chmod" in line]
    assert found == "0: can be read by everybody on this machine; take that away with `chmod o-r`"


@pytest.mark.parametrize(
    ("webhook", "message"),
    [
        ("{secret_file: tokens/alice}", "{: give either `url` or `url_file`"),
        (
            "{url: 'http://h', url_file: url, secret_file: tokens/alice}",
            "{: give either `url` or `url_file`",
        ),
        ("{url: 'http://h'}", "{: the key `secret_file` is missing here"),
        (
            "{url: 'http://h', secret: x, secret_file: tokens/alice}",
            "secret: unknown key `secret`; did you mean ",
        ),
    ],
)
def test_a_channel_that_cannot_be_used(tmp_path: Path, webhook: str, message: str) -> None:
    secret(tmp_path, "url", "http://h")
    (found,) = problems(tmp_path, f"channels: {{oncall: {{webhook: {webhook}}}}}")
    assert found.startswith(message)
