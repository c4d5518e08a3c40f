"""Answers of a Docker engine, as API 1.41 gives them, cut to what matters."""

from __future__ import annotations

from typing import Any

ID = "c0ffee" + "0" * 58
OTHER = "beef" + "1" * 60


def inspected(
    object_id: str = ID,
    name: str = "web",
    labels: dict[str, str] | None = None,
    *,
    state: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "Id": object_id,
        "Name": f"/{name}",
        "Created": "2026-03-01T10:00:00.123456789Z",
        "RestartCount": 2,
        "State": {
            "Status": "running",
            "Running": True,
            "Paused": False,
            "OOMKilled": False,
            "ExitCode": 0,
            "StartedAt": "2026-03-01T11:00:00.5Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            **(state or {}),
        },
        "Config": {"Image": "app:1", "Labels": labels, **(config or {})},
        "HostConfig": {"RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}},
    }


INFO = {
    "ServerVersion": "20.10.24",
    "SystemTime": "2026-03-01T12:00:00.5Z",
    "LiveRestoreEnabled": False,
    "Swarm": {"LocalNodeState": "inactive"},
}
IN_SWARM = {**INFO, "Swarm": {"LocalNodeState": "active", "ControlAvailable": True}}

TASK_SPEC = {
    "ContainerSpec": {"Image": "app:1", "StopGracePeriod": 2_500_000_000, "Secrets": [{"SecretID": "s"}]},
    "Placement": {"Constraints": ["node.role==worker"]},
    "ForceUpdate": 3,
    "Runtime": "container",
}


def service(**changes: Any) -> dict[str, Any]:
    return {
        "ID": "svc1",
        "Version": {"Index": 42},
        "CreatedAt": "2026-03-01T09:00:00Z",
        "UpdatedAt": "2026-03-01T11:00:00Z",
        "Spec": {
            "Name": "shop_web",
            "Labels": {"remediator.enable": "true"},
            "TaskTemplate": TASK_SPEC,
            "Mode": {"Replicated": {"Replicas": 2}},
            "UpdateConfig": {"Parallelism": 2, "Delay": 3_000_000_000, "Monitor": 7_000_000_000},
            "UnknownToUs": {"Kept": [1, 2.5, None]},
            **changes,
        },
        "UpdateStatus": {"State": "completed", "Message": "update completed"},
    }


def task(
    state: str = "running", spec: Any = TASK_SPEC, *, desired: str = "running", at: str = "11:30"
) -> dict[str, Any]:
    return {
        "ID": "t",
        "Spec": spec,
        "DesiredState": desired,
        "Status": {"State": state, "Timestamp": f"2026-03-01T{at}:00Z"},
    }


def event(
    nanoseconds: int, action: str, kind: str = "container", object_id: str = ID, **attributes: str
) -> dict[str, Any]:
    return {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": object_id, "Attributes": {"name": "web", **attributes}},
        "scope": "local",
        "time": nanoseconds // 10**9,
        "timeNano": nanoseconds,
    }
