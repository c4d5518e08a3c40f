"""The Alertmanager client on real Alertmanagers, the older and the newer version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.clock import SystemClock
from remediator.world.alertmanager import AlertmanagerClients
from remediator.world.asking import Endpoint
from tests.lab.wait import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from remediator.model.alert import Sighting
    from remediator.world.base import AlertsSeen
    from tests.lab.alertmanager import Alertmanager
    from tests.lab.prometheus import Prometheus

FRESH = timedelta(0)
LABELS = {"alertname": "ApplicationDown", "job": "robo-rlhf"}


@pytest.fixture
async def clients_of() -> AsyncIterator[Callable[..., AlertmanagerClients]]:
    """clients_of(alertmanager, ..., settle=...): the client, closed at the end."""
    made: list[AlertmanagerClients] = []

    def make(*alertmanagers: Alertmanager, settle: timedelta = timedelta(0)) -> AlertmanagerClients:
        endpoints = [Endpoint(url=one.url) for one in alertmanagers]
        made.append(AlertmanagerClients(endpoints, SystemClock(), settle=settle))
        return made[-1]

    yield make
    for clients in made:
        await clients.close()


async def one_alert(clients: AlertmanagerClients) -> str:
    """The fingerprint of the only alert there is."""

    async def look() -> AlertsSeen | None:
        seen = await clients.look(FRESH)
        return seen if seen.alerts else None

    seen = await until(look, 10, "the alert")
    assert seen is not None
    (fingerprint,) = seen.alerts
    return fingerprint


async def sighted(clients: AlertmanagerClients, fingerprint: str, state: str) -> Sighting:
    """Wait until the alert is in this state."""

    async def look() -> Sighting | None:
        sighting = (await clients.look(FRESH)).sighting(fingerprint)
        return sighting if sighting.state == state else None

    sighting = await until(look, 30, f"the alert to be {state}")
    assert sighting is not None
    return sighting


async def test_an_alert_fires_and_is_over(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    alertmanager = start_alertmanager()
    clients = clients_of(alertmanager)
    empty = await clients.look(FRESH)
    assert (empty.alerts, empty.complete, empty.errors) == ({}, True, {})

    alertmanager.fire(LABELS, summary="it is down")
    fingerprint = await one_alert(clients)
    seen = (await clients.look(FRESH)).alerts[fingerprint]
    assert seen.labels == LABELS
    assert seen.annotations == {"summary": "it is down"}
    assert seen.receivers == ("remediator",)
    assert abs(seen.updated_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert (await clients.look(FRESH)).sighting(fingerprint).state == "firing"

    alertmanager.resolve(LABELS)
    await sighted(clients, fingerprint, "absent")


async def test_the_fingerprint_is_the_one_of_the_webhook(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    alertmanager = start_alertmanager()
    alertmanager.fire(LABELS)
    assert await one_alert(clients_of(alertmanager)) == alertmanager.alerts()[0]["fingerprint"]


async def test_a_silenced_alert_is_muted_and_fires_again(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    alertmanager = start_alertmanager()
    clients = clients_of(alertmanager)
    alertmanager.fire(LABELS)
    fingerprint = await one_alert(clients)
    silence = alertmanager.silence(LABELS)
    muted = await sighted(clients, fingerprint, "muted")
    assert muted.detail == {"silenced_by": [silence], "inhibited_by": []}
    alertmanager.expire(silence)
    await sighted(clients, fingerprint, "firing")


async def test_an_inhibited_alert_is_muted(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    config = {
        "route": {"receiver": "none", "group_wait": "100ms"},
        "receivers": [{"name": "none"}],
        "inhibit_rules": [
            {"source_matchers": ['alertname="HostDown"'], "target_matchers": ['alertname="ApplicationDown"']}
        ],
    }
    alertmanager = start_alertmanager(config=config)
    clients = clients_of(alertmanager)
    alertmanager.fire(LABELS)
    fingerprint = await one_alert(clients)
    alertmanager.fire({"alertname": "HostDown"})
    muted = await sighted(clients, fingerprint, "muted")
    assert len(muted.detail["inhibited_by"]) == 1


async def test_labels_of_any_kind(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    labels = {"alertname": "x", "nasty": 'q"uo\\te\n$(id) é \u2028', "long": "v" * 60_000}
    alertmanager = start_alertmanager()
    alertmanager.fire(labels)
    clients = clients_of(alertmanager)
    fingerprint = await one_alert(clients)
    assert (await clients.look(FRESH)).alerts[fingerprint].labels == labels


async def test_two_that_know_different_things(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    first, second = start_alertmanager(), start_alertmanager()
    clients = clients_of(first, second)
    first.fire(LABELS)
    second.fire({"alertname": "Other"})
    assert len((await clients.look(FRESH)).alerts) == 2

    first.silence(LABELS)
    fingerprint = first.alerts()[0]["fingerprint"]
    await sighted(clients, fingerprint, "muted")
    second.fire(LABELS)
    await sighted(clients, fingerprint, "firing")


async def test_one_that_went_down_proves_nothing(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    first, second = start_alertmanager(), start_alertmanager()
    clients = clients_of(first, second)
    first.fire(LABELS)
    fingerprint = await one_alert(clients)
    second.stop()
    assert (await clients.look(FRESH)).sighting(fingerprint).state == "firing"
    first.resolve(LABELS)
    unknown = await sighted(clients, fingerprint, "unknown")
    assert list(unknown.detail["errors"]) == [second.url]


async def test_a_restarted_alertmanager_has_forgotten_and_proves_nothing(
    start_alertmanager: Callable[..., Alertmanager],
    start_prometheus: Callable[..., Prometheus],
    clients_of: Callable[..., AlertmanagerClients],
) -> None:
    alertmanager = start_alertmanager()
    clients = clients_of(alertmanager, settle=timedelta(hours=1))
    prometheus = start_prometheus(alertmanagers=[alertmanager.url], rules=ALWAYS)
    fingerprint = await one_alert(clients)
    prometheus.stop()
    alertmanager.restart()
    assert alertmanager.alerts() == [], "what it held is gone"
    sighting = (await clients.look(FRESH)).sighting(fingerprint)
    assert sighting.state == "unknown"
    assert "was started" in sighting.detail["errors"][alertmanager.url]
    prometheus.start()
    await sighted(clients, fingerprint, "firing")


async def test_after_it_has_settled_an_absence_is_proven(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    alertmanager = start_alertmanager()
    clients = clients_of(alertmanager, settle=timedelta(seconds=2))
    patient = clients_of(alertmanager, settle=timedelta(hours=1))
    alertmanager.fire(LABELS)
    fingerprint = await one_alert(clients)
    alertmanager.restart()
    await sighted(clients, fingerprint, "absent")
    assert (await patient.look(FRESH)).sighting(fingerprint).state == "unknown"


async def test_under_a_path_of_its_own_and_a_wrong_address(
    start_alertmanager: Callable[..., Alertmanager],
) -> None:
    alertmanager = start_alertmanager()
    clients = AlertmanagerClients([Endpoint(url=f"{alertmanager.url}/elsewhere")], SystemClock())
    seen = await clients.look(FRESH)
    assert not seen.complete
    assert "HTTP 404" in seen.errors[f"{alertmanager.url}/elsewhere"]
    await clients.close()


async def test_thousands_of_alerts(
    start_alertmanager: Callable[..., Alertmanager], clients_of: Callable[..., AlertmanagerClients]
) -> None:
    alertmanager = start_alertmanager(group_wait="1h")
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    alertmanager.post_alerts(
        [{"labels": {"alertname": "Many", "n": str(n)}, "endsAt": ends} for n in range(5000)]
    )
    seen = await clients_of(alertmanager).look(FRESH)
    assert len(seen.alerts) == 5000
    assert seen.complete


ALWAYS = """
groups:
  - name: always
    rules:
      - {alert: Always, expr: vector(1), labels: {job: robo-rlhf}}
"""
