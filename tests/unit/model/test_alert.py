"""Alerts as Alertmanager posts them: what is read, what is kept, what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from remediator.model.alert import MAX_LABEL_CHARS, Alert


def posted(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "ApplicationDown"},
        "annotations": {},
        "startsAt": "2026-03-01T12:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "cbd5a9c9e2d4b7f1",
        **changes,
    }


def test_an_alert_is_read_and_its_unknown_fields_are_kept() -> None:
    alert = Alert.model_validate(posted(notification_reason="repeat"))
    assert alert.firing
    assert alert.starts_at == datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert alert.model_extra == {"notification_reason": "repeat"}


def test_times_are_turned_to_utc() -> None:
    alert = Alert.model_validate(posted(startsAt="2026-03-01T14:00:00+02:00"))
    assert alert.starts_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert alert.starts_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "quotes \" and ' and \\"},
        {"alertname": "new\nline\ttab"},
        {"alertname": "$(rm -rf /) `id` ; {{ x }}"},
        {"alertname": "x" * MAX_LABEL_CHARS},
        {"alertname": "\u0000\u202e🔥"},
        {},
    ],
    ids=["quotes", "newline", "shell", "64 KB", "unicode", "none"],
)
def test_label_values_are_data_and_kept_as_they_are(labels: dict[str, str]) -> None:
    assert Alert.model_validate(posted(labels=labels)).labels == labels


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"status": "pending"}, "status"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": {"a": "x" * (MAX_LABEL_CHARS + 1)}}, "labels"),
        ({"labels": None}, "labels"),
        ({"annotations": ["x"]}, "annotations"),
        ({"startsAt": "yesterday"}, "startsAt"),
        ({"startsAt": "2026-03-01T12:00:00"}, "startsAt"),
        ({"startsAt": "0001-01-01T00:00:00+01:00"}, "startsAt"),
        ({"endsAt": "9999-12-31T23:59:59-01:00"}, "endsAt"),
        ({"fingerprint": "../etc/passwd"}, "fingerprint"),
        ({"fingerprint": "cbd5\n"}, "fingerprint"),
        ({"fingerprint": ""}, "fingerprint"),
        ({"fingerprint": "a" * 65}, "fingerprint"),
    ],
)
def test_what_cannot_be_an_alert_is_refused_by_name(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Alert.model_validate(posted(**changes))
    assert {error["loc"][0] for error in refused.value.errors()} == {where}


@pytest.mark.parametrize("missing", ["status", "labels", "startsAt", "fingerprint"])
def test_what_is_needed_is_missed(missing: str) -> None:
    raw = posted()
    del raw[missing]
    with pytest.raises(ValidationError):
        Alert.model_validate(raw)


def test_half_a_surrogate_pair_is_refused_and_not_a_crash_later() -> None:
    with pytest.raises(ValidationError):
        Alert.model_validate(posted(labels={"alertname": "\ud800"}))
