from datetime import timedelta
from pathlib import Path

import pytest

from remediator.config import Config
from remediator.config.fields import Listen
from remediator.decide.policy import Policy, SeverityPolicy
from remediator.model.command import CommandSpec, ParamSpec
from remediator.model.rule import Budget
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Mode, Severity
from tests.unit.config.given import CERTIFICATE, TOKENS, problems, read, secret


def test_a_file_that_says_nothing_means_the_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, "{}")
    assert config.listen == Listen("127.0.0.1", 9098)
    assert config.store == tmp_path / "remediator.db"
    assert config.rules == (tmp_path / "rules",)
    assert config.policy == Policy()
    assert config.engines["local"].host == "unix:///var/run/docker.sock"
    assert (config.services, config.commands, config.alertmanagers, config.prometheus) == ({}, {}, (), None)
    assert config.secrets == frozenset()


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read(tmp_path, "{store: data/x.db, rules: [a, /etc/b, 'c/*.yml'], pause_file: pause}")
    assert config.store == tmp_path / "data" / "x.db"
    assert config.rules == (tmp_path / "a", Path("/etc/b"), tmp_path / "c" / "*.yml")
    assert config.pause_file == tmp_path / "pause"


def test_a_relative_file_keeps_its_paths_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(Path(), "{}").rules == (Path("rules"),)


@pytest.mark.parametrize(
    ("text", "listen", "loopback"),
    [
        ("127.0.0.1:9098", ("127.0.0.1", 9098), True),
        ("localhost:0", ("localhost", 0), True),
        ("'[::1]:80'", ("::1", 80), True),
        ("0.0.0.0:1", ("0.0.0.0", 1), False),
        ("'[::]:1'", ("::", 1), False),
        ("example.com:1", ("example.com", 1), False),
    ],
)
def test_where_to_listen(tmp_path: Path, text: str, listen: tuple[str, int], loopback: bool) -> None:
    config = read(tmp_path, f"listen: {text}\n{TOKENS}")
    assert config.listen == listen
    assert config.listen.loopback is loopback
    assert str(config.listen) == text.strip("'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9098", "expected HOST:PORT, such as 127.0.0.1:9098; this is `9098`"),
        ("localhost", "expected HOST:PORT"),
        ("localhost:http", "expected HOST:PORT"),
        ("localhost:65536", "expected HOST:PORT"),
        ("localhost:²", "expected HOST:PORT"),
        ("':9098'", "name the address to listen on"),
        ("::1:9098", "an IPv6 address stands in brackets: [::1]:9098"),
    ],
)
def test_where_nobody_can_listen(tmp_path: Path, text: str, message: str) -> None:
    (found,) = problems(tmp_path, f"listen: {text}")
    assert found.split(": ", 1)[1].startswith(message)


@pytest.mark.parametrize(
    "tokens",
    [
        "{}",
        "{ingest: [{name: am, file: tokens/ingest}]}",
        "{operators: [{name: alice, file: tokens/alice}]}",
    ],
)
def test_beyond_loopback_only_with_tokens_of_both_kinds(tmp_path: Path, tokens: str) -> None:
    (found,) = problems(tmp_path, f"listen: 0.0.0.0:9098\ntokens: {tokens}")
    assert found.startswith("0.0.0.0: 0.0.0.0:9098 can be reached from other machines: give `tokens`")


