"""The check `directory`: whether a backup is there, new and large enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from remediator.world.near import Folder
from tests.unit.checks.given import LOOKS, look
from tests.unit.given import BARE
from tests.unit.still_clock import NOON

if TYPE_CHECKING:
    from remediator.world.simulated import SimulatedWorld

BACKUP = Folder(
    files=3, size=5 << 20, newest="2026/dump.gz", newest_at=NOON - timedelta(hours=26), newest_size=1 << 20
)


@pytest.mark.parametrize(
    ("params", "well"),
    [
        ({}, True),
        ({"newer_than": "27h"}, True),
        ({"newer_than": "25h"}, False),
        ({"at_least": "5MiB"}, True),
        ({"at_least": "6MiB"}, False),
        ({"newer_than": "27h", "at_least": "6MiB"}, False),
    ],
)
async def test_age_and_size(world: SimulatedWorld, params: dict[str, Any], well: bool) -> None:
    world.host.folders["/backup"] = BACKUP
    finding = await look(world, "directory", BARE, path="/backup", **params)
    assert finding.ok is well
    assert finding.summary == ("/backup: 5.0 MiB in 3 files; the newest is 1d2h old (2026/dump.gz, 1.0 MiB)")
    assert finding.facts["age_seconds"] == 26 * 3600


async def test_what_is_not_there_is_not_well(world: SimulatedWorld) -> None:
    finding = await look(world, "directory", path="/backup")
    assert (finding.ok, finding.summary) == (False, "/backup is not there")


async def test_without_a_file_that_is_not_empty_nothing_is_new(world: SimulatedWorld) -> None:
    world.host.folders["/backup"] = Folder(files=2)
    finding = await look(world, "directory", path="/backup", newer_than="1d")
    assert finding.ok is False
    assert finding.summary.endswith("no file that is not empty")


async def test_what_was_not_looked_at_could_be_newer_or_more(world: SimulatedWorld) -> None:
    world.host.folders["/backup"] = replace(BACKUP, complete=False)
    assert (await look(world, "directory", path="/backup", newer_than="25h")).ok is None
    finding = await look(world, "directory", path="/backup", newer_than="27h", at_least="1MB")
    assert finding.ok is True
    assert "at least 5.0 MiB" in finding.summary
    assert finding.text.endswith("Not all of it was looked at.")


async def test_a_file_from_the_future_is_not_called_new(world: SimulatedWorld) -> None:
    world.host.folders["/backup"] = replace(BACKUP, newest_at=NOON + timedelta(days=1))
    finding = await look(world, "directory", path="/backup", newer_than="1h")
    assert finding.ok is None
    assert "from the future" in finding.summary
    world.host.folders["/backup"] = replace(BACKUP, newest_at=NOON + timedelta(seconds=2))
    assert (await look(world, "directory", path="/backup", newer_than="1h")).ok is True


async def test_names_of_files_cannot_move_a_cursor(world: SimulatedWorld) -> None:
    world.host.folders["/backup"] = replace(BACKUP, newest="\x1b[2J")
    finding = await look(world, "directory", path="/backup")
    assert "\x1b" not in finding.summary + finding.text + str(finding.facts["newest"])


@pytest.mark.parametrize("path", ["", "backup", "~/backup", "/backup/../etc", "/a\0b", "{{ labels.path }}"])
def test_what_is_no_absolute_path_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        LOOKS["directory"].params(path=path)
