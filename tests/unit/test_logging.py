"""Logs are readable by their reader, and no secret gets into them."""

import io
import json
import logging

import pytest
import structlog

from remediator.logging import set_up

SECRET = "correct-horse-battery"


pytestmark = pytest.mark.usefixtures("logging_restored")


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_have_time_in_utc_level_and_logger():
    stream = io.StringIO()
    set_up(stream=stream)
    structlog.get_logger("remediator.test").info("begun", run=7)
    [line] = lines(stream)
    assert line["event"] == "begun"
    assert line["run"] == 7
    assert line["level"] == "info"
    assert line["logger"] == "remediator.test"
    assert line["timestamp"].endswith("Z")


def test_the_logs_of_libraries_take_the_same_way():
    stream = io.StringIO()
    set_up(stream=stream, secrets=[SECRET])
    logging.getLogger("aiohttp.server").error("lost %s", SECRET)
    [line] = lines(stream)
    assert line["event"] == "lost ***"
    assert line["logger"] == "aiohttp.server"


def test_each_touch_of_a_file_is_no_news():
    stream = io.StringIO()
    set_up(stream=stream, level="debug")
    logging.getLogger("watchfiles.main").info("1 change detected")
    assert lines(stream) == []


@pytest.mark.parametrize("console", [True, False])
def test_known_secrets_are_taken_out_wherever_they_stand(console):
    stream = io.StringIO()
    set_up(stream=stream, secrets=["horse", SECRET], console=console)
    log = structlog.get_logger("x")

    class Holder:
        def __repr__(self):
            return f"Holder({SECRET})"

    log.info(f"in the event {SECRET}", value=f"a {SECRET} b", deep={"list": [SECRET, {"k": SECRET}]})
    log.info("objects", holder=Holder(), raw=SECRET.encode(), error=ValueError(SECRET))
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("with a traceback")
        logging.getLogger("library").exception("with a traceback")
    shown = stream.getvalue()
    assert "ValueError" in shown
    for part in ("correct", "horse", "battery"):
        assert part not in shown


@pytest.mark.parametrize(
    "key", ["token", "api_key", "client-secret", "Authorization", "db_password", "tokens"]
)
def test_values_under_a_secret_key_are_taken_out(key):
    stream = io.StringIO()
    set_up(stream=stream)
    structlog.get_logger().info("x", **{key: "unheard-of", "deep": {key: ["unheard-of"]}})
    assert "unheard-of" not in stream.getvalue()


def test_other_keys_keep_their_values():
    stream = io.StringIO()
    set_up(stream=stream)
    structlog.get_logger().info("x", token_name="first", keys=3, none=None, yes=True)
    [line] = lines(stream)
    assert (line["token_name"], line["keys"], line["none"], line["yes"]) == ("first", 3, None, True)


def test_an_alert_cannot_move_the_cursor_of_the_reader():
    stream = io.StringIO()
    set_up(stream=stream, console=True)
    structlog.get_logger().info("x", label="\x1b[2Jgone\u202e")
    assert "\x1b" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()
    assert r"\x1b[2Jgone\u202e" in stream.getvalue()


def test_the_level_holds_for_ours_and_theirs():
    stream = io.StringIO()
    set_up(stream=stream, level="warning")
    structlog.get_logger("a").info("quiet")
    logging.getLogger("b").info("quiet")
    structlog.get_logger("a").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_setting_up_again_replaces_what_was_set():
    first, second = io.StringIO(), io.StringIO()
    set_up(stream=first)
    log = structlog.get_logger("a")
    log.info("one")
    set_up(stream=second, secrets=[SECRET])
    log.info("two", value=SECRET)
    assert [line["event"] for line in lines(first)] == ["one"]
    assert [(line["event"], line["value"]) for line in lines(second)] == [("two", "***")]


def test_an_unknown_level_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="debug, info, warning, error"):
        set_up(level="loud")


def test_a_secret_that_comes_later_is_hidden_beside_the_old_ones():
    stream = io.StringIO()
    redactor = set_up(stream=stream, secrets=[SECRET])
    log = structlog.get_logger("x")
    log.info("before, so that the logger is made")
    redactor.hide(["a-new-one", ""])
    log.info(f"{SECRET} and a-new-one")
    assert lines(stream)[-1]["event"] == "*** and ***"
