"""Files for TLS are looked at when the configuration is read, not when somebody is first called."""

import os
from pathlib import Path

import pytest

from tests.unit.config.given import CERTIFICATE, LOCKED_KEY, OTHER_KEY, problems, read, secret


def engine(**files: object) -> str:
    named = "".join(f", {key}: {file}" for key, file in files.items())
    return f"engines: {{far: {{host: 'tcp://far:2376'{named}}}}}"


def test_files_of_use(tmp_path: Path) -> None:
    config = read(tmp_path, engine(ca_file=CERTIFICATE, cert_file=CERTIFICATE, key_file=CERTIFICATE))
    assert config.engines["far"].key_file == CERTIFICATE


@pytest.mark.parametrize(
    "text",
    [
        "alertmanagers: [{url: https://am, ca_file: ca.pem}]",
        "prometheus: {url: https://prom, ca_file: ca.pem}",
        engine(ca_file="ca.pem"),
        engine(cert_file="ca.pem", key_file=CERTIFICATE),
    ],
)
@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff\xfe", OTHER_KEY.read_bytes()])
def test_certificates_of_no_use(tmp_path: Path, text: str, content: bytes) -> None:
    secret(tmp_path, "ca.pem", content)
    assert problems(tmp_path, text) == [
        "ca.pem: ca.pem holds no certificates; give a file of them in PEM form"
    ]


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, reason in (
        ("none", "none cannot be read: no such file or directory"),
        ("pipe", "pipe is not a regular file"),
        ("folder", "folder is not a regular file"),
    ):
        assert problems(tmp_path, engine(ca_file=name)) == [f"{name}: {reason}"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (b"nothing", "key.pem holds no key; give a file with the key in PEM form"),
        (OTHER_KEY.read_bytes(), f"key.pem is not the key of {CERTIFICATE}"),
        (
            LOCKED_KEY.read_bytes(),
            "key.pem is protected by a passphrase, which nobody could type in; take it off",
        ),
    ],
)
def test_a_key_of_no_use(tmp_path: Path, key: bytes, message: str) -> None:
    secret(tmp_path, "key.pem", key)
    assert problems(tmp_path, engine(cert_file=CERTIFICATE, key_file="key.pem")) == [f"key.pem: {message}"]
