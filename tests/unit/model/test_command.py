from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.model.command import CommandInputError, CommandSpec, ParamSpec, reference_problems

PING = CommandSpec(
    name="ping",
    argv=("/usr/bin/tool", "--host={host}", "{count}", "{mode}"),
    params={
        "host": ParamSpec(pattern="[a-z.]+"),
        "count": ParamSpec(type="int", default=1),
        "mode": ParamSpec(type="enum", values=("fast", "slow"), default="slow"),
    },
)


def test_values_and_defaults_fill_their_places() -> None:
    assert PING.fill({"host": "redis.local", "mode": "fast"}) == (
        "/usr/bin/tool",
        "--host=redis.local",
        "1",
        "fast",
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "host: .* needs a value"),
        ({"host": "a", "nobody": "x"}, "nobody: .* no such parameter"),
        ({"host": "a b"}, "does not match"),
        ({"host": "a\n"}, "does not match"),
        ({"host": ""}, "characters"),
        ({"host": 5}, "not text"),
        ({"host": "a", "count": "many"}, "whole number"),
        ({"host": "a", "count": True}, "whole number"),
        ({"host": "a", "count": -1}, "begins with `-`"),
        ({"host": "a", "mode": "faster"}, "none of fast, slow"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(CommandInputError, match=message):
        PING.fill(values)


FREE = CommandSpec(name="free", argv=("/bin/echo", "{text}", "x{text}y"), params={"text": ParamSpec()})


@given(st.text())
def test_no_value_adds_an_element_or_looks_like_an_option(text: str) -> None:
    try:
        argv = FREE.fill({"text": text})
    except CommandInputError:
        assert not text or text.startswith("-") or "\0" in text
    else:
        assert argv == ("/bin/echo", text, f"x{text}y")


def test_a_filled_value_is_not_filled_again() -> None:
    spec = CommandSpec(name="two", argv=("/bin/echo", "{a}{b}"), params={"a": ParamSpec(), "b": ParamSpec()})
    assert spec.fill({"a": "{b}", "b": "2"}) == ("/bin/echo", "{b}2")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"argv": ()}, "absolute path"),
        ({"argv": ("echo",)}, "absolute path"),
        ({"argv": ("/bin/{tool}",), "params": {"tool": ParamSpec()}}, "no placeholder"),
        ({"argv": ("/bin/echo", "{who}")}, r"\{who\} is not among"),
        ({"argv": ("/bin/echo",), "params": {"who": ParamSpec()}}, "used nowhere"),
        ({"argv": ("/bin/echo", "a\0b")}, "NUL"),
        ({"argv": ("/bin/echo",), "timeout": timedelta(0)}, "timeout"),
    ],
)
def test_a_command_that_cannot_work_is_refused(parts: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CommandSpec(**{"name": "broken", **parts})


@pytest.mark.parametrize(
    "parts",
    [
        {"type": "enum"},
        {"values": ("a",)},
        {"type": "int", "pattern": "1"},
        {"pattern": "("},
        {"type": "int", "default": "x"},
        {"default": "--help"},
    ],
)
def test_a_parameter_that_cannot_work_is_refused(parts: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        ParamSpec(**parts)


def test_probes_and_undos_must_exist_and_take_no_more_than_the_command_has() -> None:
    commands = {
        "go": CommandSpec(name="go", argv=("/bin/go",), probe="see", undo="back"),
        "see": CommandSpec(name="see", argv=("/bin/see", "{what}"), params={"what": ParamSpec()}),
    }
    assert [(name, key) for name, key, _ in reference_problems(commands)] == [("go", "probe"), ("go", "undo")]
