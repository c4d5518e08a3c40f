"""Tokens: several at once so that they can be rotated, and none found by its beginning."""

from base64 import b64encode

import pytest

from remediator.web.auth import Caller, Tokens

OLD, NEW = Caller("ingest", "alertmanager"), Caller("ingest", "alertmanager-new")
ALICE = Caller("operator", "alice")
TOKENS = Tokens([("old", OLD), ("new", NEW), ("alice", ALICE)])


@pytest.mark.parametrize(("token", "caller"), [("old", OLD), ("new", NEW), ("alice", ALICE)])
def test_each_token_is_its_callers(token: str, caller: Caller) -> None:
    assert TOKENS.caller(f"Bearer {token}") == caller
    assert TOKENS.caller(f"bearer   {token} ") == caller


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "old",
        "Bearer ol",
        "Bearer oldx",
        "Bearer OLD",
        "Token old",
        "Bearer old,new",
    ],
)
def test_anything_else_is_nobodys(header: str) -> None:
    assert TOKENS.caller(header) is None


def test_without_tokens_nobody_may_call() -> None:
    assert Tokens([]).caller("Bearer ") is None
    assert Tokens([]).caller("Bearer x") is None


def test_a_password_may_hold_colons() -> None:
    tokens = Tokens([("a:b", OLD)])
    assert tokens.caller("Basic " + b64encode(b"user:a:b").decode()) == OLD


def test_only_ingest_tokens_come_as_passwords() -> None:
    assert TOKENS.caller("Basic " + b64encode(b"x:old").decode()) == OLD
    assert TOKENS.caller("Basic " + b64encode(b"x:alice").decode()) is None


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert TOKENS.caller("Bearer \udcff\udcfe") is None
