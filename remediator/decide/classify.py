"""How bad an alert is, and of which kind: the rule says, else the table, else the alert's own label.

Only a rule or the table can say P0. What none of them classifies is P3, is counted, and is not acted on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from remediator.decide.draft import Draft
from remediator.decide.policy import LABEL_SEVERITIES, UNCLASSIFIED
from remediator.model.rule import Rule
from remediator.model.words import IncidentType, Severity

NOTHING = "nothing"
"""What has classified an alert that neither rule, table nor label did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """What an alert is, and by whose word its severity is that: `rule`, `table`, `label` or `nothing`."""

    severity: Severity
    type: IncidentType | None
    by: str


def classify(draft: Draft, labels: Mapping[str, str], rule: Rule | None) -> Classified:
    """Severity and type of an alert with these labels, for which this rule is used, if any."""
    table = draft.classify(labels)
    kind = (rule.type if rule else None) or (table.type if table else None)
    if rule is not None and rule.severity is not None:
        return Classified(severity=rule.severity, type=kind, by="rule")
    if table is not None:
        return Classified(severity=table.severity, type=kind, by="table")
    severity = LABEL_SEVERITIES.get(labels.get("severity", ""))
    by = NOTHING if severity is None else "label"
    return Classified(severity=severity or UNCLASSIFIED, type=kind, by=by)
