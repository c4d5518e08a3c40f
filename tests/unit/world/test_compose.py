"""Compose as a program: where its files are, what it answers, and all the ways in which it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remediator.model.words import Reason
from remediator.model.world import TargetError, WorldError
from remediator.world import compose
from remediator.world.base import CommandNotStarted
from remediator.world.commands import NamedCommands
from remediator.world.compose import CONFIG_FILES, ENVIRONMENT_FILE, WORKING_DIR, ComposeCli, project_of
from tests.unit.still_clock import StillClock

if TYPE_CHECKING:
    from pathlib import Path

    from remediator.world.compose import ComposeProject

PROJECT = "com.docker.compose.project"


def labels(directory: Path, **changed: str) -> dict[str, str]:
    file = directory / "compose.yml"
    file.touch()
    return {PROJECT: "app", WORKING_DIR: str(directory), CONFIG_FILES: str(file), **changed}


def project(directory: Path) -> ComposeProject:
    return project_of(labels(directory), "local")


def cli(directory: Path, script: str, hosts: dict[str, str] | None = None) -> ComposeCli:
    """Compose, played by a shell script."""
    program = directory / "played"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    commands = NamedCommands({}, StillClock(), instance="tests")
    hosts = {"local": "unix:///d.sock"} if hosts is None else hosts
    return ComposeCli([str(program), "compose"], hosts, commands, {"HOME": "/nowhere"})


# Where a project is written down.


def test_the_labels_tell_where_the_files_are(tmp_path: Path) -> None:
    other, env = tmp_path / "other.yml", tmp_path / "prod.env"
    other.touch()
    env.touch()
    listed = f"{tmp_path}/compose.yml,{other}"
    found = project_of(labels(tmp_path) | {CONFIG_FILES: listed, ENVIRONMENT_FILE: str(env)}, "local")
    assert found.files == (f"{tmp_path}/compose.yml", str(other))
    assert (found.name, found.directory, found.env_files) == ("app", str(tmp_path), (str(env),))


@pytest.mark.parametrize("name", ["", "--rm", "a b", "../x"])
def test_what_compose_did_not_name_is_no_project(tmp_path: Path, name: str) -> None:
    with pytest.raises(TargetError) as caught:
        project_of(labels(tmp_path) | {PROJECT: name}, "local")
    assert caught.value.reason is Reason.NOT_ALLOWED


@pytest.mark.parametrize("label", [CONFIG_FILES, WORKING_DIR])
@pytest.mark.parametrize("path", ["", "-", "--rm", "compose.yml", "/nowhere/compose.yml"])
def test_files_out_of_reach_are_refused_with_the_remedy(tmp_path: Path, label: str, path: str) -> None:
    with pytest.raises(TargetError, match="under the same path") as caught:
        project_of(labels(tmp_path) | {label: path}, "local")
    assert caught.value.lasting


# What it answers.


async def test_it_is_asked_without_the_environment_of_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAG", "of-the-daemon")
    script = (
        """printf '{"services": {}, "env": "%s %s %s", "argv": "%s"}' "$TAG" "$HOME" "$DOCKER_HOST" "$*" """
    )
    told = await cli(tmp_path, script).config(project(tmp_path))
    assert told["env"] == " /nowhere unix:///d.sock"
    assert told["argv"] == (
        f"compose --ansi never --project-name app --project-directory {tmp_path} "
        f"--file {tmp_path}/compose.yml --profile * config --format json"
    )


async def test_hashes_are_of_the_configuration_that_is_given(tmp_path: Path) -> None:
    script = """read -r all; [ "$all" = '{"services": {"web": {}}}' ] && echo web 0a1b && echo db 2c"""
    found = await cli(tmp_path, script).hashes(project(tmp_path), {"services": {"web": {}}})
    assert found == {"web": "0a1b", "db": "2c"}


async def test_a_file_that_no_longer_parses_is_no_target(tmp_path: Path) -> None:
    played = cli(tmp_path, "echo 'yaml: line 3: did not find PASSWORD=hunter2secret' >&2; exit 15")
    with pytest.raises(TargetError, match="line 3") as caught:
        await played.config(project(tmp_path))
    assert "hunter2secret" not in caught.value.detail
    assert caught.value.lasting


@pytest.mark.parametrize("answer", ["", "no json", "[]", '{"services": []}'])
async def test_nonsense_is_not_understood(tmp_path: Path, answer: str) -> None:
    with pytest.raises(WorldError):
        await cli(tmp_path, f"echo '{answer}'").config(project(tmp_path))


async def test_an_answer_without_an_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "ANSWER_BYTES", 100_000)
    with pytest.raises(WorldError, match="100000 bytes"):
        await cli(tmp_path, "exec yes").config(project(tmp_path))


async def test_one_that_does_not_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "ASK_SECONDS", 0.05)
    with pytest.raises(WorldError, match=r"0\.05 s"):
        await cli(tmp_path, "sleep 600").config(project(tmp_path))


async def test_one_that_is_not_there_is_told_with_the_remedy(tmp_path: Path) -> None:
    nowhere = ComposeCli(
        ["/nowhere/docker"], {"local": "x"}, NamedCommands({}, StillClock(), instance="t"), {}
    )
    with pytest.raises(WorldError, match="under `compose`"):
        await nowhere.config(project(tmp_path))
    with pytest.raises(CommandNotStarted):
        await nowhere.up(project(tmp_path), "web", scale=1, recreate=True)


async def test_an_engine_that_it_cannot_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="engine local"):
        await cli(tmp_path, "", hosts={}).config(project(tmp_path))


# What it does.


@pytest.mark.parametrize(("recreate", "how"), [(True, "--force-recreate"), (False, "--no-recreate")])
async def test_up_touches_one_service_and_never_builds_or_pulls(
    tmp_path: Path, recreate: bool, how: str
) -> None:
    done = await cli(tmp_path, 'echo "$*"; exit 3').up(
        project(tmp_path), "web", scale=2, recreate=recreate, attempt=1
    )
    assert done.exit_code == 3
    assert done.output.strip() == (
        f"compose --ansi never --project-name app --project-directory {tmp_path} "
        f"--file {tmp_path}/compose.yml up --detach --no-deps --no-build --pull never {how} "
        "--scale web=2 -- web"
    )


def test_a_service_named_like_an_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError):
        cli(tmp_path, "").argv(project(tmp_path), "--rm", scale=1, recreate=True)
