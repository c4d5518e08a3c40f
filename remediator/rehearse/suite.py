"""Files of rule tests: found, read, rehearsed one test after the other, and what they leave unshown."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from remediator.assembly import assemble
from remediator.config import load_config
from remediator.metrics import Metrics
from remediator.model.duration import format_duration
from remediator.model.words import Mode
from remediator.reading.problems import InputError, Problem, did_you_mean
from remediator.rehearse.document import read_suite
from remediator.rehearse.doing import CannotError, do
from remediator.rehearse.faults import faults
from remediator.rehearse.seeing import Record, differences
from remediator.rehearse.stage import Stage
from remediator.rehearse.time import run
from remediator.rules.files import TESTS, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from remediator.engine.setup import Setup
    from remediator.model.command import CommandSpec
    from remediator.model.request import RequestSpec
    from remediator.model.rule import Rule
    from remediator.rehearse.document import Case, Entry
    from remediator.rehearse.seeing import Difference

RuleKey = tuple[Path, str]

SETTLED = 0.001
"""Seconds after a moment at which all that is due by then has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A file of tests, with all that they need."""

    path: Path
    cases: tuple[Case, ...]
    setup: Setup
    commands: Mapping[str, CommandSpec]
    requests: Mapping[str, RequestSpec]
    metrics: Metrics = field(default_factory=lambda: Metrics("rehearsal"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A moment at which something was not as it was expected."""

    line: int
    at: str
    """Since the test began, as it is written."""
    error: str = ""
    """Why what the test wants to happen could not."""
    differences: tuple[Difference, ...] = ()
    faults: tuple[str, ...] = ()
    """Exceptions that the engine did not expect: what it said, and the traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one test. It ends with its first failure, for what follows only follows from that."""

    case: Case
    failure: Failure | None
    record: Record

    @property
    def ok(self) -> bool:
        """Whether all was as expected."""
        return self.failure is None


def find_suites(paths: Sequence[Path]) -> list[Path]:
    """The files of tests at these paths: files, and directories with files `*.test.yml` in or below them.

    InputError where there is none.
    """
    found: dict[Path, None] = {}
    problems = []
    for path in paths:
        if path.is_dir():
            inside = [file for folder in _folders(path) for file in sorted(folder.iterdir())]
            inside = [file for file in inside if file.name.endswith(TESTS) and file.name[0] != "."]
            if not inside:
                message = "there is no file of tests (*.test.yml) in or below this directory"
                problems.append(Problem(file=str(path), message=message))
            found.update(dict.fromkeys(inside))
        else:
            found[path] = None
    if problems:
        raise InputError(problems)
    return list(found)


def _folders(path: Path) -> Iterator[Path]:
    """A directory and all below it, but for hidden ones."""
    for folder, below, _ in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(folder)


def load_suite(path: Path, *, rules: Sequence[Path] = ()) -> Suite:
    """Read a file of tests with the rules under test, others than it names if they are given.

    InputError carries every mistake in any of the files.
    """
    written = read_suite(path)
    config = load_config(written.file.config) if written.file.config else written.file.settings
    under_test = rules or written.file.rules or (_beside(path),)
    setup = assemble(config, channels={}, rules=under_test)
    names = {matched.rule.name for matched in setup.rules}
    problems = list(_unknown(written.cases, names, rules=bool(rules)))
    if problems:
        raise InputError(problems)
    setup = replace(setup, pause_file=None)
    return Suite(
        path=path,
        cases=written.cases,
        setup=setup,
        commands=config.commands,
        requests=config.requests,
    )


def _beside(path: Path) -> Path:
    """The rule file that a file of tests is about by its name."""
    return path.with_name(path.name.replace(".test.", "."))


def _unknown(cases: Iterable[Case], names: set[str], *, rules: bool) -> Iterator[Problem]:
    """Rules that are expected to run and that are not there; a typing error would hide in a `no_run`."""
    for case in cases:
        for entry, line in zip(case.entry.timeline, case.lines, strict=True):
            expect = entry.expect
            wanted = [*expect.no_run, *([expect.run.rule] if expect.run else [])] if expect else []
            for name in wanted:
                if name not in names and not rules:
                    message = f"there is no rule `{name}`{did_you_mean(name, names)}"
                    yield Problem(file=case.file, line=line, message=message)


def perform(suite: Suite, case: Case) -> Result:
    """Rehearse one test. It fails if the engine meets an exception that it does not expect and only logs."""
    record = Record()
    with faults() as found:
        failure = run(lambda: _perform(suite, case, record, found))
    if found:
        # The last moment at the latest: what only comes to pass when the engine stops counts, too.
        last = Failure(line=case.lines[-1], at=format_duration(case.entry.timeline[-1].at))
        failure = replace(failure or last, faults=tuple(found))
    return Result(case=case, failure=failure, record=record)


