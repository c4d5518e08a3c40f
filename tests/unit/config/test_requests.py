"""The section `requests`: what is read from it, and what each mistake in it is told as."""

from __future__ import annotations

import re
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remediator.config import restart_needed
from tests.unit.config.given import CERTIFICATE, TOKENS, problems, read, secret

if TYPE_CHECKING:
    from remediator.model.request import RequestSpec

URL = "http://lb.example.com/servers"


def requests(folder: Path, text: str) -> dict[str, RequestSpec]:
    return read(folder, TOKENS + "requests:\n" + textwrap.indent(textwrap.dedent(text), "  ")).requests


def wrong(folder: Path, entry: str) -> list[str]:
    return problems(folder, "requests:\n  drain:\n" + textwrap.indent(textwrap.dedent(entry), "    "))


def test_everything_that_there_is(tmp_path: Path) -> None:
    secret(tmp_path, "key", "hunter2-key\n")
    spec = requests(
        tmp_path,
        f"""
        drain:
          method: POST
          url: {URL}/{{server}}/weight
          headers: {{X-Team: ml}}
          secret_headers: {{X-Api-Key: key}}
          body: '{{"weight": "{{weight}}"}}'
          params:
            server: {{pattern: "[a-z]+"}}
            weight: {{type: int, default: -1}}
          ca_file: {CERTIFICATE}
          proxy: http://proxy:3128
          timeout: 3s
          retries: {{tries: 2, pause: 5s}}
          repeatable: true
          expect: {{status: [200, 204], json: {{/state: ok}}}}
          probe: state
          undo: drain
        state: {{method: GET, url: {URL}, not: {{status: [404]}}}}
        """,
    )["drain"]
    filled = spec.fill({"server": "web"})
    assert (spec.method, filled.url, filled.body) == ("POST", f"{URL}/web/weight", '{"weight": -1}')
    assert {name: value.get_secret_value() for name, value in spec.secret_headers.items()} == {
        "X-Api-Key": "hunter2-key"
    }
    assert (spec.headers, spec.ca_file, spec.proxy) == (
        {"X-Team": "ml"},
        str(CERTIFICATE),
        "http://proxy:3128",
    )
    assert (spec.tries, spec.pause, spec.longest) == (
        2,
        timedelta(seconds=5),
        timedelta(seconds=11),
    )
    assert (spec.expect.status, spec.expect.json, spec.repeatable) == ((200, 204), {"/state": "ok"}, True)
    assert (spec.probe, spec.undo) == ("state", "drain")


def test_what_is_left_out(tmp_path: Path) -> None:
    found = requests(
        tmp_path, "".join(f"{m.lower()}: {{method: {m}, url: '{URL}'}}\n" for m in ("GET", "PUT", "POST"))
    )
    assert {name: spec.repeatable for name, spec in found.items()} == {
        "get": True,
        "put": True,
        "post": False,
    }
    assert {(spec.tries, spec.timeout, spec.proxy) for spec in found.values()} == {
        (1, timedelta(seconds=10), None)
    }


