"""Changes of rule files are noticed wherever they happen, and read when there is something new in them."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.engine import watching
from remediator.engine.watching import OnDisk, Watcher, places_of
from tests.lab.wait import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


def written(file: Path, text: str = "groups: []\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def renamed_over(file: Path, text: str) -> None:
    written(file.with_name(".new"), text).rename(file)


def swapped(link: Path, target: str) -> None:
    new = link.with_name("..new")
    new.symlink_to(target)
    new.rename(link)


# ---- where to watch


def watched(folder: Path, *paths: str) -> set[str]:
    places = places_of([folder / path for path in paths])
    return {str(place.relative_to(folder)) for place in places.watched if place.is_relative_to(folder)}


def test_files_and_directories_are_watched_themselves(tmp_path: Path) -> None:
    written(tmp_path / "remediator.yml")
    written(tmp_path / "rules" / "a.yml")
    assert watched(tmp_path, "remediator.yml", "rules") == {"remediator.yml", "rules"}


def test_links_are_watched_where_they_lie(tmp_path: Path) -> None:
    written(tmp_path / "releases" / "7" / "rules" / "a.yml")
    (tmp_path / "releases" / "latest").symlink_to("7")
    (tmp_path / "current").symlink_to(tmp_path / "releases" / "latest")
    assert watched(tmp_path, "current/rules") == {".", "releases", "releases/7/rules"}


def test_of_a_mounted_config_map_the_link_that_is_swapped(tmp_path: Path) -> None:
    written(tmp_path / "rules" / "..v1" / "a.yml")
    (tmp_path / "rules" / "..data").symlink_to("..v1")
    (tmp_path / "rules" / "a.yml").symlink_to("..data/a.yml")
    places = places_of([tmp_path / "rules"])
    assert tmp_path / "rules" / "..data" in places.names
    assert places.watched == {tmp_path / "rules", tmp_path / "rules" / "..v1" / "a.yml"}


def test_of_what_is_gone_the_nearest_that_is_there(tmp_path: Path) -> None:
    places = places_of([tmp_path / "one" / "rules"])
    assert places.watched == {tmp_path}
    assert tmp_path / "one" in places.names


def test_of_a_pattern_its_root_and_where_files_are(tmp_path: Path) -> None:
    written(tmp_path / "teams" / "db" / "rules" / "a.yml")
    assert watched(tmp_path, "teams/*/rules/*.yml") == {"teams", "teams/db/rules"}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert places_of([tmp_path / "a" / "rules"]).watched == {tmp_path}


# ---- whether there is something new


@pytest.fixture
def disk(tmp_path: Path) -> OnDisk:
    disk = OnDisk(written(tmp_path / "remediator.yml", "rules: [rules]\n"))
    written(tmp_path / "rules" / "a.yml")
    disk.rules = [tmp_path / "rules"]
    disk.last_read = disk.content()
    return disk


def test_what_was_only_touched_is_not_new(tmp_path: Path, disk: OnDisk) -> None:
    before = disk.stamp()
    renamed_over(tmp_path / "rules" / "a.yml", "groups: []\n")
    assert (disk.stamp() != before, disk.changed()) == (True, False)


@pytest.mark.parametrize("what", ["rules/a.yml", "rules/b.yml", "remediator.yml"])
def test_what_was_written_or_added_is_new(tmp_path: Path, disk: OnDisk, what: str) -> None:
    written(tmp_path / what, "groups: [] # new\n")
    assert disk.changed()


def test_what_is_gone_is_new_and_what_is_back_is_not(tmp_path: Path, disk: OnDisk) -> None:
    (tmp_path / "rules").rename(tmp_path / "away")
    assert disk.changed()
    disk.last_read = disk.content()
    (tmp_path / "away").rename(tmp_path / "rules")
    assert disk.changed()


@pytest.mark.parametrize("name", ["x.test.yml", ".a.yml.swp", "notes.txt", ".git/config.yml"])
def test_what_is_no_rule_file_is_not_new(tmp_path: Path, disk: OnDisk, name: str) -> None:
    written(tmp_path / "rules" / name)
    assert not disk.changed()


# ---- watching


class Watched:
    """A watcher of real files, which hears of changes only from the system."""

    def __init__(self, disk: OnDisk) -> None:
        self.disk = disk
        self.seconds: float | None = 3600.0
        self.reloads = 0
        self._news = asyncio.Event()
        self.watcher = Watcher(disk, SystemClock(), seconds=lambda: self.seconds, reload=self._reload)

    async def _reload(self, patience: float) -> None:
        assert patience
        self.disk.last_read = self.disk.content()
        self.reloads += 1
        self._news.set()

    async def reloaded_after(self, change: Callable[[], object]) -> None:
        await until(lambda: self.watcher._seen is not None, 20, "the watcher to listen")
        self._news.clear()
        change()
        async with asyncio.timeout(20):
            await self._news.wait()


@pytest.fixture
async def here(disk: OnDisk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    monkeypatch.setattr(watching, "SETTLE", 0.01)
    here = Watched(disk)
    task = asyncio.create_task(here.watcher.run())
    yield here
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_every_way_to_write_is_noticed(tmp_path: Path, here: Watched) -> None:
    a = tmp_path / "rules" / "a.yml"
    config = tmp_path / "remediator.yml"
    for number, change in enumerate(
        (
            lambda: written(a, "groups: [] # rewritten\n"),
            lambda: renamed_over(a, "groups: [] # renamed\n"),
            lambda: written(tmp_path / "rules" / "b.yml"),
            lambda: (tmp_path / "rules" / "b.yml").unlink(),
            lambda: written(config, "rules: [rules] # rewritten\n"),
            lambda: renamed_over(config, "rules: [rules] # renamed\n"),
            lambda: written(config, "rules: [rules] # again\n"),
        ),
        1,
    ):
        await here.reloaded_after(change)
        assert here.reloads == number


async def test_a_directory_that_vanishes_and_comes_back_is_noticed(tmp_path: Path, here: Watched) -> None:
    rules = tmp_path / "rules"
    await here.reloaded_after(lambda: shutil.rmtree(rules))
    await here.reloaded_after(lambda: written(rules / "a.yml"))
    await here.reloaded_after(lambda: written(rules / "a.yml", "groups: [] # new\n"))
    await here.reloaded_after(lambda: rules.rename(tmp_path / "away"))
    await here.reloaded_after(lambda: (tmp_path / "away").rename(rules))


async def test_links_that_are_swapped_are_noticed(tmp_path: Path, here: Watched) -> None:
    def config_map() -> None:
        shutil.rmtree(tmp_path / "rules")
        written(tmp_path / "rules" / "..v1" / "a.yml", "groups: [] # 1\n")
        written(tmp_path / "rules" / "..v2" / "a.yml", "groups: [] # 2\n")
        (tmp_path / "rules" / "..data").symlink_to("..v1")
        (tmp_path / "rules" / "a.yml").symlink_to("..data/a.yml")

    await here.reloaded_after(config_map)
    await here.reloaded_after(lambda: swapped(tmp_path / "rules" / "..data", "..v2"))
    await here.reloaded_after(lambda: swapped(tmp_path / "rules" / "..data", "..v1"))


async def test_nothing_is_read_while_nothing_is_to_be_watched(disk: OnDisk, tmp_path: Path) -> None:
    here = Watched(disk)
    here.seconds = None
    slept = asyncio.Event()

    class Sleeping(SystemClock):
        async def sleep(self, seconds: float) -> None:
            slept.set()
            await asyncio.Event().wait()

    here.watcher = Watcher(disk, Sleeping(), seconds=lambda: here.seconds, reload=here._reload)
    written(tmp_path / "rules" / "a.yml", "groups: [] # new\n")
    task = asyncio.create_task(here.watcher.run())
    await slept.wait()
    task.cancel()
    assert here.reloads == 0


async def test_where_the_system_tells_nothing_files_are_looked_at(
    disk: OnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*_: object, **__: object) -> AsyncIterator[set[object]]:
        raise OSError(28, "No space left on device")
        yield set()

    monkeypatch.setattr(watching, "awatch", deaf)
    monkeypatch.setattr(watching, "SETTLE", 0.0)
    here = Watched(disk)
    here.seconds = 0.01
    task = asyncio.create_task(here.watcher.run())
    await here.reloaded_after(lambda: written(tmp_path / "rules" / "a.yml", "groups: [] # new\n"))
    task.cancel()
