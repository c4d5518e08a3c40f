"""The check `changes`: what was deployed lately, and what was there before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.world.labels import COMPOSE_CONFIG_HASH, COMPOSE_NUMBER
from tests.unit.checks.given import look
from tests.unit.given import COMPOSE, SWARM, clock_of

if TYPE_CHECKING:
    from remediator.world.simulated import SimulatedWorld


async def test_nothing_changed(world: SimulatedWorld) -> None:
    world.docker.add_container("web", age=timedelta(days=2), restart_policy="always")
    finding = await look(world, "changes")
    assert (finding.ok, finding.summary) == (True, "nothing was changed in 1d")
    head, row = finding.text.splitlines()
    assert head.split() == ["NAME", "CREATED", "IMAGE", "IMAGE", "ID", "CONFIG", "RESTART", "POLICY"]
    image_id = world.docker.box("web").seen.image_id.removeprefix("sha256:")[:12]
    assert row.split() == ["web", "2026-02-27T12:00:00+00:00", "app:1", image_id, "-", "always"]
    (facts,) = finding.facts["containers"]
    assert (facts["image_id"], facts["before"]) == (image_id, None)


async def test_a_restart_is_no_change(world: SimulatedWorld) -> None:
    world.docker.add_container("web", age=timedelta(days=2))
    world.docker.restart_by_hand("web")
    assert (await look(world, "changes")).ok is True


async def test_another_image(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    clock_of(world).advance(60)
    world.docker.recreate_by_hand("web", image="app:2")
    finding = await look(world, "changes")
    assert finding.ok is False
    assert finding.facts["changes"] == ["web was made at 2026-03-01T12:01:00+00:00: image app:1 -> app:2"]
    assert finding.facts["containers"][0]["before"]["image"] == "app:1"
    assert (await look(world, "changes", since="10s")).ok is False
    clock_of(world).advance(60)
    assert (await look(world, "changes", since="10s")).ok is True


async def test_another_compose_configuration(world: SimulatedWorld) -> None:
    labels = {COMPOSE_CONFIG_HASH: "a" * 64, COMPOSE_NUMBER: "1"}
    world.docker.add_compose_service("web", labels=labels)
    world.docker.recreate_by_hand("app-web-1", image="app:1")
    assert "as before, as far as is known" in (await look(world, "changes", COMPOSE)).summary
    box = world.docker.box("app-web-1")
    box.seen = replace(box.seen, labels={**box.seen.labels, COMPOSE_CONFIG_HASH: "b" * 64})
    world.docker.recreate_by_hand("app-web-1", image="app:1")
    box = world.docker.box("app-web-1")
    box.seen = replace(box.seen, labels={**box.seen.labels, COMPOSE_CONFIG_HASH: "c" * 64})
    (told,) = (await look(world, "changes", COMPOSE)).facts["changes"]
    assert told.endswith(f": Compose configuration {'b' * 12} -> {'c' * 12}")


async def test_one_replica_is_not_taken_for_another(world: SimulatedWorld) -> None:
    """Compose renames the old container before it makes the new one, so names do not tell."""
    for number in ("1", "2"):
        labels = {"com.docker.compose.service": "web", COMPOSE_NUMBER: number}
        world.docker.add_container(f"app-web-{number}", labels=labels, image=f"app:{number}")
    for number in ("1", "2"):
        old = world.docker.box(f"app-web-{number}")
        old.seen = replace(old.seen, name=f"0123_app-web-{number}")
        world.docker.recreate_by_hand(old.seen.name, image="app:3")
    changes = (await look(world, "changes", COMPOSE)).facts["changes"]
    assert [change.split(": ", 1)[1] for change in changes] == [
        "image app:1 -> app:3",
        "image app:2 -> app:3",
    ]


async def test_before_is_not_known_when_the_engine_forgot(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.recreate_by_hand("web")
    clock_of(world).advance(1)
    world.docker.forget()
    finding = await look(world, "changes")
    assert finding.summary.endswith("what was before is not known")


async def test_a_container_that_is_gone(world: SimulatedWorld) -> None:
    finding = await look(world, "changes")
    assert (finding.ok, finding.summary) == (None, "no containers")


async def test_a_swarm_service(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", age=timedelta(days=2))
    assert (await look(world, "changes", SWARM)).ok is True
    world.docker.scale_by_hand("web", 3)
    assert (await look(world, "changes", SWARM)).facts["changes"] == ["web: replicas 2 -> 3"]
    world.docker.forget()
    clock_of(world).advance(1)
    world.docker.forget()
    assert (await look(world, "changes", SWARM)).facts["changes"] == [
        "the service was updated at 2026-03-01 12:00:00"
    ]


async def test_text_of_others_cannot_move_a_cursor(world: SimulatedWorld) -> None:
    world.docker.add_container("web", image="app\x1b[2J", age=timedelta(0))
    finding = await look(world, "changes")
    assert "\x1b" not in finding.text + finding.summary
