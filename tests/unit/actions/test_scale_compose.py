"""`scale` of a Compose service: what is refused, and what becomes of it when Compose fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from remediator.actions.scale import Scale
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from remediator.world.base import CommandNotStarted, CommandResult, Survivor
from remediator.world.compose import CONFIG_FILES, WORKING_DIR, ComposeProject
from remediator.world.labels import COMPOSE_CONFIG_HASH
from tests.unit.given import COMPOSE, intent, pass_deadline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from remediator.model.words import Json
    from remediator.world.simulated import SimulatedWorld

SCALE = Scale()


@dataclass
class PlayedCompose:
    """Compose over the simulated engine: as it would do it, or as it is told to fail."""

    world: SimulatedWorld
    labels: dict[str, str]
    entry: dict[str, Any] = field(default_factory=dict)
    made_of: str = "0a1b"
    makes: int = 100
    """So many containers at most; then it fails."""
    not_started: bool = False
    hangs: bool = False
    asked: list[int] = field(default_factory=list)

    async def config(self, project: ComposeProject) -> dict[str, Json]:
        return {"services": {"web": self.entry}}

    async def hashes(self, project: ComposeProject, config: Mapping[str, Json]) -> dict[str, str]:
        alone = "depends_on" in self.entry and "depends_on" not in config["services"]["web"]
        return {"web": f"{self.made_of}-alone" if alone else self.made_of}

    async def up(
        self,
        project: ComposeProject,
        service: str,
        *,
        scale: int,
        recreate: bool,
        attempt: int | None = None,
    ) -> CommandResult:
        assert not recreate
        if self.not_started:
            raise CommandNotStarted("no such program")
        self.asked.append(scale)
        boxes = self.world.docker.boxes
        there = [id_ for id_, box in boxes.items() if box.seen.labels.items() >= self.labels.items()]
        for id_ in there[scale:]:
            del boxes[id_]
        for number in range(len(there) + 1, min(scale, self.makes) + 1):
            self.world.docker.add_container(f"app-web-{number}", labels=self.labels)
        code = 1 if scale > self.makes else 0
        return CommandResult(
            exit_code=None if self.hangs else code,
            output="no space left on device" if code else "",
            output_bytes=0,
            seconds=1,
            timed_out=self.hangs,
        )

    def argv(self, project: ComposeProject, service: str, *, scale: int, recreate: bool) -> tuple[str, ...]:
        return ("compose", "up", f"{service}={scale}")


@pytest.fixture
def compose(world: SimulatedWorld, tmp_path: Path) -> PlayedCompose:
    """Two containers of the service `web` and Compose."""
    file = tmp_path / "compose.yml"
    file.touch()
    own = {WORKING_DIR: str(tmp_path), CONFIG_FILES: str(file), COMPOSE_CONFIG_HASH: "0a1b"}
    ids = world.docker.add_compose_service("web", replicas=2, labels=own)
    return PlayedCompose(world, world.docker.boxes[ids[0]].seen.labels)


def able(compose: PlayedCompose) -> SimulatedWorld:
    return replace(compose.world, compose=compose)


def count(compose: PlayedCompose) -> int:
    return len(compose.world.docker.boxes)


async def test_the_plan_pins_the_numbers_and_what_the_files_say(compose: PlayedCompose) -> None:
    plan = await SCALE.plan(COMPOSE, {"by": "+1", "max": 4}, able(compose))
    (operation,) = plan.operations
    assert (operation.object_id, operation.change) == ("app/web", {"from": 2, "to": 3, "made_of": ["0a1b"]})
    assert plan.summary == "scale app-web from 2 to 3 replicas"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"container_name": "web"}, "fixed name web"),
        ({"ports": [{"target": 80, "published": "8080"}]}, "fixed host port 8080"),
        ({"network_mode": "host"}, "network of the host"),
        ({"networks": {"back": {"ipv4_address": "10.0.0.9"}}}, "fixed address in the network back"),
    ],
)
async def test_what_can_be_there_only_once_is_refused(
    compose: PlayedCompose, entry: dict[str, Any], told: str
) -> None:
    compose.entry = entry
    with pytest.raises(TargetError, match=told) as caught:
        await SCALE.plan(COMPOSE, {"replicas": 3}, able(compose))
    assert caught.value.reason is Reason.NOT_SCALABLE


async def test_ports_that_the_engine_chooses_are_no_obstacle(compose: PlayedCompose) -> None:
    compose.entry = {
        "ports": [{"target": 80}, {"target": 81, "published": "8000-8010"}],
        "networks": {"back": None},
    }
    assert await SCALE.plan(COMPOSE, {"replicas": 3}, able(compose))


async def test_without_compose_or_with_one_that_is_stopped_it_is_refused(compose: PlayedCompose) -> None:
    with pytest.raises(TargetError, match="under `compose`"):
        await SCALE.plan(COMPOSE, {"replicas": 3}, replace(compose.world, compose=None))
    compose.world.docker.stop_by_hand("app-web-2")
    with pytest.raises(TargetError, match="app-web-2 does not run"):
        await SCALE.plan(COMPOSE, {"replicas": 3}, able(compose))


async def test_more_containers_beside_those_that_are_there(compose: PlayedCompose) -> None:
    world = able(compose)
    operation, attempt = intent(await SCALE.plan(COMPOSE, {"replicas": 4}, world), world)
    result = await SCALE.apply(operation, attempt, world)
    assert result == Applied(result={"replicas": 4, "containers": ["app-web-3", "app-web-4"]})
    assert isinstance(await SCALE.probe(operation, attempt, world), Applied)


async def test_what_is_half_done_is_taken_back(compose: PlayedCompose) -> None:
    world = able(compose)
    compose.makes = 3
    operation, attempt = intent(await SCALE.plan(COMPOSE, {"replicas": 4}, world), world)
    result = await SCALE.apply(operation, attempt, world)
    assert isinstance(result, ActFailed)
    assert (result.result["taken_back"], result.result["replicas"]) == (True, 2)
    assert result.result["output"] == "no space left on device"
    assert compose.asked == [4, 2]
    assert count(compose) == 2


async def test_what_cannot_be_taken_back_is_for_a_person(
    compose: PlayedCompose, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = able(compose)
    compose.makes = 3
    operation, attempt = intent(await SCALE.plan(COMPOSE, {"replicas": 4}, world), world)
    up = compose.up

    async def only_once(*args: Any, **kwargs: Any) -> CommandResult:
        compose.not_started = bool(compose.asked)
        return await up(*args, **kwargs)

    monkeypatch.setattr(compose, "up", only_once)
    result = await SCALE.apply(operation, attempt, world)
    assert isinstance(result, Unknown)
    assert "not taken back" in result.result["error"]


async def test_what_was_added_without_its_dependencies_is_of_the_same_files(compose: PlayedCompose) -> None:
    compose.entry = {"depends_on": {"database": {}}}
    labels = {**compose.labels, COMPOSE_CONFIG_HASH: "0a1b-alone"}
    compose.world.docker.add_container("app-web-3", labels=labels)
    plan = await SCALE.plan(COMPOSE, {"replicas": 4}, able(compose))
    assert plan.operations[0].change == {"from": 3, "to": 4, "made_of": ["0a1b", "0a1b-alone"]}


async def test_files_or_numbers_that_changed_since_the_plan_stop_it(compose: PlayedCompose) -> None:
    world = able(compose)
    operation, attempt = intent(await SCALE.plan(COMPOSE, {"replicas": 3}, world), world)
    compose.made_of = "other"
    assert isinstance(await SCALE.apply(operation, attempt, world), ActFailed)
    compose.made_of = "0a1b"
    world.docker.add_container("app-web-3", labels=compose.labels)
    assert isinstance(await SCALE.apply(operation, attempt, world), ActFailed)
    assert compose.asked == []


async def test_a_compose_that_cannot_be_started_or_does_not_end(compose: PlayedCompose) -> None:
    world = able(compose)
    operation, attempt = intent(await SCALE.plan(COMPOSE, {"replicas": 3}, world), world)
    compose.not_started = True
    assert isinstance(await SCALE.apply(operation, attempt, world), ActFailed)
    compose.not_started, compose.hangs = False, True
    assert isinstance(await SCALE.apply(operation, attempt, world), Unknown)


async def test_the_number_tells_after_the_deadline(compose: PlayedCompose) -> None:
    world = able(compose)
    operation, attempt = intent(await SCALE.plan(COMPOSE, {"replicas": 4}, world), world)
    assert isinstance(await SCALE.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    assert isinstance(await SCALE.probe(operation, attempt, world), NotApplied)
    world.docker.add_container("app-web-3", labels=compose.labels)
    assert isinstance(await SCALE.probe(operation, attempt, world), Unknown), "half done"
    world.docker.down = "gone"
    with pytest.raises(WorldError):
        await SCALE.probe(operation, attempt, world)


async def test_while_compose_runs_nobody_knows(
    compose: PlayedCompose, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = able(compose)
    operation, attempt = intent(await SCALE.plan(COMPOSE, {"replicas": 4}, world), world)
    left = [Survivor(pid=1, group=1, argv=("compose",))]
    ended: list[tuple[str, ...]] = []

    async def survivors(_: int) -> list[Survivor]:
        return left

    async def end(_: int, argv: tuple[str, ...]) -> None:
        ended.append(argv)
        left.clear()

    monkeypatch.setattr(world.commands, "survivors", survivors)
    monkeypatch.setattr(world.commands, "end_survivors", end)
    assert isinstance(await SCALE.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    assert isinstance(await SCALE.probe(operation, attempt, world), NotApplied)
    assert ended == [("compose", "up", "web=4")]
