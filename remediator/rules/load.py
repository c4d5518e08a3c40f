"""Rule files from disk to a `RuleSet`: loaded whole, or refused whole with every mistake told."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from remediator.model.params import is_template
from remediator.model.plan import canonical
from remediator.model.rule import Classification, Rule, RuleSource, Step, TriageStep
from remediator.model.service import Service
from remediator.reading.problems import InputError, Problem
from remediator.reading.typed import node_at, read_as
from remediator.reading.yamlfile import Document, Node, parse_yaml
from remediator.rules.document import OneVerb, RuleEntry, Verbs, rule_file
from remediator.rules.files import gather
from remediator.rules.matchers import Matcher
from remediator.rules.ruleset import Class, MatchedRule, RuleSet
from remediator.rules.templates import Template


class Place(NamedTuple):
    """Where a name was seen first."""

    file: str
    line: int


def load_rules(
    paths: Sequence[Path],
    *,
    services: Mapping[str, Service],
    actions: Verbs,
    checks: Verbs,
    prometheus: bool = True,
) -> RuleSet:
    """Read all rules below `paths`: files, directories (their `*.yml` and `*.yaml`), and globs; see `gather`.

    Rules with a higher priority come first; among equals they keep the order of the paths, of the file
    names in a directory, and of the file. InputError carries what is wrong in any of the files; then
    there are no rules at all. `prometheus` tells whether there is one that expressions can be asked of.
    """
    model = rule_file(actions, checks)
    context = {"services": services, "prometheus": prometheus, "actions": actions, "checks": checks}
    rules: list[tuple[int, MatchedRule]] = []
    table: list[Class] = []
    files: list[RuleSource] = []
    gathered = gather(paths)
    problems = list(gathered.problems)
    names: dict[str, Place] = {}
    for content in gathered.files:
        problems += content.problems
        if content.problems:
            continue
        file = str(content.path)
        before = len(rules)
        try:
            document = parse_yaml(content.data, file)
        except InputError as error:
            problems += error.problems
            continue
        mistakes = list(_repeated_names(document, names))
        try:
            read = read_as(document, model, context)
        except InputError as error:
            mistakes += error.problems
        else:
            for number, written in enumerate(read.classification):
                line = node_at(document.root, ("classification", number)).line
                says = Classification(severity=written.severity, type=written.type)
                table.append(Class(written.matchers, says, f"{file}:{line}"))
            for at, group in enumerate(read.groups):
                for number, entry in enumerate(group.rules):
                    line = node_at(document.root, ("groups", at, "rules", number)).line
                    rule = _rule(entry, group.name, f"{file}:{line}")
                    text = rule.service_template
                    template = None if text is None else Template(text)
                    matched = MatchedRule(rule, entry.matchers, entry.blocks, template)
                    rules.append((entry.priority, matched))
        problems += sorted(mistakes, key=lambda problem: (problem.line, problem.column))
        _let_go(document)
        files.append(RuleSource(file=file, sha256=content.sha256, rules=len(rules) - before))
    if problems:
        raise InputError(problems)
    return RuleSet((rule for _, rule in sorted(rules, key=lambda rule: -rule[0])), table, files)


def rules_schema(actions: Verbs, checks: Verbs) -> dict[str, Any]:
    """The JSON Schema of a rule file, for editors."""
    schema = rule_file(actions, checks).model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _repeated_names(document: Document, names: dict[str, Place]) -> Iterator[Problem]:
    """The rules whose name another rule has already; `names` learns those of this file.

    Reads the bare document, so that a file with other mistakes is held against the rest, too.
    """
    for group in _items(_child(document.root, "groups")):
        for rule in _items(_child(group, "rules")):
            name = _child(rule, "name")
            if name is None or not isinstance(name.value, str) or not name.value:
                continue
            first = names.setdefault(name.value, Place(document.file, name.line))
            if first != (document.file, name.line):
                message = f"there is a rule `{name.value}` already, in {first.file}:{first.line}"
                yield document.problem(message, name.line, name.column)


def _let_go(document: Document) -> None:
    """Forget the rules one by one: to forget 10,000 at once would hold up every other thread."""
    for group in _items(_child(document.root, "groups")):
        rules = _items(_child(group, "rules"))
        while rules:
            rules.pop()


def _child(node: Node, key: str) -> Node | None:
    return node.value.get(key) if isinstance(node.value, dict) else None


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _rule(entry: RuleEntry, group: str, source: str) -> Rule:
    """A checked entry as the rule that the rest of the daemon knows."""
    templated = entry.service is not None and is_template(entry.service)
    rule = Rule(
        name=entry.name,
        group=group,
        version="",
        source=source,
        severity=entry.severity,
        type=entry.type,
        service=None if templated else entry.service,
        service_template=entry.service if templated else None,
        mode=entry.mode,
        triage=tuple(
            TriageStep(check=name, params=params) for name, params in map(OneVerb.verb, entry.triage)
        ),
        steps=tuple(
            Step(action=name, params=params, verify=step.verify)
            for step, (name, params) in zip(entry.steps, map(OneVerb.verb, entry.steps), strict=True)
        ),
        guards=entry.guardrails,
        firing_for=entry.firing_for,
        when=entry.when,
        unless_open=entry.unless_open,
        owner=entry.owner,
        runbook_url=entry.runbook_url,
    )
    return replace(rule, version=_version(rule, entry))


def _version(rule: Rule, entry: RuleEntry) -> str:
    """Hash of what the rule means: the same wherever it stands, however it is written, whoever keeps it."""
    meaning = asdict(rule)
    for label in ("group", "source", "version", "owner", "runbook_url", "no_service"):
        del meaning[label]
    meaning["match"] = _texts(entry.matchers)
    if entry.blocks:
        meaning["any"] = sorted(map(_texts, entry.blocks))
    return hashlib.sha256(canonical(_plain(meaning)).encode()).hexdigest()


def _texts(matchers: Sequence[Matcher]) -> list[str]:
    return sorted({str(matcher) for matcher in matchers})


def _plain(value: Any) -> Any:
    """A value as JSON can write it; durations as seconds."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
