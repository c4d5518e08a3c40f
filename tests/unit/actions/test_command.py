"""`command`: a named command as an act, its probe after a crash, and its undo."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.actions.command import Command
from remediator.model.command import CommandParams, CommandSpec, ParamSpec
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown
from remediator.world.simulated import SimulatedWorld
from tests.unit.given import BARE, clock_of, intent, pass_deadline, stored, stored_plan
from tests.unit.still_clock import StillClock

if TYPE_CHECKING:
    from remediator.model.plan import Operation, PlanSpec
    from remediator.model.run import Attempt

WHICH = {"which": ParamSpec(pattern="[a-z]+", default="all")}
SPECS = (
    CommandSpec(
        name="flush",
        argv=("/bin/flush", "--cache={which}"),
        params=WHICH,
        timeout=timedelta(seconds=30),
        probe="is-flushed",
        undo="fill",
    ),
    CommandSpec(name="is-flushed", argv=("/bin/is-flushed", "{which}"), params={"which": ParamSpec()}),
    CommandSpec(name="fill", argv=("/bin/fill", "{which}"), params={"which": ParamSpec()}),
    CommandSpec(name="nudge", argv=("/bin/nudge",), repeatable=True),
    CommandSpec(name="shove", argv=("/bin/shove",)),
)
CHANGED = "the command flush was changed by a reload after this was planned; nothing was run"
COMMAND = Command({spec.name: spec for spec in SPECS})


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld.make(StillClock(), SPECS)


async def plan(world: SimulatedWorld, name: str, **args: str) -> PlanSpec:
    return await COMMAND.plan(BARE, {"name": name, "args": args}, world)


async def begin(world: SimulatedWorld, name: str, **args: str) -> tuple[Operation, Attempt]:
    return intent(await plan(world, name, **args), world)


def shown(change: dict[str, Any]) -> dict[str, Any]:
    """A change without its fingerprint, which is there but means nothing to people."""
    assert len(change["spec"]) == 16
    return {key: value for key, value in change.items() if key != "spec"}


def reload(world: SimulatedWorld, name: str, **changed: Any) -> None:
    """The configuration is read again, with one command written differently."""
    world.commands.specs = {**world.commands.specs, name: replace(world.commands.specs[name], **changed)}


async def cut_off(world: SimulatedWorld, name: str) -> tuple[Operation, Attempt]:
    """The daemon dies while the command runs."""
    operation, attempt = await begin(world, name)
    act = asyncio.create_task(COMMAND.apply(operation, attempt, world))
    await asyncio.sleep(0)
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    return operation, attempt


# Checking and planning.


@pytest.mark.parametrize(
    ("params", "objection"),
    [
        ({"name": "flush", "args": {"which": "pages"}}, None),
        ({"name": "flsh"}, "there is no command `flsh` in the configuration; did you mean `flush`?"),
        ({"name": "reboot"}, "there is no command `reboot` in the configuration"),
        ({"name": "flush", "args": {"wich": "a"}}, "wich: the command flush has no such parameter"),
        ({"name": "flush", "args": {"which": "--all"}}, "which: '--all' begins with `-`"),
        ({"name": "fill"}, "which: the command fill needs a value for it"),
    ],
)
def test_a_rule_is_told_what_cannot_be_run(params: dict[str, Any], objection: str | None) -> None:
    found = COMMAND.check(CommandParams(**params))
    if objection is None:
        assert found is None
    else:
        assert found is not None
        assert found.startswith(objection)


async def test_the_plan_holds_the_exact_argv(world: SimulatedWorld) -> None:
    made = await plan(world, "flush", which="pages")
    (operation,) = made.operations
    assert operation.kind == "command.run"
    assert operation.object_id == "tower/flush"
    assert shown(operation.change) == {"command": "flush", "argv": ["/bin/flush", "--cache=pages"]}
    assert operation.timeout > timedelta(seconds=30)
    assert made.summary == "run the command flush for tower: /bin/flush --cache=pages"
    assert made.digest("1") != (await plan(world, "flush")).digest("1")
    assert not world.commands.runs


CHANGES = (
    {"env": {"TARGET": "production"}},
    {"timeout": timedelta(seconds=31)},
    {"probe": "is-filled"},
    {"repeatable": True},
)


@pytest.mark.parametrize("changed", CHANGES)
async def test_the_digest_pins_how_it_is_run(world: SimulatedWorld, changed: dict[str, Any]) -> None:
    before = (await plan(world, "flush")).digest("1")
    reload(world, "flush")
    assert (await plan(world, "flush")).digest("1") == before
    reload(world, "flush", **changed)
    assert (await plan(world, "flush")).digest("1") != before


async def test_no_value_of_its_environment_is_in_the_plan(world: SimulatedWorld) -> None:
    plain = await plan(world, "flush")
    reload(world, "flush", env={"TOKEN": "hunter2-hunter2"})
    made = await plan(world, "flush")
    assert made != plain
    assert "hunter2" not in str(asdict(made))


async def test_what_is_no_longer_in_the_configuration_cannot_be_planned(world: SimulatedWorld) -> None:
    world.commands.specs = {}
    with pytest.raises(TargetError, match="no command `flush`") as caught:
        await plan(world, "flush")
    assert caught.value.reason is Reason.INVALID_PARAMS


async def test_a_value_that_does_not_fit_cannot_be_planned(world: SimulatedWorld) -> None:
    with pytest.raises(TargetError, match="does not match") as caught:
        await plan(world, "flush", which="$(id)")
    assert caught.value.reason is Reason.INVALID_PARAMS


# Applying.


async def test_success_keeps_what_it_said(world: SimulatedWorld) -> None:
    world.commands.behaves("flush", output="flushed 7\n", seconds=2)
    operation, attempt = await begin(world, "flush")
    result = await COMMAND.apply(operation, attempt, world)
    assert result == Applied(
        result={"exit_code": 0, "output": "flushed 7\n", "output_bytes": 10, "seconds": 2}
    )
    (ran,) = world.commands.runs
    assert (ran.argv, ran.attempt) == (("/bin/flush", "--cache=all"), attempt.id)


@pytest.mark.parametrize(
    ("code", "output", "error"),
    [
        (3, "trying\nno such cache\n", "exit code 3: no such cache"),
        (1, "", "exit code 1"),
        (-9, "", "ended by signal 9"),
    ],
)
async def test_another_exit_code_is_a_failure(
    world: SimulatedWorld, code: int, output: str, error: str
) -> None:
    world.commands.behaves("flush", exit_code=code, output=output)
    result = await COMMAND.apply(*await begin(world, "flush"), world)
    assert isinstance(result, ActFailed)
    assert (result.result["exit_code"], result.result["error"]) == (code, error)


async def test_what_cannot_be_started_did_nothing(world: SimulatedWorld) -> None:
    world.commands.behaves("flush", not_started="No such file or directory")
    result = await COMMAND.apply(*await begin(world, "flush"), world)
    assert result == ActFailed(result={"error": "/bin/flush could not be started: No such file or directory"})


async def test_one_that_is_ended_at_its_timeout_has_failed(world: SimulatedWorld) -> None:
    world.commands.behaves("flush", seconds=float("inf"))
    result = await COMMAND.apply(*await begin(world, "flush"), world)
    assert isinstance(result, ActFailed)
    assert result.result["error"] == "not done within 30 s"


async def test_one_that_cannot_be_ended_leaves_the_outcome_open(world: SimulatedWorld) -> None:
    world.commands.behaves("flush", seconds=float("inf"), undying=True)
    result = await COMMAND.apply(*await begin(world, "flush"), world)
    assert isinstance(result, Unknown)
    assert result.result["survivors"] == [{"pid": 1000, "argv": ["/bin/flush", "--cache=all"]}]


async def test_one_that_a_reload_took_away_is_not_run(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world, "flush")
    world.commands.specs = {}
    assert await COMMAND.apply(operation, attempt, world) == ActFailed(result={"error": CHANGED})
    assert not world.commands.runs


@pytest.mark.parametrize("changed", CHANGES)
async def test_one_that_a_reload_changed_is_not_run(world: SimulatedWorld, changed: dict[str, Any]) -> None:
    operation, attempt = await begin(world, "flush")
    reload(world, "flush", **changed)
    assert await COMMAND.apply(operation, attempt, world) == ActFailed(result={"error": CHANGED})
    assert not world.commands.runs


async def test_one_that_a_reload_changed_can_still_be_probed(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world, "flush")
    reload(world, "flush", env={"TARGET": "production"})
    assert isinstance(await COMMAND.probe(operation, attempt, world), Applied)


# Probing.


async def test_it_waits_for_what_still_runs(world: SimulatedWorld) -> None:
    world.commands.behaves("flush", seconds=20)
    operation, attempt = await cut_off(world, "flush")
    result = await COMMAND.probe(operation, attempt, world)
    assert isinstance(result, Unknown)
    assert result.result["error"] == "it still runs"
    clock_of(world).advance(20)
    assert isinstance(await COMMAND.probe(operation, attempt, world), Applied)
    assert len(world.commands.ran("flush")) == 1


async def test_after_the_deadline_it_is_ended_first(world: SimulatedWorld) -> None:
    done: list[str] = []
    world.commands.behaves("flush", seconds=float("inf"), effect=lambda: done.append("flushed"))
    world.commands.behaves("is-flushed", exit_code=1)
    operation, attempt = await cut_off(world, "flush")
    pass_deadline(world, attempt)
    assert isinstance(await COMMAND.probe(operation, attempt, world), NotApplied)
    assert await world.commands.survivors(attempt.id) == []
    assert not done


async def test_one_that_cannot_be_ended_stays_unknown(world: SimulatedWorld) -> None:
    world.commands.behaves("flush", seconds=float("inf"), undying=True)
    operation, attempt = await cut_off(world, "flush")
    pass_deadline(world, attempt)
    assert isinstance(await COMMAND.probe(operation, attempt, world), Unknown)
    assert not world.commands.ran("is-flushed")


@pytest.mark.parametrize(
    ("code", "expected"), [(0, Applied), (1, NotApplied), (2, Unknown), (127, Unknown), (-15, Unknown)]
)
async def test_the_probe_command_tells(world: SimulatedWorld, code: int, expected: type) -> None:
    world.commands.behaves("is-flushed", exit_code=code, output="seen\n")
    operation, attempt = await begin(world, "flush", which="pages")
    pass_deadline(world, attempt)
    result = await COMMAND.probe(operation, attempt, world)
    assert isinstance(result, expected)
    assert result.result["probe"]["output"] == "seen\n"
    (ran,) = world.commands.runs
    assert (ran.argv, ran.attempt) == (("/bin/is-flushed", "pages"), None)


async def test_the_probe_gets_the_defaults_of_the_command(world: SimulatedWorld) -> None:
    await COMMAND.probe(*await begin(world, "flush"), world)
    assert world.commands.ran("is-flushed")[0].argv == ("/bin/is-flushed", "all")


@pytest.mark.parametrize("how", [{"not_started": "gone"}, {"seconds": float("inf")}])
async def test_a_probe_that_does_not_work_tells_nothing(world: SimulatedWorld, how: dict[str, Any]) -> None:
    world.commands.behaves("is-flushed", **how)
    assert isinstance(await COMMAND.probe(*await begin(world, "flush"), world), Unknown)


async def test_a_probe_that_a_reload_took_away_tells_nothing(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world, "flush")
    world.commands.specs = {"flush": SPECS[0]}
    assert isinstance(await COMMAND.probe(operation, attempt, world), Unknown)
    world.commands.specs = {}
    assert isinstance(await COMMAND.probe(operation, attempt, world), Unknown)


async def test_without_a_probe_only_what_may_be_repeated_is_tried_again(world: SimulatedWorld) -> None:
    for name, expected in (("nudge", NotApplied), ("shove", Unknown)):
        operation, attempt = await begin(world, name)
        pass_deadline(world, attempt)
        assert isinstance(await COMMAND.probe(operation, attempt, world), expected)
    assert not world.commands.runs


# Undoing.


async def test_the_undo_is_a_plan_with_the_same_values(world: SimulatedWorld) -> None:
    for args, value in (({"which": "pages"}, "pages"), ({}, "all")):
        made = await plan(world, "flush", **args)
        back = COMMAND.undo(stored_plan(made), [stored(o) for o in made.operations])
        assert back is not None
        assert back.params == {"name": "fill", "args": {"which": value}}
        assert shown(back.operations[0].change) == {"command": "fill", "argv": ["/bin/fill", value]}
        assert back.operations[0].object_id == "tower/fill"


async def test_what_names_no_undo_is_not_taken_back(world: SimulatedWorld) -> None:
    made = await plan(world, "shove")
    assert COMMAND.undo(stored_plan(made), [stored(o) for o in made.operations]) is None
