"""What an engine tells, put into our words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from remediator.model.world import WorldError
from remediator.world.docker import answers
from tests.unit.world.engine_answers import ID, TASK_SPEC, event, inspected, service, task


def at(hour: int, minute: int = 0, microsecond: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, 0, microsecond, tzinfo=UTC)


def test_a_running_container() -> None:
    seen = answers.container_of(inspected(labels={"a": "b"}))
    assert (seen.id, seen.name, seen.image, seen.labels) == (ID, "web", "app:1", {"a": "b"})
    assert (seen.running, seen.status, seen.health, seen.exit_code) == (True, "running", None, None)
    assert seen.created_at == at(10, 0, 123_456), "nanoseconds are cut"
    assert seen.started_at == at(11, 0, 500_000)
    assert seen.finished_at is None, "the year 1 is never"
    assert (seen.restart_count, seen.restart_policy, seen.stop_timeout) == (2, "unless-stopped", 10)
    assert not seen.oom_killed


def test_an_exited_container() -> None:
    state = {
        "Status": "exited",
        "Running": False,
        "ExitCode": 137,
        "OOMKilled": True,
        "FinishedAt": "2026-03-01T13:30:00+01:00",
    }
    seen = answers.container_of(inspected(state=state))
    assert (seen.running, seen.status, seen.exit_code, seen.oom_killed) == (False, "exited", 137, True)
    assert seen.finished_at == at(12, 30)


def test_a_container_that_never_ran() -> None:
    state = {"Status": "created", "Running": False, "StartedAt": "0001-01-01T00:00:00Z"}
    seen = answers.container_of(inspected(state=state))
    assert (seen.started_at, seen.exit_code) == (None, None)


@pytest.mark.parametrize(
    ("told", "health"),
    [
        (None, None),
        ({"Status": "none"}, None),
        ({"Status": ""}, None),
        ({"Status": "starting", "Log": []}, "starting"),
        ({"Status": "unhealthy"}, "unhealthy"),
        ({"Status": "healthy"}, "healthy"),
    ],
)
def test_health(told: Any, health: str | None) -> None:
    assert answers.container_of(inspected(state={"Health": told})).health == health


@pytest.mark.parametrize(("told", "seconds"), [(None, 10), (0, 0), (90, 90), (-1, answers.NEVER_KILLED)])
def test_stop_timeout(told: int | None, seconds: int) -> None:
    assert answers.container_of(inspected(config={"StopTimeout": told})).stop_timeout == seconds


@pytest.mark.parametrize("key", ["Id", "Name", "Created", "State", "Config"])
def test_a_container_with_something_missing(key: str) -> None:
    told = inspected()
    del told[key]
    with pytest.raises(WorldError, match=f"a container cannot be read from the engine's answer: {key}"):
        answers.container_of(told)


@pytest.mark.parametrize(
    "state",
    [
        {"Running": "true"},
        {"Running": None},
        {"ExitCode": "0"},
        {"StartedAt": "yesterday"},
        {"StartedAt": "0001-01-01T00:00:00+02:00"},
        {"StartedAt": "2026-03-01T11:00:00"},
        {"StartedAt": 17},
        {"Health": "healthy"},
    ],
)
def test_a_container_with_something_of_the_wrong_type(state: dict[str, Any]) -> None:
    with pytest.raises(WorldError, match="State"):
        answers.container_of(inspected(state=state))


@pytest.mark.parametrize("told", [None, [], "x", 1, {}])
def test_something_that_is_no_container(told: Any) -> None:
    with pytest.raises(WorldError):
        answers.container_of(told)


def test_a_swarm_service() -> None:
    seen = answers.service_of(service(), [task(at="11:30"), task(at="11:45")])
    assert (seen.id, seen.name, seen.version, seen.force_update) == ("svc1", "shop_web", 42, 3)
    assert seen.labels == {"remediator.enable": "true"}
    assert (seen.replicas, seen.running, seen.running_since) == (2, 2, at(11, 45))
    assert (seen.created_at, seen.updated_at) == (at(9), at(11))
    assert (seen.update_state, seen.update_message) == ("completed", "update completed")
    assert (seen.stop_timeout, seen.update_parallelism, seen.update_pause) == (3, 2, 7.0)


def test_a_swarm_service_that_leaves_everything_to_swarm() -> None:
    told = service(
        TaskTemplate={"ContainerSpec": {}}, UpdateConfig=None, Labels=None, Mode={"Replicated": {}}
    )
    del told["UpdateStatus"]
    seen = answers.service_of(told, [])
    assert (seen.replicas, seen.running, seen.running_since, seen.labels) == (1, 0, None, {})
    assert (seen.update_state, seen.update_message, seen.force_update) == (None, "", 0)
    assert (seen.stop_timeout, seen.update_parallelism, seen.update_pause) == (10, 1, 5.0)


def test_only_tasks_of_the_present_version_count() -> None:
    older = {**TASK_SPEC, "ForceUpdate": 2}
    elsewhere = {**TASK_SPEC, "Placement": {}, "Resources": {"Limits": {}}}
    del elsewhere["Runtime"]  # engines tell it of the service only
    tasks = [
        task(at="11:10"),
        task(spec=elsewhere, at="11:20"),
        task(spec=older, at="11:50"),
        task("starting", at="11:51"),
        task(desired="shutdown", at="11:52"),
    ]
    seen = answers.service_of(service(), tasks)
    assert (seen.running, seen.running_since) == (2, at(11, 20))


def test_a_global_service_wants_a_task_wherever_swarm_put_one() -> None:
    tasks = [task(), task("preparing"), task("shutdown", desired="shutdown")]
    seen = answers.service_of(service(Mode={"Global": {}}), tasks)
    assert (seen.replicas, seen.running) == (2, 1)


@pytest.mark.parametrize("mode", [{"ReplicatedJob": {"MaxConcurrent": 1}}, {"GlobalJob": {}}, {}])
def test_a_job_has_no_replicas(mode: dict[str, Any]) -> None:
    with pytest.raises(WorldError, match="is a job"):
        answers.service_of(service(Mode=mode), [])


@pytest.mark.parametrize("tasks", [None, {}, [None], [{"Status": {}}], [task(spec=None)]])
def test_tasks_that_cannot_be_read(tasks: Any) -> None:
    with pytest.raises(WorldError, match="Swarm task"):
        answers.service_of(service(), tasks)


def test_an_event() -> None:
    nanoseconds, seen = answers.event_of(event(1_700_000_000_123_456_789, "kill", signal="15"))
    assert nanoseconds == 1_700_000_000_123_456_789
    assert seen is not None
    assert (seen.kind, seen.action, seen.object_id, seen.name) == ("container", "kill", ID, "web")
    assert seen.attributes["signal"] == "15"
    assert seen.at == datetime.fromtimestamp(1_700_000_000, UTC).replace(microsecond=123_456)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("container", "exec_create: /bin/check"),
        ("container", "health_status: healthy"),
        ("container", "attach"),
        ("network", "create"),
        ("image", "remove"),
    ],
)
def test_events_that_are_not_kept(kind: str, action: str) -> None:
    assert answers.event_of(event(5, action, kind)) == (5, None)


@pytest.mark.parametrize(
    "told", [None, {}, {"Type": "container"}, event(0, "die"), {**event(1, "die"), "Actor": None}]
)
def test_events_that_cannot_be_read(told: Any) -> None:
    with pytest.raises(WorldError, match="an event cannot be read"):
        answers.event_of(told)
