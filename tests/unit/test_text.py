"""Text from outside is shown harmless and otherwise unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.model.text import counted, harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("ümläut 日本", "ümläut 日本"),
        ("a\nb", r"a\nb"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("nul\0", r"nul\x00"),
        ("\ud800", r"\ud800"),
    ],
)
def test_only_what_cannot_be_seen_is_escaped(text, shown):
    assert harmless(text) == shown


def test_lines_may_stay():
    assert harmless("a\n\tb\r\x1b", lines=True) == "a\n\tb\\r\\x1b"


def test_long_text_is_cut():
    assert harmless("abcdef", limit=4) == "abc…"
    assert harmless("abcd", limit=4) == "abcd"


@given(st.text())
def test_what_is_shown_is_printable_and_stays_so(text):
    once = harmless(text)
    assert once.isprintable()
    assert harmless(once) == once
    once.encode()


@pytest.mark.parametrize(("count", "told"), [(0, "0 lines"), (1, "1 line"), (2, "2 lines")])
def test_how_many_there_are(count: int, told: str) -> None:
    assert counted(count, "line") == told
