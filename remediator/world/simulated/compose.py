"""Docker Compose over engines in memory: files that say what runs, until somebody changes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from remediator.model.world import MadeOf, WorldError
from remediator.world.base import CommandResult
from remediator.world.compose import ComposeProject
from remediator.world.labels import COMPOSE_CONFIG_HASH, COMPOSE_NUMBER, COMPOSE_PROJECT, COMPOSE_SERVICE
from remediator.world.simulated.containers import hash_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.model.words import Json
    from remediator.world.simulated.containers import Box
    from remediator.world.simulated.engine import SimulatedEngine


class SimulatedCompose:
    """The face of `Compose`, and hands to edit the files and to let it fail."""

    def __init__(self, engines: Mapping[str, SimulatedEngine]) -> None:
        self._engines = engines
        self.says: dict[str, dict[str, dict[str, Json]]] = {}
        """Project -> service -> what its files say of it; a project that is not in here is as it runs."""
        self.fails: str | None = None
        """What it says before it fails, having done nothing; None while it does as it should."""
        self.ups: list[str] = []
        """The services that it was asked to bring up, in order."""

    def project(self, labels: Mapping[str, str], engine: str) -> ComposeProject:
        """Its files are wherever they are."""
        return ComposeProject(
            name=labels.get(COMPOSE_PROJECT, ""), engine=engine, directory="/", files=("/compose.yml",)
        )

    async def config(self, project: ComposeProject) -> dict[str, Json]:
        """What the files say."""
        said = self.says.get(project.name)
        if said is None:
            said = {
                box.seen.labels[COMPOSE_SERVICE]: {"image": box.seen.image}
                for box in self._boxes(project)
                if COMPOSE_SERVICE in box.seen.labels
            }
        return {"name": project.name, "services": {name: dict(entry) for name, entry in said.items()}}

    async def hashes(self, project: ComposeProject, config: Mapping[str, Json]) -> dict[str, str]:
        """Of each service."""
        return {name: hash_of(entry) for name, entry in config["services"].items()}

    async def up(
        self,
        project: ComposeProject,
        service: str,
        *,
        scale: int,
        recreate: bool,
        attempt: int | None = None,
    ) -> CommandResult:
        """Done at once, or not at all."""
        self.ups.append(service)
        if self.fails is not None:
            return _ended(1, self.fails)
        entry = (await self.config(project))["services"].get(service)
        if entry is None:
            return _ended(1, f"no such service: {service}")
        self._bring_up(project, service, entry, scale, recreate)
        return _ended(0)

    def argv(self, project: ComposeProject, service: str, *, scale: int, recreate: bool) -> tuple[str, ...]:
        """Nothing that could be run."""
        return ("compose", project.name, "up", service)

    def _bring_up(
        self, project: ComposeProject, service: str, entry: dict[str, Json], scale: int, recreate: bool
    ) -> None:
        engine, image = self._engine(project), str(entry["image"])
        made = {key: value for key, value in entry.items() if key != "depends_on"}
        labels = {COMPOSE_PROJECT: project.name, COMPOSE_SERVICE: service, COMPOSE_CONFIG_HASH: hash_of(made)}
        there = [b for b in self._boxes(project) if b.seen.labels.get(COMPOSE_SERVICE) == service]
        for box in there[scale:]:
            engine.remove_by_hand(box.seen.name)
        for box in there[:scale] if recreate else ():
            box = engine.boxes[engine.recreate_by_hand(box.seen.name, image)]
            box.seen = replace(box.seen, labels={**box.seen.labels, **labels})
            box.made_of = MadeOf(env=dict(entry.get("environment") or {}))
        for number in range(len(there) + 1, scale + 1):
            numbered = {**labels, COMPOSE_NUMBER: str(number)}
            engine.create_by_hand(f"{project.name}-{service}-{number}", labels=numbered, image=image)

    def _boxes(self, project: ComposeProject) -> list[Box]:
        boxes = self._engine(project).boxes.values()
        return [box for box in boxes if box.seen.labels.get(COMPOSE_PROJECT) == project.name]

    def _engine(self, project: ComposeProject) -> SimulatedEngine:
        try:
            return self._engines[project.engine]
        except KeyError:
            raise WorldError(f"there is no engine {project.engine}") from None


def _ended(code: int, said: str = "") -> CommandResult:
    return CommandResult(
        exit_code=code, output=said, output_bytes=len(said.encode()), seconds=0.0, timed_out=False
    )
