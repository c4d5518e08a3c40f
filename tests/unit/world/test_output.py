"""What comes from outside is cut to a size, and its obvious secrets are taken out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.world.output import REDACTED, CutBuffer, redact


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("password=hunter2", "password=[redacted]"),
        ("DB_PASSWORD: hunter2 end", "DB_PASSWORD: [redacted] end"),
        ('{"api_key": "hunter2", "port": 1}', '{"api_key": [redacted], "port": 1}'),
        ("--token hunter2 --verbose", "--token [redacted] --verbose"),
        ("secret_id='hunter 2' x", "secret_id=[redacted] x"),
        ("Authorization: Bearer hunter2", "Authorization: Bearer [redacted]"),
        ("authorization: Basic aHVudGVyMg==", "authorization: Basic [redacted]"),
        ("curl -H 'X: bearer hunter2hunter2'", "curl -H 'X: bearer [redacted]'"),
        ("postgres://app:hunter2@db/x", "postgres://app:[redacted]@db/x"),
        ("AKIAIOSFODNN7EXAMPLE", REDACTED),
        ("ghp_" + "a" * 36, REDACTED),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln", REDACTED),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", f"{REDACTED}\nafter"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE cut off", REDACTED),
        (
            "line\n2026-03-01T12:00:00.1Z MIIEhunter2hunter2hunter2\n"
            "2026-03-01T12:00:00.2Z hunter2hunter2hunter2=\n"
            "2026-03-01T12:00:00.3Z -----END RSA PRIVATE KEY-----\nafter",
            f"line\n{REDACTED}\nafter",
        ),
        ("end=1\n[... 12 bytes cut ...]\nter2 next", "end=1\n[... 12 bytes cut ...]\n[redacted] next"),
        ("Cookie: a=hunter2; session=hunter3\nnext", "Cookie: [redacted]\nnext"),
        ("Set-Cookie: id=hunter2; Path=/", "Set-Cookie: [redacted]"),
        ("redis://:hunter/2@redis:6379/0", "redis://:[redacted]@redis:6379/0"),
        (r'{"password": "hunt\"er2", "a": 1}', '{"password": [redacted], "a": 1}'),
        ("config set requirepass hunter2", "config set requirepass [redacted]"),
        ("CREATE USER a IDENTIFIED BY 'hunter2';", "CREATE USER a IDENTIFIED BY [redacted];"),
        ("github_pat_" + "a" * 30, REDACTED),
        ("glpat-" + "a" * 20, REDACTED),
        ("key sk-proj-" + "aB3" * 10, f"key {REDACTED}"),
        ("sk_live_" + "aB3" * 8, REDACTED),
        ("AIza" + "x" * 35, REDACTED),
        ("hvs." + "x" * 24, REDACTED),
        (
            "https://hooks.slack.com/services/T000/B000/hunter2hunter2",
            f"https://hooks.slack.com/services/{REDACTED}",
        ),
        ("\ud800 é\0 password=hünter2€ é", "? é\0 password=[redacted] é"),
    ],
)
def test_secrets_are_taken_out(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "restarted 3 containers",
        "GET /health 200 http://localhost:8000/health",
        "max_tokens_per_batch reached",
        "2026-03-01T12:00:00Z step=17 loss=0.25",
        "mail alice@example.com",
        "GET http://localhost:8000/users/alice@example.com",
        "Failed password for root from 10.0.0.1 port 22",
        "task-live-view hf_hub cookies are on",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(alphabet="pasword-=: \"'\n@/bearer", max_size=300))
def test_redacting_again_changes_nothing_that_matters(text: str) -> None:
    assert redact(redact(text)).replace(REDACTED, "") == redact(text).replace(REDACTED, "")


@pytest.mark.parametrize("piece", ["password", "-----BEGIN PRIVATE KEY-----", "a://b:", "-", "bearer ", '"'])
def test_long_hostile_text_is_got_through(piece: str) -> None:
    assert redact(piece * 20_000)


def fed(limit: int, *pieces: bytes) -> CutBuffer:
    buffer = CutBuffer(limit)
    for piece in pieces:
        buffer.add(piece)
    return buffer


@given(st.integers(0, 40), st.lists(st.binary(max_size=30), max_size=20))
def test_what_fits_is_whole_and_else_the_middle_is_gone(limit: int, pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    buffer = fed(limit, *pieces)
    assert buffer.size == len(whole)
    if len(whole) <= limit:
        assert buffer.text() == whole.decode(errors="replace")
    else:
        head, tail = whole[: limit // 2], whole[len(whole) - (limit - limit // 2) :]
        mark = f"\n[... {len(whole) - limit} bytes cut ...]\n"
        assert buffer.text() == head.decode(errors="replace") + mark + tail.decode(errors="replace")


def test_memory_stays_bounded() -> None:
    buffer = fed(1000, *[b"x" * 65_536] * 200)
    assert buffer.size == 200 * 65_536
    assert len(buffer._head) + len(buffer._tail) < 200_000


def test_a_character_that_was_cut_in_two_shows_as_such() -> None:
    assert "�" in fed(3, "ééééé".encode()).text()
