"""The tests of the shipped rules pass, show everything, and fail as soon as anything in a rule is another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from remediator.reading.problems import InputError
from remediator.reading.yamlfile import read_yaml
from remediator.rehearse.suite import Suite, coverage, find_suites, load_suite, perform
from remediator.rules.load import load_rules
from tests.unit.rehearse.mutants import mutants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remediator.rehearse.document import Case
    from remediator.rules.ruleset import RuleSet

RULES = Path(__file__).parents[3] / "rules"
FILES = sorted(RULES.glob("*.yml"))
SHIPPED = [file for file in FILES if not file.name.endswith(".test.yml")]


def beside(file: Path) -> Suite:
    """The tests of a rule file."""
    return load_suite(file.with_name(f"{file.stem}.test.yml"))


def written(file: Path) -> dict[str, Any]:
    plain: dict[str, Any] = read_yaml(file).root.plain()
    return plain


def rule_places(file: Path) -> Iterator[tuple[int, int, str]]:
    for at, group in enumerate(written(file)["groups"]):
        for number, rule in enumerate(group["rules"]):
            yield at, number, rule["name"]


EACH = [pytest.param(file, at, number, id=name) for file in SHIPPED for at, number, name in rule_places(file)]


def test_every_rule_file_has_tests_beside_it() -> None:
    assert [path.name for path in find_suites([RULES])] == [f"{file.stem}.test.yml" for file in SHIPPED]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_the_shipped_rules_do_what_their_tests_say_and_all_of_it_is_shown(file: Path) -> None:
    suite = beside(file)
    results = [perform(suite, case) for case in suite.cases]
    assert [(r.case.entry.name, r.failure) for r in results if not r.ok] == []
    seen = coverage([suite], results)
    assert (seen.untested, seen.unshown) == ((), ())


@pytest.mark.slow
@pytest.mark.parametrize(("file", "at", "number"), EACH)
def test_whatever_is_broken_in_a_rule_makes_a_test_fail(
    file: Path, at: int, number: int, tmp_path: Path
) -> None:
    suite = beside(file)
    document = written(file)
    rule = document["groups"][at]["rules"][number]
    cases = sorted(suite.cases, key=lambda case: rule["name"] not in _about(case))
    survived, tried = [], 0
    for told, broken in mutants(rule):
        document["groups"][at]["rules"][number] = broken
        rules = _load(suite, document, tmp_path / "rules.yml")
        if rules is None or rules.find(rule["name"]).version == suite.setup.rules.find(rule["name"]).version:
            continue  # it is refused, or means the same
        tried += 1
        mutant = replace(suite, setup=replace(suite.setup, rules=rules))
        killer = next((case for case in cases if not perform(mutant, case).ok), None)
        if killer is None:
            survived.append(told)
        else:  # what is broken next is most likely shown by the same test
            cases.remove(killer)
            cases.insert(0, killer)
    assert survived == []
    assert tried > 20, "there is much to break in a rule"


def _about(case: Case) -> set[str]:
    expected = [entry.expect for entry in case.entry.timeline if entry.expect]
    return {expect.run.rule for expect in expected if expect.run}


def _load(suite: Suite, document: dict[str, Any], file: Path) -> RuleSet | None:
    file.write_text(yaml.safe_dump(document))
    setup = suite.setup
    try:
        return load_rules([file], services=setup.services, actions=setup.actions, checks=setup.checks)
    except InputError:
        return None
