"""Named requests: what a value may become a part of, and what an answer is held against."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from remediator.model.command import CommandInputError, ParamSpec
from remediator.model.request import (
    Expected,
    RequestParams,
    RequestSpec,
    RequestSpecError,
    objection,
    reference_problems,
)

ANY = ParamSpec(dashes=True)
BASE = "https://balancer.example.com"


def request(**how: Any) -> RequestSpec:
    return RequestSpec(**{"name": "drain", "method": "PUT", "url": f"{BASE}/x", "repeatable": True, **how})


def url_with(template: str, **values: str) -> str:
    return request(url=BASE + template, params=dict.fromkeys(values, ANY)).fill(values).url


def body_with(template: str, params: dict[str, ParamSpec], **values: str) -> Any:
    body = request(body=template, params=params).fill(values).body
    assert body is not None
    return json.loads(body)


# Values in the URL.


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("web-1", "web-1"),
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        ("/", "%2F"),
        ("x?y=1&z#w", "x%3Fy%3D1%26z%23w"),
        ("%2e%2e", "%252e%252e"),
        ("ä", "%C3%A4"),
        ("-1", "-1"),
        ("{other}", "%7Bother%7D"),
        ("a\r\nHost: b", "a%0D%0AHost%3A%20b"),
    ],
)
def test_a_value_is_one_segment_or_one_value(value: str, written: str) -> None:
    assert url_with("/servers/{server}/state", server=value) == f"{BASE}/servers/{written}/state"
    assert url_with("/servers?name={server}&all=no", server=value) == f"{BASE}/servers?name={written}&all=no"


@pytest.mark.parametrize("value", [".", "..", "../admin", "a/../../b", "..\\x", "a/."])
def test_a_value_leads_to_no_other_path(value: str) -> None:
    with pytest.raises(CommandInputError, match=r"server: .* would lead to another path"):
        url_with("/servers/{server}/state", server=value)
    assert url_with("/servers?name={server}", server=value).startswith(f"{BASE}/servers?name=")


def test_nor_do_two_together() -> None:
    with pytest.raises(CommandInputError, match="would lead to another path"):
        url_with("/{a}{b}/x", a=".", b=".")


@given(value=st.text(min_size=1, max_size=30))
def test_no_value_changes_the_shape_of_a_url(value: str) -> None:
    try:
        filled = URL(url_with("/a/{v}/b?c={v}&d=1", v=value), encoded=True)
    except CommandInputError:
        return
    assert str(filled.origin()) == BASE
    assert len(filled.raw_path.split("/")) == 4
    assert [pair.partition("=")[0] for pair in filled.raw_query_string.split("&")] == ["c", "d"]
    assert filled.fragment == ""
    assert filled.query["c"] == value


# Values in the body.


def test_a_value_is_one_text_of_the_body() -> None:
    found = body_with('{"note": "for {who}!", "n": [1, null]}', {"who": ANY}, who='x", "admin": "yes\n')
    assert found == {"note": 'for x", "admin": "yes\n!', "n": [1, None]}


def test_a_whole_number_alone_is_a_number() -> None:
    template = '{"alone": "{n}", "within": "{n}%", "text": "{t}"}'
    found = body_with(template, {"n": ParamSpec(type="int", dashes=True), "t": ANY}, n="-5", t="5")
    assert found == {"alone": -5, "within": "-5%", "text": "5"}


@given(value=st.text(min_size=1, max_size=30))
def test_no_value_changes_the_shape_of_a_body(value: str) -> None:
    try:
        assert body_with('{"a": "{v}", "b": 1}', {"v": ANY}, v=value) == {"a": value, "b": 1}
    except CommandInputError as error:
        assert "NUL" in str(error)


def test_half_a_character_is_no_value() -> None:
    with pytest.raises(CommandInputError, match="v: holds half a character"):
        url_with("/{v}", v="\ud800")


# What a request cannot be.


@pytest.mark.parametrize(
    ("how", "key", "message"),
    [
        ({"url": "ftp://x/y"}, "url", "expected a URL such as"),
        ({"url": f"{BASE}/x#y"}, "url", "expected a URL such as"),
        ({"url": f"{BASE}/a b"}, "url", "expected a URL such as"),
        ({"url": "https://{host}/x", "params": {"host": ANY}}, "url", "no placeholder may stand in the host"),
        ({"url": "https://a:b@host/x"}, "url", "credentials do not belong into a URL"),
        ({"url": f"{BASE}/x?{{k}}=1", "params": {"k": ANY}}, "url", "a placeholder stands for a value"),
        ({"url": f"{BASE}/{{Server}}"}, "url", "`{` and `}` only stand around the name of a parameter"),
        ({"url": f"{BASE}/{{server}}"}, "params", "{server} is not among the params of the request drain"),
        ({"params": {"server": ANY}}, "params", "the parameter server is used nowhere in the request drain"),
        ({"body": "{no json"}, "body", "the body is no JSON: "),
        ({"body": "[NaN]"}, "body", "NaN is no number of JSON"),
        ({"body": '{"{k}": 1}', "params": {"k": ANY}}, "body", "not in a key"),
        ({"method": "GET", "body": "{}"}, "body", "a GET has no body"),
        ({"headers": {"Authorization": "x"}}, "headers", "credentials do not stand here"),
        ({"headers": {"Host": "x"}}, "headers", "the header Host is set by the daemon"),
        ({"headers": {"A b": "x"}}, "headers", "`A b` is no name of a header"),
        ({"headers": {"A": "x\ny"}}, "headers", "the header A is not one line of ASCII characters"),
        ({"headers": {"A": "{server}"}}, "headers", "the header A holds a placeholder"),
        ({"expect": Expected(json={"state": "x"})}, "expect", "a JSON pointer begins with `/`"),
        ({"method": "POST", "repeatable": False, "tries": 2}, "retries", "a POST is not known to be safe"),
    ],
)
def test_what_cannot_be_is_told_with_its_key(how: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(RequestSpecError) as caught:
        request(**how)
    assert message in str(caught.value)
    assert caught.value.key == key


# What an answer is held against.

STATE = {"state": "drained", "weight": 0, "on": False, "none": None, "s": [{"a/b": "x"}], "n": "0"}


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        ({"/state": "drained"}, True),
        ({"/state": "ready"}, False),
        ({"/state": "drained", "/weight": "0"}, True),
        ({"/state": "drained", "/weight": "1"}, False),
        ({"/weight": "0.0"}, True),
        ({"/n": "0"}, True),
        ({"/n": "0.0"}, False),
        ({"/on": "false"}, True),
        ({"/on": "0"}, False),
        ({"/weight": "false"}, False),
        ({"/none": "null"}, True),
        ({"/gone": "null"}, False),
        ({"/s/0/a~1b": "x"}, True),
        ({"/s/1/a~1b": "x"}, False),
        ({"/s": "x"}, False),
        ({"/state/deeper": "x"}, False),
    ],
)
def test_a_body_is_held_against_pointers(expected: dict[str, str], met: bool) -> None:
    assert Expected(json=expected).met_by(200, STATE) is met
    assert not Expected(json=expected).met_by(200, None)


@pytest.mark.parametrize(
    ("statuses", "status", "met"),
    [
        ((), 200, True),
        ((), 299, True),
        ((), 302, False),
        ((), 404, False),
        ((404,), 404, True),
        ((200, 204), 201, False),
    ],
)
def test_a_status_is_one_of_those_named(statuses: tuple[int, ...], status: int, met: bool) -> None:
    assert Expected(status=statuses).met_by(status, None) is met


def test_values_are_filled_into_what_is_expected() -> None:
    spec = request(
        params={"weight": ParamSpec(type="int")},
        expect=Expected(json={"/weight": "{weight}"}),
        expect_not=Expected(json={"/weight": "1{weight}"}),
    )
    filled = spec.fill({"weight": "5"})
    assert filled.expect.met_by(200, {"weight": 5})
    assert filled.expect_not is not None
    assert filled.expect_not.met_by(200, {"weight": 15})


# Rules that name one.


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"name": "drain", "params": {"server": "web"}}, None),
        ({"name": "drian"}, "there is no request `drian` in the configuration; did you mean `drain`?"),
        ({"name": "drain"}, "server: the request drain needs a value for it"),
        ({"name": "drain", "params": {"sever": "x"}}, "sever: the request drain has no such parameter"),
        ({"name": "drain", "params": {"server": "WEB"}}, "server: 'WEB' does not match"),
    ],
)
def test_a_rule_is_told_what_cannot_be_asked_for(params: dict[str, Any], wrong: str | None) -> None:
    spec = request(url=f"{BASE}/{{server}}", params={"server": ParamSpec(pattern="[a-z]+")})
    read = RequestParams(**params)
    found = objection({"drain": spec}, read.name, read.params)
    assert found is None if wrong is None else str(found).startswith(wrong)


def test_a_probe_only_looks_and_has_no_values_of_its_own() -> None:
    probe = request(name="state", method="GET", url=f"{BASE}/{{server}}", params={"server": ANY})
    push = request(name="push", method="POST", undo="nothing")
    drain = request(probe="state", undo="push")
    again = request(name="again", probe="push")
    found = reference_problems({spec.name: spec for spec in (probe, push, drain, again)})
    assert list(found) == [
        ("push", "undo", "there is no request nothing"),
        ("drain", "probe", "state has a parameter server that drain cannot fill"),
        ("again", "probe", "push is a POST; a probe only looks, by GET or HEAD"),
    ]
