"""Steps whose parameters come from the labels of the alerts that they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remediator.model.command import CommandSpec, ParamSpec
from remediator.model.explain import AskedAlert
from remediator.model.words import Reason
from tests.simulation.given import rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.house import House

pytestmark = pytest.mark.looptime(noop_cycles=0)

SHIFT = CommandSpec(
    name="shift",
    argv=("/usr/bin/shift", "--to={zone}", "{weight}"),
    params={"zone": ParamSpec(pattern="[a-z]+"), "weight": ParamSpec(type="int", default=5)},
)
ARGS = """zone: "z{{ labels.zone }}", weight: "{{ labels.weight | default('7') }}" """
STEP = f"{{command: {{name: shift, args: {{{ARGS}}}}}}}"
DOWN = {"alertname": "Down", "service": "web"}


@pytest.fixture
def shifting(build: Callable[..., House]) -> Callable[..., House]:
    return lambda **how: build(rules(rule(steps=(STEP,), guardrails="", **how)), commands=[SHIFT])


async def fire(house: House, **labels: str) -> str:
    mark = house.alertmanager.fire({**DOWN, **labels})
    assert await house.post(house.alertmanager.notification(mark))
    return mark


async def test_labels_become_elements_of_the_argv_and_part_of_the_plan(
    shifting: Callable[..., House],
) -> None:
    async with shifting(severity="P0") as house:
        await fire(house, zone="one")
        approval = await house.asked()
        told = next(e for e in house.witness.events if e.kind == "run.decided")
        plan = next(p for p in told.puts if getattr(p, "digest", "") == approval.digest)
        assert plan.params == {"name": "shift", "args": {"zone": "zone", "weight": "7"}}
        (operation,) = (o for o in told.puts if getattr(o, "plan_id", None) == plan.id)
        assert operation.change["argv"] == ["/usr/bin/shift", "--to=zone", "7"]


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ({}, "has no label `zone`"),
        ({"zone": "one", "weight": "heavy"}, "weight: 'heavy' is not a whole number"),
        ({"zone": "one", "weight": "-7"}, "begins with `-`"),
        ({"zone": "1"}, "does not match"),
    ],
)
async def test_what_labels_do_not_give_or_does_not_fit_holds(
    shifting: Callable[..., House], labels: dict[str, str], why: str
) -> None:
    async with shifting() as house:
        await fire(house, **labels)
        run = await house.held(Reason.TEMPLATE_UNRESOLVED)
        assert why in str(run.hold_detail)
        await house.wait(minutes=10)
        assert house.attempts() == []
        assert house.inbox.kinds.count("held") == 1


async def test_alerts_that_disagree_hold_until_they_do_not(shifting: Callable[..., House]) -> None:
    async with shifting(triage="containers", more="for: 30s") as house:
        await fire(house, zone="one")
        other = await fire(house, zone="two")
        await house.wait(seconds=40)
        run = await house.held(Reason.TEMPLATE_UNRESOLVED)
        assert run.hold_detail == (
            "the run's alerts disagree: `z{{ labels.zone }}` is `zone` for one and `ztwo` for another"
        )
        await house.resolve(other)
        await house.until(house.attempts)


async def test_alerts_that_differ_in_other_labels_agree(shifting: Callable[..., House]) -> None:
    async with shifting(more="for: 30s") as house:
        await fire(house, zone="one", pod="a")
        await fire(house, zone="one", pod="b")
        await house.until(house.attempts)


async def test_started_by_hand_without_an_alert_there_are_no_labels(shifting: Callable[..., House]) -> None:
    async with shifting() as house:
        await house.desk.start_run("web-down", "web", "alice")
        run = await house.held(Reason.TEMPLATE_UNRESOLVED)
        assert run.hold_detail == "no alert fires for the run, so there are no labels"


async def test_explain_fills_in_the_labels_that_are_asked_about(shifting: Callable[..., House]) -> None:
    async with shifting() as house:
        asked = [AskedAlert(labels=DOWN | {"zone": "one"}), AskedAlert(labels=DOWN)]
        whole, lacking = (await house.desk.explain_alerts(asked, 5)).explanations
        assert whole.params["args"] == {"zone": "zone", "weight": "7"}
        assert whole.overall == "allow"
        assert (lacking.overall, lacking.reason) == ("hold", "template_unresolved")
        assert "has no label `zone`" in lacking.detail


@pytest.mark.parametrize("zone", ["a{{ labels.zone }}", "{% if %}"])
async def test_a_label_is_text_and_never_a_template(shifting: Callable[..., House], zone: str) -> None:
    async with shifting() as house:
        await fire(house, zone=zone)
        run = await house.finished()
        assert (run.outcome, run.reason) == ("denied", "invalid_params")
        assert "does not match" in str(run.detail)
        assert house.attempts() == []


@pytest.mark.parametrize(
    ("n", "reason"), [("3", "ok"), ("many", "template_unresolved"), ("0", "template_unresolved")]
)
async def test_a_number_is_filled_in_as_one(build: Callable[..., House], n: str, reason: str) -> None:
    step = '{scale: {replicas: "{{ labels.n }}"}}'
    async with build(
        rules(rule(steps=(step,), triage="", guardrails="")), services=(), swarm=["web"]
    ) as house:
        asked = [AskedAlert(labels=DOWN | {"n": n})]
        (told,) = (await house.desk.explain_alerts(asked, 5)).explanations
        assert told.reason == reason
        if reason == "ok":
            assert told.params["replicas"] == 3
        else:
            assert told.detail.startswith("replicas: ")
            assert told.detail.endswith(f"filled in: '{n}'")