def test_credentials_are_read_and_none_is_shown(tmp_path: Path) -> None:
    for name in ("token", "password", "key"):
        secret(tmp_path, name, f"hunter2-{name}\n")
    config = read(
        tmp_path,
        f"""{TOKENS}
requests:
  a: {{method: GET, url: '{URL}', token_file: token}}
  b: {{method: GET, url: '{URL}', username: me, password_file: password}}
  c: {{method: GET, url: '{URL}', secret_headers: {{authorization: key}}}}
""",
    )
    sent = {
        name: value.get_secret_value()
        for spec in config.requests.values()
        for name, value in spec.secret_headers.items()
    }
    assert sent == {"Authorization": "Basic bWU6aHVudGVyMi1wYXNzd29yZA==", "authorization": "hunter2-key"}
    assert config.requests["a"].secret_headers["Authorization"].get_secret_value() == "Bearer hunter2-token"
    assert {
        "hunter2-token",
        "hunter2-password",
        "hunter2-key",
        "bWU6aHVudGVyMi1wYXNzd29yZA==",
    } <= config.secrets
    assert "hunter2" not in repr(config) + str(config.model_dump())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (f"url: {URL}", "url: the key `method` is missing here"),
        (f"method: get\nurl: {URL}", "get: expected one of `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`"),
        ("method: GET\nurl: lb/servers", "lb/servers: this is not a URL such as http://127.0.0.1:9093"),
        ("method: GET\nurl: http://lb:none/", "http: this is not a URL such as http://127.0.0.1:9093"),
        ("method: GET\nurl: http://me:x@lb/", "http: credentials do not belong into a URL"),
        (
            "method: GET\nurl: http://{h}/x\nparams: {h: {}}",
            "http: no placeholder may stand in the host or port: a value never says whom to call",
        ),
        (
            f"method: GET\nurl: {URL}?api_token=x",
            "http: `api_token` looks like a secret, and a URL is shown to people: use `secret_headers`",
        ),
        (
            f"method: POST\nurl: {URL}\nbody: '{{no'",
            "': the body is no JSON: Expecting property name",
        ),
        (
            f"method: POST\nurl: {URL}\nretries: {{tries: 3}}",
            "{: a POST is not known to be safe to repeat: say `repeatable: true` if this one is",
        ),
        (f"method: PUT\nurl: {URL}\nretries: {{tries: 11}}", "11: expected at most 10, found `11`"),
        (f"method: GET\nurl: {URL}\nexpect: {{status: [99]}}", "99: expected at least 100, found `99`"),
        (f"method: GET\nurl: {URL}\nexpect: {{code: [200]}}", "code: unknown key `code`; expected one of"),
        (
            f"method: GET\nurl: {URL}\nprobe: stat",
            "stat: there is no request stat",
        ),
        (f"method: GET\nurl: {URL}\nusername: me", "method: `username` and `password_file` belong together"),
        (f"method: GET\nurl: {URL}\ntoken_file: none", "none: none cannot be read: no such file"),
        (f"method: GET\nurl: {URL}\nca_file: none", "none: none cannot be read: no such file"),
        (
            f"method: GET\nurl: {URL}/{{s}}\nparams: {{s: {{pattern: '('}}}}",
            "{: the pattern '(' is not RE2",
        ),
        (f"method: GET\nurl: {URL}\nfollow: true", "follow: unknown key `follow`"),
    ],
)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, entry: str, message: str) -> None:
    (found,) = wrong(tmp_path, entry)
    assert found.startswith(message)


def test_every_mistake_is_told(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        f"""
        requests:
          one: {{method: GET, url: '{URL}#x'}}
          two: {{method: POST, url: '{URL}', retries: {{}}}}
          three: {{method: GET, url: '{URL}', undo: two, probe: five}}
        """,
    )
    assert [message.partition(": ")[2][:24] for message in found] == [
        "expected a URL such as h",
        "a POST is not known to b",
        "there is no request five",
    ]


def test_the_examples_of_the_reference_are_right(tmp_path: Path) -> None:
    for name in ("balancer-token", "flags-key"):
        secret(tmp_path, f"secrets/{name}")
    page = (Path(__file__).parents[3] / "docs" / "reference" / "configuration.md").read_text()
    examples = re.findall(r"```yaml\n(requests:.*?)```", page, re.DOTALL)
    found = {name for text in examples for name in read(tmp_path, TOKENS + text).requests}
    assert found == {"drain", "enable", "server-state", "flag-off", "flag-on"}


def test_a_reload_changes_requests(tmp_path: Path) -> None:
    before = read(tmp_path, TOKENS)
    after = read(tmp_path, f"{TOKENS}\nrequests: {{a: {{method: GET, url: '{URL}'}}}}")
    assert before.requests != after.requests
    assert restart_needed(before, after) == []
