"""The rules that these houses begin with."""

from __future__ import annotations

RESTART = "{restart: {}, verify: {healthy: true, resolved_within: 5m, stays: 2m}}"


def rule(
    name: str = "web-down",
    *,
    service: str = "web",
    alert: str = "Down",
    severity: str = "P1",
    steps: tuple[str, ...] = (RESTART,),
    guardrails: str = "cooldown: 10m, budget: [3/1h]",
    triage: str = "containers, {logs: {tail: 20}}",
    more: str = "",
) -> str:
    """One rule as a rule file writes it."""
    return f"""
      - name: {name}
        match: ['alertname="{alert}"', 'service="{service}"']
        severity: {severity}
        type: service-outage
        service: {service}
        triage: [{triage}]
        steps: [{", ".join(steps)}]
        guardrails: {{{guardrails}}}
        {more}"""


def rules(*written: str) -> str:
    """A rule file of these rules."""
    return "groups:\n  - name: house\n    rules:" + "".join(written or (rule(),)) + "\n"


def in_order(kinds: list[str], *expected: str) -> None:
    """Assert that these kinds occur in this order, perhaps with others between them."""
    rest = iter(kinds)
    missing = [kind for kind in expected if kind not in rest]
    assert not missing, f"{missing} did not come in this order in {kinds}"
