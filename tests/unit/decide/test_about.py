"""What messages say of the rule: whose it is, and where to read on."""

from typing import Any

from remediator.decide.draft import Draft
from remediator.decide.ending import about
from remediator.model.rule import Rule
from tests.unit.decide.case import NOON, Case, a_rule

KEPT = a_rule(owner="platform", runbook_url="https://wiki.example.com/down")


def told(*rules: Rule) -> dict[str, Any]:
    """What is said of a run of `app-down` while these rules are in force."""
    case = Case()
    case.fire()
    in_force = {rule.name: rule for rule in rules}
    return about(Draft(case.snapshot, NOON, find_rule=in_force.get), case.run)


def test_a_message_names_the_owner_and_the_runbook_of_the_rule() -> None:
    assert (told(KEPT)["owner"], told(KEPT)["runbook_url"]) == ("platform", "https://wiki.example.com/down")


def test_of_a_rule_that_says_neither_or_is_gone_neither_is_told() -> None:
    for rules in ((a_rule(),), ()):
        assert (told(*rules)["owner"], told(*rules)["runbook_url"]) == (None, None)
