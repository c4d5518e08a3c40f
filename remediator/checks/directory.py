"""The check `directory`: how large a directory is and how old its newest file, such as the last backup."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints

from remediator.checks.base import Look
from remediator.checks.texts import size
from remediator.model.duration import format_duration
from remediator.model.params import Params
from remediator.model.text import counted, harmless
from remediator.model.world import Finding
from remediator.reading.fields import Positive, Size  # noqa: TC001 - pydantic needs it

if TYPE_CHECKING:
    from remediator.model.service import Service
    from remediator.world.base import World
    from remediator.world.near import Folder

AHEAD = timedelta(minutes=5)
"""A file may be so much newer than now; one that is more says nothing of its age."""


def absolute(path: str) -> str:
    """The path. ValueError if it is not an absolute one without `..`."""
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise ValueError(f"expected an absolute path without `..`; this is `{path[:100]}`")
    return path


AbsolutePath = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(absolute)]


class DirectoryParams(Params):
    """Parameters of the check `directory`."""

    path: AbsolutePath = Field(description="The directory, as the daemon sees it.")
    newer_than: Positive | None = Field(
        default=None, description="How old the newest file that is not empty may be."
    )
    at_least: Annotated[Size, PlainSerializer(str, when_used="json")] = Field(
        default=0, description="How large all files together must be."
    )


class DirectoryLook(Look[DirectoryParams]):
    """Look at a directory of the daemon's own machine."""

    name = "directory"
    params = DirectoryParams
    needs_containers = False

    async def see(self, service: Service, params: DirectoryParams, world: World) -> Finding:
        """Well is: it is there, new enough and large enough."""
        found, path = await world.host.folder(params.path), harmless(params.path)
        if found is None:
            return Finding(check=self.name, ok=False, summary=f"{path} is not there", facts={"files": None})
        age = None if found.newest_at is None else world.clock.now() - found.newest_at
        newest = "no file that is not empty" if found.newest is None or age is None else _newest(found, age)
        more = "" if found.complete else "at least "
        told = f"{path}: {more}{size(found.size)} in {counted(found.files, 'file')}; {newest}"
        return Finding(
            check=self.name,
            ok=_well(params, found, age),
            summary=told,
            text=f"{told}\nAs the daemon sees it, links not followed."
            + ("" if found.complete else " Not all of it was looked at."),
            facts={
                "files": found.files,
                "bytes": found.size,
                "complete": found.complete,
                "newest": found.newest and harmless(found.newest),
                "newest_bytes": found.newest_size,
                "age_seconds": None if age is None else round(age.total_seconds(), 3),
            },
        )


def _newest(found: Folder, age: timedelta) -> str:
    name = harmless(found.newest or "", limit=200)
    told = "from the future" if age < -AHEAD else f"{_rough(max(age, timedelta(0)))} old"
    return f"the newest is {told} ({name}, {size(found.newest_size)})"


def _rough(age: timedelta) -> str:
    return format_duration(timedelta(seconds=int(age.total_seconds())))


def _well(params: DirectoryParams, found: Folder, age: timedelta | None) -> bool | None:
    if params.newer_than is not None and age is not None and age < -AHEAD:
        return None
    new = params.newer_than is None or (age is not None and age <= params.newer_than)
    # What was not looked at could be newer and more, never less.
    return True if new and found.size >= params.at_least else False if found.complete else None
