"""What containers and images were made of, as engines tell it."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.model.world import Image, MadeOf, WorldError
from remediator.world.docker.making import image_of, made_of

ID = "sha256:" + "0a" * 32


def inspected(**changed: Any) -> dict[str, Any]:
    return {
        "Config": {"Env": ["PATH=/bin", "URL=a=b", "EMPTY="], "Cmd": ["serve", "--all"]},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}},
        "Mounts": [
            {"Type": "bind", "Source": "/srv/data", "Destination": "/data"},
            {"Type": "volume", "Name": "app_kept", "Source": "/var/lib/x", "Destination": "/kept"},
        ],
        **changed,
    }


def test_what_can_be_compared_is_read() -> None:
    assert made_of(inspected()) == MadeOf(
        env={"PATH": "/bin", "URL": "a=b", "EMPTY": ""},
        command=("serve", "--all"),
        mounts=frozenset({"/srv/data:/data", "app_kept:/kept"}),
        ports=frozenset({"127.0.0.1:8080:80/tcp"}),
    )


def test_nothing_is_told_in_several_ways() -> None:
    bare = inspected(Config={"Env": None, "Cmd": None}, HostConfig={"PortBindings": None}, Mounts=[])
    assert made_of(bare) == MadeOf()
    chosen = inspected(HostConfig={"PortBindings": {"80/tcp": [{"HostPort": ""}], "81/udp": None}})
    assert made_of(chosen).ports == frozenset({"80/tcp"})


def test_an_image_brings_an_environment() -> None:
    assert image_of({"Id": ID, "Config": {"Env": ["PATH=/bin"]}}) == Image(id=ID, env={"PATH": "/bin"})
    assert image_of({"Id": ID, "Config": None}) == Image(id=ID)


@pytest.mark.parametrize("told", [None, [], {"Config": {}}, {"Config": {"Env": "PATH"}, "HostConfig": {}}])
def test_half_an_answer_is_none(told: Any) -> None:
    with pytest.raises(WorldError):
        made_of(told)
    with pytest.raises(WorldError):
        image_of({"Id": "0a"})


def test_values_are_not_shown() -> None:
    assert "hunter2" not in repr(made_of(inspected(Config={"Env": ["TOKEN=hunter2"]})))
