"""Which container the daemon runs in, read from what the kernel shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remediator.world.own import own_container_id

if TYPE_CHECKING:
    from pathlib import Path

ID = "0123456789abcdef" * 4
OTHER = "f" * 64


def proc(folder: Path, cgroup: str = "0::/\n", mountinfo: str = "") -> Path:
    (folder / "cgroup").write_text(cgroup)
    (folder / "mountinfo").write_text(mountinfo)
    return folder


@pytest.mark.parametrize(
    "cgroup",
    [
        f"12:pids:/docker/{ID}\n11:cpu:/docker/{ID}\n",
        f"0::/system.slice/docker-{ID}.scope\n",
        f"0::/../{ID}\n",
    ],
)
def test_by_control_group(tmp_path: Path, cgroup: str) -> None:
    assert own_container_id(proc(tmp_path, cgroup), hostname="host") == ID


def test_by_the_files_that_the_engine_mounts(tmp_path: Path) -> None:
    mounts = (
        "610 597 0:105 / /proc rw - proc proc rw\n"
        f"699 597 254:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n"
    )
    assert own_container_id(proc(tmp_path, mountinfo=mounts), hostname="host") == ID


def test_mounts_of_other_containers_do_not_count(tmp_path: Path) -> None:
    mounts = f"88 29 0:44 / /var/lib/docker/containers/{OTHER}/mounts/shm rw - tmpfs shm rw\n"
    assert own_container_id(proc(tmp_path, mountinfo=mounts), hostname="host") is None


def test_the_control_group_wins_over_files_of_a_shared_network(tmp_path: Path) -> None:
    mounts = f"1 2 3:4 /lib/docker/containers/{OTHER}/resolv.conf /etc/resolv.conf rw - ext4 d rw\n"
    assert own_container_id(proc(tmp_path, f"0::/docker/{ID}\n", mounts), hostname="h") == ID


def test_by_the_hostname_that_the_engine_gives(tmp_path: Path) -> None:
    assert own_container_id(proc(tmp_path), hostname=ID[:12]) == ID[:12]


@pytest.mark.parametrize("hostname", ["web-1", ID[:11], ID[:13], "ABCDEF012345", ""])
def test_outside_of_a_container(tmp_path: Path, hostname: str) -> None:
    assert own_container_id(proc(tmp_path), hostname=hostname) is None


def test_where_there_is_no_proc(tmp_path: Path) -> None:
    assert own_container_id(tmp_path / "nowhere", hostname="host") is None
