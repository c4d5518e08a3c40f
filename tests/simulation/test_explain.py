"""What would be done about an alert is told as it would be decided, and nothing comes of the telling."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.engine.face import Invalid, NotFound, Unavailable
from remediator.model.explain import AskedAlert
from remediator.model.words import Reason, RunStatus, Severity
from tests.simulation.given import rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.model.explain import Explanation
    from remediator.store import Reader
    from tests.simulation.house import House

pytestmark = pytest.mark.looptime(noop_cycles=0)

DOWN = {"alertname": "Down", "service": "web"}


async def explained(house: House, **labels: str) -> Explanation:
    found = await house.desk.explain_alerts([AskedAlert(labels={**DOWN, **labels})], None)
    return found.explanations[0]


def verdict(explanation: Explanation, guardrail: str) -> Any:
    return next(v for v in explanation.verdicts if v["guardrail"] == guardrail)


async def everything(house: House) -> Any:
    """All that the store holds, as far as it may change."""

    def job(reader: Reader) -> Any:
        return (
            reader.list_events(limit=500),
            reader.list_incidents(limit=50),
            reader.list_runs(limit=50),
            reader.list_approvals(limit=50),
            reader.firing_episodes(),
            reader.next_messages(50),
            reader.next_timer(),
            reader.counts(),
        )

    return await house.desk.read(job)


async def test_an_alert_that_nobody_has_told_of_would_be_acted_on(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        told = await explained(house)
        assert (told.rule, told.service, told.severity) == ("web-down", "web", Severity.P1)
        assert (told.known, told.alertmanager, told.incident, told.run) == ("assumed", "absent", None, None)
        assert (told.overall, told.step, told.action) == ("allow", 0, "restart")
        assert told.plan is not None
        assert [o.object_name for o in told.plan.operations] == ["app-web-1"]
        assert {v["verdict"] for v in told.verdicts} == {"allow"}


@pytest.mark.parametrize("severity", ["P0", "P1"])
async def test_nothing_is_written_told_or_done(build: Callable[..., House], severity: str) -> None:
    async with build(rules(rule(severity=severity))) as house:
        await house.wait(minutes=1)
        before = await everything(house)
        told = await explained(house)
        assert told.overall == {"P0": "needs_approval", "P1": "allow"}[severity]
        await house.wait(minutes=5)
        assert await everything(house) == before
        assert house.docker.restarts == []
        assert house.inbox.taken == []


async def test_nothing_is_written_about_a_run_that_waits_for_people(build: Callable[..., House]) -> None:
    async with build(rules(rule(severity="P0"))) as house:
        await house.fire()
        run = (await house.asked()).run_id
        before = await everything(house)
        told = await explained(house)
        assert (told.known, told.run, told.run_status) == ("open", run, RunStatus.AWAITING_APPROVAL)
        assert verdict(told, "approval")["verdict"] == "needs_approval"
        assert await everything(house) == before


async def test_a_hold_is_told_with_its_reason(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        await house.desk.pause("alice", "the database moves")
        told = await explained(house)
        assert (told.overall, told.decisive, told.reason) == ("hold", "paused", "paused")
        assert "the database moves" in told.detail


async def test_what_was_done_lately_counts(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.docker.breaks("app-web-1")
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)
        await house.resolve(mark)
        await house.finished()
        told = await explained(house)
        assert verdict(told, "cooldown")["reason"] == "cooldown"


async def test_the_alert_explained_counts_among_those_of_its_incident(build: Callable[..., House]) -> None:
    async with build(rules(rule(more="when: {alerts: 2}"))) as house:
        assert (await explained(house)).reason == "too_few_alerts"
        await house.fire()
        await house.held(Reason.TOO_FEW_ALERTS)
        assert (await explained(house, replica="b")).overall == "allow"
        assert (await explained(house)).reason == "too_few_alerts"


async def test_how_long_it_has_fired_is_asked_for(build: Callable[..., House]) -> None:
    async with build(rules(rule(more="for: 5m"))) as house:
        assert (await explained(house)).reason == "not_firing_long"
        old = AskedAlert(labels=DOWN, starts_at=house.clock.now() - timedelta(minutes=6))
        assert (await house.desk.explain_alerts([old], 5)).explanations[0].overall == "allow"


async def test_a_target_that_is_missing(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.docker.boxes.clear()
        told = await explained(house)
        assert (told.overall, told.reason, told.plan) == ("hold", "no_target", None)


async def test_no_rule_and_no_service(build: Callable[..., House]) -> None:
    other = rule("nameless", alert="Odd").replace("service: web\n", "\n").replace(", 'service=\"web\"'", "")
    async with build(rules(rule(), other)) as house:
        told = await explained(house, alertname="Other")
        assert (told.overall, told.rule) == ("no_rule", None)
        (nearest, *_) = told.rules.missed
        assert [(u.matcher, u.value) for u in nearest.unmet] == [('alertname="Down"', "Other")]
        told = await explained(house, alertname="Odd", service="")
        assert (told.overall, told.reason, told.service) == ("deny", "no_service", None)


async def test_live_alerts_by_fingerprint_or_matchers(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        mark = house.alertmanager.fire(DOWN)
        for which in (mark, "alertname=Down", '{service="web"}'):
            found = await house.desk.explain_live(which, 5)
            assert [(e.fingerprint, e.alertmanager) for e in found.explanations] == [(mark, "firing")]
        with pytest.raises(NotFound, match="has no alert"):
            await house.desk.explain_live("alertname=Up", 5)
        with pytest.raises(Invalid, match="no matchers"):
            await house.desk.explain_live("0123 what", 5)
        house.alertmanager.unreachable = "it burns"
        with pytest.raises(Unavailable, match="it burns"):
            await house.desk.explain_live(mark, 5)


async def test_a_muted_alert_is_held(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        mark = house.alertmanager.fire(DOWN)
        house.alertmanager.mute(mark)
        assert (await explained(house)).reason == "muted"


async def test_a_past_incident_beside_what_would_be_decided_now(build: Callable[..., House]) -> None:
    async with build(rules(rule(guardrails=""))) as house:
        house.docker.breaks("app-web-1")
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)
        await house.resolve(mark)
        run = await house.finished()
        await house.wait(hours=1)
        house.write(rules(rule(severity="P0", guardrails="")))
        await house.desk.reload("alice")
        told = await house.desk.explain_incident(run.incident_id, 5)
        kinds = [event["kind"] for event in told.recorded]
        assert kinds == ["episode.opened", "run.proposed", "run.decided", "run.finished"]
        assert told.recorded[2]["data"]["overall"] == "allow"
        assert [e.overall for e in told.explanations] == ["needs_approval"]
        with pytest.raises(NotFound, match="no incident 99"):
            await house.desk.explain_incident(99, 5)


async def test_an_alert_whose_end_lies_ahead_of_our_clock_is_taken_as_if_it_began_again(
    build: Callable[..., House],
) -> None:
    async with build(rules(rule(guardrails=""))) as house:
        mark = await house.fire()
        await house.until(lambda: house.docker.restarts)
        body = json.loads(house.alertmanager.notification(mark))
        ahead = house.clock.now() + timedelta(minutes=5)
        body["alerts"][0] |= {"status": "resolved", "endsAt": ahead.isoformat()}
        house.alertmanager.resolve(mark)
        assert await house.post(json.dumps(body).encode())
        await house.finished()
        told = await explained(house)
        assert (told.known, told.incident, told.overall) == ("assumed", None, "allow")


async def test_a_run_that_is_at_work_is_told_of_and_not_judged(build: Callable[..., House]) -> None:
    async with build(rules()) as house:
        house.docker.breaks("app-web-1", incurable=True)
        await house.fire()
        run = await house.is_now(RunStatus.VERIFYING)
        told = await explained(house)
        assert (told.overall, told.run, told.run_status) == ("at_work", run.id, RunStatus.VERIFYING)
        assert (told.plan, told.verdicts) == (None, ())
        assert told.detail == f"run {run.id} is verifying"


async def test_an_alert_that_ended_unheard_leaves_nothing_to_decide(build: Callable[..., House]) -> None:
    async with build(rules(rule(severity="P0")), reconcile_interval=timedelta(hours=1)) as house:
        mark = await house.fire()
        await house.asked()
        house.alertmanager.resolve(mark)
        await house.wait(seconds=10)
        told = await explained(house)
        assert (told.overall, told.known, told.alertmanager) == ("over", "open", "absent")
        assert told.detail == "the alert ended first"
        assert house.run().status is RunStatus.AWAITING_APPROVAL


# ---- an alert that fires already: a rule begins when an alert begins, and then no more


async def acts_again(house: House, mark: str) -> bool:
    """Whether telling of the alert once more makes a run."""
    before = await house.desk.read(lambda reader: len(reader.list_runs(limit=50)))
    assert await house.post(house.alertmanager.notification(mark))
    await house.wait(minutes=5)
    return await house.desk.read(lambda reader: len(reader.list_runs(limit=50))) > before


async def test_an_alert_whose_run_has_ended_is_not_acted_on_until_it_fires_anew(
    build: Callable[..., House],
) -> None:
    async with build(rules(rule(guardrails=""))) as house:
        house.docker.breaks("app-web-1", incurable=True)
        mark = await house.fire()
        run = await house.finished()
        told = await explained(house)
        assert (told.known, told.overall, told.plan) == ("open", "over", None)
        assert told.detail.startswith(f"run {run.id} is over, failed: ")
        assert told.detail.endswith("web-down begins again when the alert fires anew")
        assert not await acts_again(house, mark)


async def test_an_alert_that_began_under_no_rule_is_not_acted_on_by_one_that_came_later(
    build: Callable[..., House],
) -> None:
    async with build(rules(rule(alert="Other", guardrails=""))) as house:
        mark = await house.fire()
        assert (await explained(house)).overall == "no_rule"
        house.write(rules(rule(guardrails="")))
        await house.desk.reload("alice")
        told = await explained(house)
        assert (told.overall, told.rule) == ("over", "web-down")
        assert told.detail == "the alert began under no rule; a rule begins when an alert begins to fire"
        assert not await acts_again(house, mark)


async def test_an_alert_that_began_under_another_rule_stays_with_that(build: Callable[..., House]) -> None:
    async with build(rules(rule("first", severity="P0"))) as house:
        mark = await house.fire()
        run = (await house.asked("first")).run_id
        house.write(rules(rule("second"), rule("first", severity="P0")))
        await house.desk.reload("alice")
        told = await explained(house)
        assert (told.overall, told.rule, told.run) == ("over", "second", None)
        assert f"began under the rule first, whose run {run} is " in told.detail
        assert not await acts_again(house, mark)


async def test_an_alert_of_an_incident_is_known_by_the_fingerprint_that_it_came_with(
    build: Callable[..., House],
) -> None:
    async with build(rules(rule(severity="P0")), reconcile_interval=timedelta(hours=1)) as house:
        mark = house.alertmanager.fire(DOWN)
        body = json.loads(house.alertmanager.notification(mark))
        body["alerts"][0]["fingerprint"] = "abcdef"
        house.alertmanager.unreachable = "it cannot be asked about that"
        assert await house.post(json.dumps(body).encode())
        await house.until(house.runs)
        run = house.run()
        (told,) = (await house.desk.explain_incident(run.incident_id, 5)).explanations
        assert (told.fingerprint, told.known, told.run) == ("abcdef", "open", run.id)