async def _perform(suite: Suite, case: Case, record: Record, found: Sequence[str]) -> Failure | None:
    begins = case.entry.begins
    stage = Stage(
        suite.setup,
        start=begins,
        commands=suite.commands,
        requests=suite.requests,
        metrics=suite.metrics,
    )
    stage.on_commit(record.follow)
    rules = {matched.rule.name: matched.rule for matched in suite.setup.rules}
    failure: Failure | None = None
    async with stage:
        for entry, line in zip(case.entry.timeline, case.lines, strict=True):
            await stage.wait_until(begins + entry.at)
            failure = await _moment(stage, record, rules, entry, line)
            if failure is None and found:
                failure = Failure(line=line, at=format_duration(entry.at))
            if failure is not None:
                break
    return failure


async def _moment(
    stage: Stage, record: Record, rules: Mapping[str, Rule], entry: Entry, line: int
) -> Failure | None:
    at = format_duration(entry.at)
    try:
        await do(stage, record.state, entry)
    except CannotError as error:
        return Failure(line=line, at=at, error=str(error))
    await stage.settle(SETTLED)
    if entry.expect is None:
        return None
    found = tuple(differences(entry.expect, record, stage.told, rules))
    return Failure(line=line, at=at, differences=found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the tests that passed show, and what they do not."""

    rules: tuple[Rule, ...]
    untested: tuple[Rule, ...]
    """Rules of which no test expects a run."""
    guardrails: tuple[tuple[Rule, str], ...]
    """What the rules and the configuration limit: a rule, and a guardrail that can object to it."""
    unshown: tuple[tuple[Rule, str], ...]
    """Of those, the ones that never objected in any test."""
    files: tuple[Path, ...] = ()
    """Rule files that no file of tests is about."""

    @property
    def whole(self) -> bool:
        """Whether nothing is left unshown."""
        return not (self.untested or self.unshown or self.files)


def coverage(suites: Sequence[Suite], results: Iterable[Result], paths: Iterable[Path] = ()) -> Coverage:
    """What all these results together show of all these rules, and of the rule files in these directories."""
    rules: dict[RuleKey, tuple[Rule, Setup]] = {}
    keys: dict[str, dict[str, RuleKey]] = {}
    for suite in suites:
        own = keys.setdefault(str(suite.path), {})
        for matched in suite.setup.rules:
            key = own[matched.rule.name] = _key(matched.rule)
            rules.setdefault(key, (matched.rule, suite.setup))
    tested: set[RuleKey] = set()
    objected: set[tuple[RuleKey, str]] = set()
    for result in results:
        if result.ok:
            own = keys[result.case.file]
            expected = (entry.expect for entry in result.case.entry.timeline)
            tested |= {own[expect.run.rule] for expect in expected if expect and expect.run}
            objected |= {(own[rule], name) for rule, name in result.record.objections()}
    limits = [(key, rule, name) for key, (rule, setup) in rules.items() for name in _limits(rule, setup)]
    return Coverage(
        rules=tuple(rule for rule, _ in rules.values()),
        untested=tuple(rule for key, (rule, _) in rules.items() if key not in tested),
        guardrails=tuple((rule, name) for _, rule, name in limits),
        unshown=tuple((rule, name) for key, rule, name in limits if (key, name) not in objected),
        files=tuple(_left_out(suites, paths)),
    )


def _key(rule: Rule) -> RuleKey:
    """Its file however it was come by, and its name: files that are not used together may share names."""
    return Path(rule.source.rpartition(":")[0]).resolve(), rule.name


def _left_out(suites: Iterable[Suite], paths: Iterable[Path]) -> Iterator[Path]:
    under_test = {Path(source.file).resolve() for suite in suites for source in suite.setup.rules.files}
    found, _ = listed([folder for path in paths if path.is_dir() for folder in _folders(path)])
    return (file for file in found if file.resolve() not in under_test)


def _limits(rule: Rule, setup: Setup) -> Iterator[str]:
    """The guardrails that this rule sets for itself, or that its severity has."""
    mode = rule.mode
    if rule.severity is not None:
        mode = max(mode, setup.policy.severities[rule.severity].mode, key=lambda mode: mode.strictness)
    mode = max(mode, setup.policy.mode, key=lambda mode: mode.strictness)
    if mode is Mode.SHADOW:
        yield "shadow"
    if mode is Mode.APPROVE:
        yield "approval"
    guards = rule.guards
    for name, is_set in (
        ("firing_for", rule.firing_for is not None),
        ("when", rule.when != type(rule.when)()),
        ("unless_open", bool(rule.unless_open)),
        ("changed_by_others", bool(guards.changed_by_others)),
        ("cooldown", bool(guards.cooldown)),
        ("budget", bool(guards.budget)),
    ):
        if is_set:
            yield name
