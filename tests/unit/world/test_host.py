"""The machine at hand: `/proc` as the kernel writes it, file systems, and walks through directories."""

from __future__ import annotations

import ipaddress
import os
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.model.world import WorldError
from remediator.world import host as host_module
from remediator.world.host import LocalHost
from remediator.world.near import Disk, Memory, Socket
from tests.unit.still_clock import StillClock

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def socket_line(address: str, port: int, state: str) -> str:
    """As the kernel writes it: each four bytes as a number of the machine's own byte order."""
    packed = ipaddress.ip_address(address).packed
    words = "".join(f"{word:08X}" for word in struct.unpack(f"={len(packed) // 4}I", packed))
    return f"   0: {words}:{port:04X} 00000000:0000 {state} 0:0 00:00000000 00000000     0        0 1 1\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    net = tmp_path / "proc" / "self" / "net"
    net.mkdir(parents=True)
    proc = tmp_path / "proc"
    (proc / "meminfo").write_text(
        "MemTotal: 16 kB\nMemFree: 1 kB\nMemAvailable: 8 kB\n"
        "SwapTotal: 4 kB\nSwapFree: 3 kB\nHugePages_Total: 0\n"
    )
    (proc / "loadavg").write_text("0.50 1.25 2.00 1/234 5678\n")
    (net / "tcp").write_text(
        HEAD
        + socket_line("127.0.0.1", 8080, "0A")
        + socket_line("127.0.0.1", 8081, "01")
        + socket_line("0.0.0.0", 22, "0A")
    )
    (net / "tcp6").write_text(HEAD + socket_line("::1", 80, "0A"))
    (net / "udp").write_text(HEAD + socket_line("0.0.0.0", 53, "07"))
    return proc


async def test_sockets_that_listen(proc: Path) -> None:
    seen = await LocalHost(SystemClock(), proc=proc).machine([])
    assert seen.sockets == (
        Socket(22, "tcp", "0.0.0.0"),
        Socket(53, "udp", "0.0.0.0"),
        Socket(80, "tcp", "::1"),
        Socket(8080, "tcp", "127.0.0.1"),
    )


async def test_memory_and_load(proc: Path) -> None:
    seen = await LocalHost(SystemClock(), proc=proc).machine([])
    assert seen.memory == Memory(total=16384, available=8192, swap_total=4096, swap_free=3072)
    assert seen.load == (0.5, 1.25, 2.0)


async def test_what_cannot_be_read_is_none(tmp_path: Path, proc: Path) -> None:
    seen = await LocalHost(SystemClock(), proc=tmp_path / "none").machine([])
    assert (seen.memory, seen.load, seen.sockets) == (None, None, None)
    (proc / "loadavg").write_text("nonsense\n")
    (proc / "meminfo").write_text("MemTotal: 16 kB\n")
    (proc / "self" / "net" / "udp").write_text(HEAD + "nonsense\n")
    seen = await LocalHost(SystemClock(), proc=proc).machine([])
    assert (seen.memory, seen.load, seen.sockets) == (None, None, None)


async def test_disks_by_path(tmp_path: Path) -> None:
    host = LocalHost(SystemClock())
    seen = (await host.machine([str(tmp_path), "/nowhere", str(tmp_path)])).disks
    assert list(seen) == [str(tmp_path), "/nowhere"]
    disk = seen[str(tmp_path)]
    assert isinstance(disk, Disk)
    assert 0 <= disk.free <= disk.size
    assert seen["/nowhere"] == "No such file or directory"


async def test_a_mark_tells_of_a_container(tmp_path: Path, proc: Path) -> None:
    mark = tmp_path / "mark"
    host = LocalHost(SystemClock(), proc=proc, marks=[mark])
    assert not (await host.machine([])).contained
    mark.touch()
    assert (await host.machine([])).contained


async def test_the_real_machine() -> None:
    seen = await LocalHost(SystemClock()).machine(["/"])
    assert seen.memory is not None
    assert 0 < seen.memory.available <= seen.memory.total
    assert seen.load is not None
    assert seen.sockets is not None


# Directories.


def file(path: Path, size: int, at: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (at, at))


async def test_a_directory_and_all_below(tmp_path: Path) -> None:
    file(tmp_path / "old", 10, 1000)
    file(tmp_path / "a" / "b" / "new", 20, 2000)
    file(tmp_path / "empty", 0, 3000)
    seen = await LocalHost(SystemClock()).folder(str(tmp_path))
    assert seen is not None
    assert (seen.files, seen.size, seen.complete) == (3, 30, True)
    assert (seen.newest, seen.newest_size) == ("a/b/new", 20)
    assert seen.newest_at == datetime.fromtimestamp(2000, UTC)


async def test_links_are_not_followed(tmp_path: Path) -> None:
    file(tmp_path / "outside" / "file", 10, 1000)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "loop").symlink_to(inside)
    (inside / "out").symlink_to(tmp_path / "outside")
    (inside / "file").symlink_to(tmp_path / "outside" / "file")
    os.mkfifo(inside / "pipe")
    seen = await LocalHost(SystemClock()).folder(str(inside))
    assert seen is not None
    assert (seen.files, seen.newest, seen.newest_at, seen.complete) == (0, None, None, True)


async def test_a_single_file(tmp_path: Path) -> None:
    file(tmp_path / "dump", 10, 1000)
    seen = await LocalHost(SystemClock()).folder(str(tmp_path / "dump"))
    assert seen is not None
    assert (seen.files, seen.size) == (1, 10)


async def test_nothing_there(tmp_path: Path) -> None:
    assert await LocalHost(SystemClock()).folder(str(tmp_path / "none")) is None


async def test_a_walk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        file(tmp_path / str(number), 1, 1000)
    monkeypatch.setattr(host_module, "MAX_ENTRIES", 5)
    seen = await LocalHost(SystemClock()).folder(str(tmp_path))
    assert seen is not None
    assert (seen.files, seen.complete) == (5, False)


class _Hurried(StillClock):
    """A clock on which every look at it takes three seconds."""

    def monotonic(self) -> float:
        self.advance(3)
        return super().monotonic()


async def test_a_walk_ends_in_time(tmp_path: Path) -> None:
    for number in range(10):
        file(tmp_path / str(number), 1, 1000)
    seen = await LocalHost(_Hurried()).folder(str(tmp_path))
    assert seen is not None
    assert (seen.files, seen.complete) == (1, False)


async def test_a_path_through_a_file_cannot_be_read(tmp_path: Path) -> None:
    file(tmp_path / "file", 1, 1000)
    with pytest.raises(WorldError, match="cannot be read: Not a directory"):
        await LocalHost(SystemClock()).folder(str(tmp_path / "file" / "below"))