def test_the_policy_is_made_of_what_is_written_over_the_defaults(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        mode: approve
        severities:
          P0: {people: 2}
          P2: {mode: shadow, approval_expires: 5m}
        guardrails: {cooldown: 1m, budget: [3/1h], changed_by_others: 0, confirm_within: 90s}
        channels: {oncall: {webhook: {url: http://localhost/x, secret_file: tokens/alice}}}
        """,
    )
    assert config.policy == Policy(
        mode=Mode.APPROVE,
        severities={
            Severity.P0: SeverityPolicy(mode=Mode.APPROVE, people=2),
            Severity.P1: SeverityPolicy(),
            Severity.P2: SeverityPolicy(mode=Mode.SHADOW, approval_expires=timedelta(minutes=5)),
            Severity.P3: SeverityPolicy(),
        },
        cooldown=timedelta(minutes=1),
        budget=(Budget(count=3, window=timedelta(hours=1)),),
        changed_by_others=timedelta(0),
        confirm_within=timedelta(seconds=90),
        channels=("oncall",),
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            "{compose_service: app, project: p}",
            Target(kind=TargetKind.COMPOSE_SERVICE, name="app", project="p"),
        ),
        ("{container: app-1}", Target(kind=TargetKind.CONTAINER, name="app-1")),
        ("{label: 'role=app=1'}", Target(kind=TargetKind.LABEL, name="role=app=1")),
        (
            "{swarm_service: app, engine: far}",
            Target(kind=TargetKind.SWARM_SERVICE, name="app", engine="far"),
        ),
        ("none", Target(kind=TargetKind.NONE)),
    ],
)
def test_a_service_with_its_target(tmp_path: Path, target: str, expected: Target) -> None:
    text = f"engines: {{local: {{}}, far: {{host: 'tcp://h:1'}}}}\nservices: {{app: {{target: {target}}}}}"
    assert read(tmp_path, text).services == {"app": Service(name="app", target=expected)}


def test_a_service_without_a_target_is_the_compose_service_of_its_name(tmp_path: Path) -> None:
    services = read(tmp_path, "services: {app: {}}").services
    assert services["app"].target == Target(kind=TargetKind.COMPOSE_SERVICE, name="app")


def test_a_service_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        services:
          app:
            depends_on: [db]
            failure_domain: rack-7
            owner: core
            min_healthy: 50%
            stakeholders: [research]
            sli: {errors: "rate(x[5m])"}
            health_url: http://app:8000/healthz
          db: {target: none}
        """,
    )
    assert config.services["app"] == Service(
        name="app",
        target=Target(kind=TargetKind.COMPOSE_SERVICE, name="app"),
        depends_on=("db",),
        failure_domain="rack-7",
        owner="core",
        min_healthy="50%",
        stakeholders=("research",),
        sli={"errors": "rate(x[5m])"},
        health_url="http://app:8000/healthz",
    )


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ("{app: {target: {}}}", "{: a target is exactly one of `compose_service`, `container`, `label`, "),
        ("{app: {target: {container: a, label: b=c}}}", "{: a target is exactly one of"),
        ("{app: {target: app}}", "app: expected a mapping or the word `none`, found `app`"),
        ("{app: {target: ~}}", "~: expected a mapping or the word `none`, found null"),
        ("{app: {target: {container: a, project: p}}}", "project: `project` belongs to a `compose_service`"),
        ("{app: {target: {label: role}}}", "role: expected key=value, found `role`"),
        ("{app: {target: {label: =app}}}", "=app: expected key=value, found `=app`"),
        (
            "{app: {target: {container: a, engine: locl}}}",
            "locl: there is no engine `locl` among the `engines`; did you mean `local`?",
        ),
        ("{app: {depends_on: [dbb]}, db: {}}", "dbb: there is no service `dbb`; did you mean `db`?"),
        ("{app: {depends_on: [app]}}", "[: services depend on each other in a circle: app -> app"),
        (
            "{a: {depends_on: [b]}, b: {depends_on: [c]}, c: {depends_on: [b]}}",
            "[: services depend on each other in a circle: b -> c -> b",
        ),
        (
            "{app: {min_healthy: most}}",
            "most: expected a count such as 2, or a share such as 50%; this is `most`",
        ),
        ("{app: {health_url: 'app:8000'}}", "': expected an address such as http://"),
        ("{app: {health_url: 'http://u:p@app/'}}", "': a user name or password is not taken"),
        ("{'a b': {}}", "': `a b` cannot be a name"),
        ("{app: {targt: none}}", "targt: unknown key `targt`; did you mean `target`?"),
    ],
)
def test_a_service_that_cannot_be(tmp_path: Path, services: str, message: str) -> None:
    (found,) = problems(tmp_path, f"services: {services}")
    assert found.startswith(message)


def test_without_an_engine_only_services_without_containers_make_sense(tmp_path: Path) -> None:
    assert read(tmp_path, "engines: {}\nservices: {app: {target: none}}").engines == {}
    (found,) = problems(tmp_path, "engines: {}\nservices: {app: {}}")
    assert found == (
        "app: the service `app` names no target, and there is no engine `local` for the Compose service of "
        "that name; has it no containers? write `target: none`"
    )


def test_a_named_command(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        commands:
          flush:
            argv: [/usr/bin/flush, "--level={level}", "{count}", "{who}"]
            params:
              level: {type: enum, values: [soft, hard], default: soft}
              count: {type: int}
              who: {pattern: "[a-z]+"}
            timeout: 5s
            output_limit: 1KiB
            env: {LANG: C, N: 1}
            probe: flushed
            repeatable: true
          flushed: {argv: [/usr/bin/flushed, "{who}"], params: {who: {}}}
        """,
    )
    assert config.commands["flush"] == CommandSpec(
        name="flush",
        argv=("/usr/bin/flush", "--level={level}", "{count}", "{who}"),
        params={
            "level": ParamSpec(type="enum", values=("soft", "hard"), default="soft"),
            "count": ParamSpec(type="int"),
            "who": ParamSpec(pattern="[a-z]+"),
        },
        timeout=timedelta(seconds=5),
        output_limit=1024,
        env={"LANG": "C", "N": "1"},
        probe="flushed",
        repeatable=True,
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("{argv: []}", "[: expected at least 1 of them, found an empty list"),
        ("{argv: echo hello}", "echo: expected a list, found `echo hello`"),
        ("{argv: [echo]}", "[: command go: argv begins with the absolute path of a program"),
        ("{argv: [/bin/echo, '{who}']}", "[: command go: {who} is not among its params"),
        (
            "{argv: [/bin/echo], params: {who: {}}}",
            "[: command go: the parameter who is used nowhere in argv",
        ),
        ("{argv: [/bin/echo, '{a}'], params: {a: {type: enum}}}", "{: `values` belongs to the type enum"),
        ("{argv: [/bin/echo, '{a}'], params: {a: {pattern: (}}}", "{: the pattern '(' is not RE2"),
        ("{argv: [/bin/echo, '{a}'], params: {a: {default: -x}}}", "{: default: '-x' begins with `-`"),
        ("{argv: [/bin/echo], probe: goo}", "goo: there is no command goo; did you mean `go`?"),
        ("{argv: [/bin/echo], timeout: 0s}", "0s: expected more than 0"),
        ("{argv: [/bin/echo], shell: true}", "shell: unknown key `shell`; expected one of"),
    ],
)
def test_a_command_that_cannot_be_run(tmp_path: Path, command: str, message: str) -> None:
    (found,) = problems(tmp_path, f"commands: {{go: {command}}}")
    assert found.startswith(message)


def test_commands_are_held_against_each_other_only_where_they_are_right(tmp_path: Path) -> None:
    found = problems(
        tmp_path, "commands:\n  a: {argv: [a], probe: b}\n  b: {argv: [b]}\n  c: {argv: [/c], undo: b}\n"
    )
    assert [line.split(":")[1] for line in found] == [" command a", " command b"]


def test_whom_it_asks(tmp_path: Path) -> None:
    secret(tmp_path, "tokens/am", "abc\n")
    secret(tmp_path, "tokens/prom", "pass word\n")
    secret(tmp_path, "ca.pem", CERTIFICATE.read_bytes())
    config = read(
        tmp_path,
        """
        alertmanagers:
          - {url: "http://am:9093/prefix/", token_file: tokens/am, ca_file: ca.pem}
          - {url: "https://[::1]:9093"}
        prometheus: {url: http://prom, username: me, password_file: tokens/prom}
        """,
    )
    first, second = config.alertmanagers
    assert (first.url, first.ca_file) == ("http://am:9093/prefix", tmp_path / "ca.pem")
    assert first.token is not None and first.token.get_secret_value() == "abc"
    assert (second.url, second.token, second.username) == ("https://[::1]:9093", None, None)
    assert config.prometheus is not None and config.prometheus.password is not None
    assert config.prometheus.password.get_secret_value() == "pass word"


@pytest.mark.parametrize(
    ("access", "message"),
    [
        ("{}", "{: the key `url` is missing here"),
        ("{url: am:9093}", "am: this is not a URL such as http://127.0.0.1:9093"),
        ("{url: 'ftp://am'}", "': this is not a URL"),
        ("{url: 'http://am:x'}", "': this is not a URL"),
        ("{url: 'http://am/?a=b'}", "': the address of a server holds no `?`"),
        ("{url: 'http://me:hunter2@am'}", "': credentials do not belong into a URL"),
        ("{url: 'http://am', username: me}", "{: `username` and `password_file` belong together"),
        ("{url: 'http://am', password_file: tokens/alice}", "{: `username` and `password_file` belong"),
        (
            "{url: 'http://am', username: a, password_file: tokens/alice, token_file: tokens/alice}",
            "{: give either `token_file`, or `username`",
        ),
        ("{url: 'http://am', token: hunter2}", "token: unknown key `token`; did you mean `token_file`?"),
    ],
)
def test_whom_it_cannot_ask(tmp_path: Path, access: str, message: str) -> None:
    (found,) = problems(tmp_path, f"prometheus: {access}")
    assert found.startswith(message)
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "engines: {local: {host: /var/run/docker.sock}}",
            "/var/run/docker.sock: expected unix:///PATH or tcp://HOST:PORT",
        ),
        ("engines: {local: {host: 'ssh://h'}}", "': expected unix:///PATH or tcp://HOST:PORT"),
        (
            "engines: {far: {host: 'tcp://h', key_file: tokens/alice}}",
            "{: `cert_file` and `key_file` belong together",
        ),
        (f"engines: {{local: {{ca_file: {CERTIFICATE}}}}}", "{: TLS is for `tcp://`"),
        (
            "prometheus: {url: 'http://h', ca_file: ca.pem}",
            "ca.pem: ca.pem cannot be read: no such file or directory",
        ),
        ("log_level: loud", "loud: expected one of `debug`, `info`, `warning`, `error`, found `loud`"),
        ("mode: fast", "fast: expected one of `auto`, `approve`, `shadow`, found `fast`"),
        ("severities: {P4: {}}", "P4: expected one of `P0`, `P1`, `P2`, `P3`, found `P4`"),
        ("severities: {P0: {people: 0}}", "0: expected at least 1, found `0`"),
        ("limits: {max_body: lots}", "lots: a size is written such as 64KiB, 10MB or a number of bytes"),
        ("drain: 25", "25: '25' is not a duration"),
        ("lissten: x", "lissten: unknown key `lissten`; did you mean `listen`?"),
        ("users: {}", "users: `users` is not supported in this version"),
        ("mode: auto\nmode: shadow", "mode: duplicate key `mode`; it stands in line 1 already"),
        ("channels: {oncall: {slack: {}}}", "slack: `slack` is not supported in this version"),
        (
            "channels: {oncall: {webhok: {}}}",
            "webhok: unknown kind of channel `webhok`; did you mean `webhook`?",
        ),
    ],
)
def test_other_mistakes(tmp_path: Path, text: str, message: str) -> None:
    assert any(found.startswith(message) for found in problems(tmp_path, text))


@pytest.mark.parametrize(
    ("services", "places"),
    [
        (
            "{a: {target: {container: x}}, b: {target: {container: x}}}",
            [
                "{: the service `a` has the same target as `b`",
                "{: the service `b` has the same target as `a`",
            ],
        ),
        (
            "{a: {}, b: {target: {compose_service: a}}}",
            [
                "a: the service `a` has the same target as `b`",
                "{: the service `b` has the same target as `a`",
            ],
        ),
        (
            "{a: {target: {swarm_service: x}}, b: {target: {swarm_service: x, engine: same}}}",
            [
                "{: the service `a` has the same target as `b`",
                "{: the service `b` has the same target as `a`",
            ],
        ),
        (
            "{a: {target: {label: x=y}}, b: {target: {label: x=y}}, c: {target: {label: x=y}}}",
            [
                "{: the service `a` has the same target as `b` and `c`",
                "{: the service `b` has the same target as `a` and `c`",
                "{: the service `c` has the same target as `a` and `b`",
            ],
        ),
    ],
)
def test_one_target_is_one_service(tmp_path: Path, services: str, places: list[str]) -> None:
    text = f"services: {services}\nengines: {{local: {{}}, same: {{}}}}\n"
    assert problems(tmp_path, text) == [f"{place}; one target is one service" for place in places]


def test_the_same_name_on_different_engines_is_not_the_same_target(tmp_path: Path) -> None:
    far = "{host: 'tcp://far:2375'}"
    text = f"""
    engines: {{local: {{}}, far: {far}}}
    services: {{a: {{target: {{container: x}}}}, b: {{target: {{container: x, engine: far}}}}}}
    """
    assert len(read(tmp_path, text).services) == 2


def test_services_without_containers_have_no_target_to_share(tmp_path: Path) -> None:
    assert len(read(tmp_path, "services: {a: {target: none}, b: {target: none}}").services) == 2


def test_a_service_that_is_listed_twice(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "services:\n  a: {}\n  b: {}\n  a: {target: none}\n")
    assert found == "a: duplicate key `a`; it stands in line 2 already"


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "listen: x\nmode: y\nservices: {a: {depends_on: [b]}}\ncommands: {c: {argv: [d]}}\n"
    assert [found.split(" ")[0] for found in problems(tmp_path, text)] == ["x:", "y:", "b:", "[:"]


def test_a_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = read(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        config.mode = Mode.SHADOW


def test_it_can_be_made_without_a_file() -> None:
    assert Config.model_validate({"store": "x.db"}).store == Path("x.db")


def test_how_compose_is_started_begins_with_an_absolute_path(tmp_path: Path) -> None:
    assert read(tmp_path).compose == ("/usr/bin/docker", "compose")
    assert read(tmp_path, "compose: [/opt/docker-compose]").compose == ("/opt/docker-compose",)
    for wrong in ("[docker, compose]", "[]", "docker compose"):
        (found,) = problems(tmp_path, f"compose: {wrong}")
        assert "compose" in found
