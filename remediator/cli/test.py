"""`remediator test`: rules rehearsed in virtual time, as their tests have it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from remediator.cli.backtest import quiet
from remediator.cli.options import output_option
from remediator.cli.output import FAILED, Output
from remediator.reading.problems import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from remediator.reading.problems import Problem
    from remediator.rehearse.suite import Result, Suite

MANY = 20
"""From so many tests on a bar shows how far they are."""


@click.command(short_help="Run the tests of rules, in virtual time.")
@click.argument(
    "paths", metavar="FILE|DIRECTORY...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("-k", "part", metavar="TEXT", help="Only tests whose name has this in it.")
@click.option("--coverage", is_flag=True, help="Name each rule and guardrail that no test shows.")
@click.option("--fail-uncovered", is_flag=True, help="Fail if there are any. Shows them, too.")
@click.option(
    "--junit",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results for a CI system.",
)
@output_option
def test(
    paths: tuple[Path, ...],
    part: str | None,
    coverage: bool,
    fail_uncovered: bool,
    junit: Path | None,
    output: str,
) -> None:
    """Run the tests of rules, in virtual time.

    They stand in files named `*.test.yml`, beside the rules. Each test lives through a time line of alerts
    and of what else happens, and tells what it expects of the rules; the daemon's own engine does it, in a
    simulated world. docs/reference/rule-tests.md tells how to write them.

    \b
    Exit codes:
      0  all tests passed
      1  a test failed, a file has mistakes, or something is not shown and
         --fail-uncovered is given
      2  the command was used wrongly
    """  # noqa: D301 - click wants the control character itself
    from remediator.rehearse import report
    from remediator.rehearse.suite import coverage as coverage_of

    out = Output(as_json=output == "json")
    suites = _read(paths)
    with quiet():
        results = list(_perform(suites, part))
    if not results:
        raise click.ClickException(f"no test has `{part}` in its name")
    seen = coverage_of(suites, results, paths)
    if junit is not None:
        _write(junit, report.as_junit(results))
    if out.as_json:
        out.json(report.as_json(results, seen))
    else:
        _tell(out, results, [*report.uncovered(seen)] if coverage or fail_uncovered else [])
        for line in report.summary(results, seen):
            out.line(line)
    unshown = fail_uncovered and not seen.whole
    if unshown or not all(result.ok for result in results):
        raise SystemExit(FAILED)


def _read(paths: Sequence[Path]) -> list[Suite]:
    """All files of tests; every mistake in any of them is told before anything runs."""
    from remediator.rehearse.suite import find_suites, load_suite

    problems: list[Problem] = []
    suites: list[Suite] = []
    try:
        files = find_suites(paths)
    except InputError as error:
        raise click.ClickException(str(error)) from None
    for file in files:
        try:
            suites.append(load_suite(file))
        except InputError as error:
            problems += error.problems
    if problems:
        raise click.ClickException("\n".join(map(str, problems)))
    return suites


def _perform(suites: Iterable[Suite], part: str | None) -> Iterator[Result]:
    from remediator.rehearse.suite import perform

    chosen = [
        (suite, case)
        for suite in suites
        for case in suite.cases
        if part is None or part.casefold() in case.entry.name.casefold()
    ]
    if len(chosen) < MANY or not sys.stderr.isatty():
        yield from (perform(suite, case) for suite, case in chosen)
        return
    with click.progressbar(chosen, label="tests", file=sys.stderr) as bar:
        for suite, case in bar:
            yield perform(suite, case)


def _tell(out: Output, results: Iterable[Result], unshown: Iterable[str]) -> None:
    from remediator.rehearse.report import told

    for result in results:
        lines = list(told(result))
        for line in lines:
            out.line(line, style="bold red" if line is lines[0] else "")
        if lines:
            out.line()
    for line in unshown:
        out.line(line)


def _write(junit: Path, content: bytes) -> None:
    try:
        junit.write_bytes(content)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise click.ClickException(f"{junit} cannot be written: {why}") from None
