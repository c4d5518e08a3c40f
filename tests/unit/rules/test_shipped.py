"""The shipped rules do what their comments say, for the alerts that the lab's Prometheus has."""

from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from remediator import actions, checks
from remediator.model.words import IncidentType, Mode, Severity
from remediator.rules.load import rules_schema
from remediator.rules.ruleset import RuleSet
from tests.unit.rules.given import load

ROOT = Path(__file__).parents[3]
SHIPPED = sorted(file for file in (ROOT / "rules").glob("*.yml") if ".test." not in file.name)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load(ROOT / "rules")


@pytest.mark.parametrize(
    ("alert", "rule", "severity", "kind", "mode"),
    [
        ("ApplicationDown", "robo-rlhf-down", Severity.P1, IncidentType.SERVICE_OUTAGE, Mode.AUTO),
        (
            "HighErrorRate",
            "robo-rlhf-errors",
            Severity.P2,
            IncidentType.PERFORMANCE_DEGRADATION,
            Mode.APPROVE,
        ),
        (
            "TrainingStalled",
            "robo-rlhf-training-stalled",
            Severity.P2,
            IncidentType.PERFORMANCE_DEGRADATION,
            Mode.AUTO,
        ),
    ],
)
def test_each_alert_has_its_rule(
    rules: RuleSet, alert: str, rule: str, severity: Severity, kind: IncidentType, mode: Mode
) -> None:
    matched = rules.match({"alertname": alert, "job": "robo-rlhf", "instance": "robo-rlhf:8000"})
    assert matched is not None
    found = matched.rule
    assert (found.name, found.severity, found.type, found.mode) == (rule, severity, kind, mode)
    assert found.service == "robo-rlhf"
    assert [step.action for step in found.steps] == ["restart"]
    assert [look.check for look in found.triage] == ["containers", "logs"]
    assert found.triage[1].params == {"tail": 100}


@pytest.mark.parametrize("job", ["robo-rlhf-mongodb", "other", ""])
def test_the_alerts_of_other_jobs_have_none(rules: RuleSet, job: str) -> None:
    for alert in ("ApplicationDown", "HighErrorRate", "TrainingStalled"):
        assert rules.match({"alertname": alert, "job": job}) is None


def test_every_alert_of_the_labs_prometheus_is_known(rules: RuleSet) -> None:
    written = yaml.safe_load((ROOT / "tests/lab/prometheus/rules.yml").read_text())
    alerts = {rule["alert"] for group in written["groups"] for rule in group["rules"]} - {"Watchdog"}
    assert all(rules.match({"alertname": alert, "job": "robo-rlhf"}) for alert in alerts)


def test_every_rule_is_verified_and_limited(rules: RuleSet) -> None:
    for matched in rules:
        rule = matched.rule
        assert all(step.verify.healthy and step.verify.stays > timedelta(0) for step in rule.steps), rule.name
        assert rule.guards.cooldown and len(rule.guards.budget) == 2, rule.name


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_the_schema_accepts_every_shipped_file(file: Path) -> None:
    schema = rules_schema(actions.registry({}), checks.registry({}))
    jsonschema.validate(yaml.safe_load(file.read_text()), schema)
