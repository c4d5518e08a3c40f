"""What happens at a moment of a test's time line, done to the stage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from remediator.engine.face import DeskError
from remediator.model.run import Approval, Run
from remediator.model.service import TargetKind
from remediator.model.text import did_you_mean
from remediator.model.words import ApprovalStatus
from remediator.world.base import EngineRefused, EngineTimeout, Sample
from remediator.world.simulated import Program, fingerprint

if TYPE_CHECKING:
    from remediator.model.snapshot import Snapshot
    from remediator.rehearse.document import Alerts, Docker, Entry, Happening
    from remediator.rehearse.document import Program as ProgramEntry
    from remediator.rehearse.document import Server as ServerEntry
    from remediator.rehearse.stage import Stage
    from remediator.world.simulated import SimulatedEngine
    from remediator.world.simulated.containers import Box

ACTS = ("restart_container", "force_update", "scale_service")
"""What a Docker Engine is asked to do."""
FOREVER = float("inf")


class CannotError(Exception):
    """What the test wants to happen cannot happen; the message says why."""


async def do(stage: Stage, state: Snapshot, entry: Entry) -> None:
    """Let everything of this moment happen. `state` is what was committed so far. CannotError."""
    if entry.docker is not None:
        _docker(stage, entry.docker)
    if entry.alertmanager is not None:
        stage.alertmanager.unreachable = "as the test has it" if entry.alertmanager == "down" else None
    for name, program in (entry.commands or {}).items():
        _command(stage, name, program)
    for name, server in (entry.requests or {}).items():
        _request(stage, name, server)
    for query, values in (entry.prometheus or {}).items():
        listed = values if isinstance(values, tuple) else (values,)
        stage.prometheus.answers[query] = [Sample(labels={}, value=value) for value in listed]
    for service, happening in (entry.containers or {}).items():
        _containers(stage, service, happening)
    await _alerts(stage, entry)
    try:
        await _people(stage, state, entry)
    except DeskError as error:
        raise CannotError(str(error)) from None


async def _alerts(stage: Stage, entry: Entry) -> None:
    for labels in entry.fire or ():
        await stage.fire(labels)
    for mark in _known(stage, entry.mute):
        stage.mute(mark)
    for mark in _known(stage, entry.unmute):
        await stage.unmute(mark)
    for mark in _known(stage, entry.resolve):
        await stage.resolve(mark)


def _known(stage: Stage, alerts: Alerts | None) -> list[str]:
    """The fingerprints of alerts that have fired."""
    marks = []
    for labels in alerts or ():
        mark = fingerprint(labels)
        if mark not in stage.fired:
            written = ", ".join(f"{name}: {value}" for name, value in labels.items())
            raise CannotError(f"no alert with the labels {{{written}}} has fired in this test")
        marks.append(mark)
    return marks


async def _people(stage: Stage, state: Snapshot, entry: Entry) -> None:
    desk = stage.desk
    if (who := entry.pause) is not None:
        await desk.pause(who.by, who.reason)
    if (who := entry.resume) is not None:
        await desk.resume(who.by, who.reason)
    if (start := entry.start) is not None:
        await desk.start_run(start.rule, start.service, start.by, start.reason)
    if (yes := entry.approve) is not None:
        await desk.approve(_asked(state, yes.rule).id, yes.by, yes.reason)
    if (no := entry.deny) is not None:
        await desk.deny(_asked(state, no.rule).id, no.by, no.reason)
    if (stop := entry.cancel) is not None:
        await desk.cancel(_latest(state, stop.rule).id, stop.by, stop.reason)
    if (told := entry.settle) is not None:
        await desk.settle(_latest(state, told.rule).id, told.applied, told.by, told.reason)


def _latest(state: Snapshot, rule: str) -> Run:
    runs = [run for run in state.all(Run) if run.rule == rule]
    if not runs:
        raise CannotError(f"there was no run of {rule} so far")
    return max(runs, key=lambda run: run.id)


def _asked(state: Snapshot, rule: str) -> Approval:
    run = _latest(state, rule)
    asked = [a for a in state.all(Approval) if a.run_id == run.id and a.status is ApprovalStatus.PENDING]
    if not asked:
        raise CannotError(f"nobody is asked about {rule}: its run is {run.outcome or run.status}")
    return asked[-1]


def _docker(stage: Stage, how: Docker) -> None:
    for engine in stage.engines.values():
        engine.calm()
        if how == "down":
            engine.down = "as the test has it"
        for method in ACTS:
            if how == "refuses":
                engine.disturb(method, error=EngineRefused("refused, as the test has it"), times=FOREVER)
            elif how == "hangs":
                engine.disturb(method, error=EngineTimeout("no answer, as the test has it"), times=FOREVER)
            elif how == "loses_answers":
                error = EngineTimeout("no answer, as the test has it")
                engine.disturb(method, error=error, acts_after=0.0, times=FOREVER)


def _command(stage: Stage, name: str, program: ProgramEntry) -> None:
    if name not in stage.commands.specs:
        raise CannotError(f"there is no command {name}{did_you_mean(name, stage.commands.specs)}")
    seconds = FOREVER if program.hangs else program.takes.total_seconds()
    stage.commands.programs[name] = Program(
        exit_code=program.exit_code,
        output=program.output,
        seconds=seconds,
        not_started=None if program.starts else "as the test has it",
    )


def _request(stage: Stage, name: str, server: ServerEntry) -> None:
    if name not in stage.requests.specs:
        raise CannotError(f"there is no request {name}{did_you_mean(name, stage.requests.specs)}")
    stage.requests.behaves(
        name,
        status=server.status,
        body=server.body,
        seconds=server.takes.total_seconds(),
        breaks=server.breaks,
        unreachable=None if server.reachable else "as the test has it",
    )


def _containers(stage: Stage, service: str, happening: Happening) -> None:
    if service not in stage.setup.services:
        raise CannotError(f"there is no service {service}{did_you_mean(service, stage.setup.services)}")
    target = stage.setup.services[service].target
    if target.kind is TargetKind.SWARM_SERVICE:
        _swarm(stage, service, target.name, happening)
        return
    boxes = stage.boxes(service)
    if not boxes:
        raise CannotError(f"{service} has no containers")
    for box in boxes:
        _container(stage.engine_of(service), box, happening)


def _container(engine: SimulatedEngine, box: Box, happening: Happening) -> None:
    name = box.seen.name
    match happening:
        case "well":
            box.broken = box.incurable = False
            if not box.seen.running:
                engine.restart(box, engine.now())
        case "unhealthy" | "incurable":
            engine.breaks(name, incurable=happening == "incurable")
        case "crashed" | "out_of_memory":
            engine.crash(name, out_of_memory=happening == "out_of_memory")
        case "restarted_by_hand":
            engine.restart_by_hand(name)
        case "stopped_by_hand":
            engine.stop_by_hand(name)
        case "recreated_by_hand":
            engine.recreate_by_hand(name)
        case "removed_by_hand":
            engine.remove_by_hand(name)


def _swarm(stage: Stage, service: str, name: str, happening: Happening) -> None:
    engine = stage.engine_of(service)
    seen = engine.find(name)
    if seen is None:
        raise CannotError(f"{service} is not there")
    match happening:
        case "well":
            engine.updates_go(name)
            engine.services[seen.id] = replace(seen, running=seen.replicas)
        case "crashed" | "unhealthy":
            engine.lose_tasks(name)
        case "incurable":
            engine.lose_tasks(name)
            engine.updates_go(name, ends="paused")
        case "restarted_by_hand" | "recreated_by_hand":
            engine.update_by_hand(name)
        case _:
            raise CannotError(f"`{happening}` is nothing that happens to the Swarm service {service}")
