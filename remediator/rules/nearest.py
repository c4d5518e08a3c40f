"""Why rules match an alert, or do not: the matchers that fail, and which rules came nearest."""

from collections.abc import Iterable, Mapping

from remediator.model.explain import RuleLook, RulesLook, Unmet
from remediator.rules.matchers import Matcher
from remediator.rules.ruleset import MatchedRule, RuleSet


def look_at_rules(rules: RuleSet, labels: Mapping[str, str], most: int | None) -> RulesLook:
    """Hold every rule against an alert's labels; of those that do not match tell the `most` nearest.

    Nearest is what fails by the fewest matchers, then what fulfils the most.
    """
    looks = [_look(matched, labels) for matched in rules]
    missed = [look for look in looks if look.unmet]
    nearest = sorted(missed, key=lambda look: (len(look.unmet), -look.fulfilled))
    return RulesLook(
        total=len(looks),
        matched=tuple(look for look in looks if not look.unmet),
        missed=tuple(nearest[:most]),
        missed_total=len(missed),
    )


def _look(matched: MatchedRule, labels: Mapping[str, str]) -> RuleLook:
    tried = ((block, _failing(block, labels)) for block in matched.alternatives)
    block, failing = min(tried, key=lambda one: (len(one[1]), -len(one[0])))
    return RuleLook(
        name=matched.rule.name,
        source=matched.rule.source,
        fulfilled=len(block) - len(failing),
        unmet=tuple(Unmet(matcher=str(m), value=labels.get(m.name)) for m in failing),
    )


def _failing(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> list[Matcher]:
    return [matcher for matcher in matchers if not matcher.matches(labels)]
