"""`remediator check`: what the daemon would say of its files, without starting it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remediator.cli.options import config_option
from remediator.model.text import counted, harmless
from remediator.reading.problems import InputError, Problem
from remediator.reading.yamlfile import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from remediator.config import Config
    from remediator.model.words import Mode, Severity
    from remediator.rules.ruleset import RuleSet


@dataclass(slots=True)
class Result:
    """What was found in the files."""

    config: Config | None = None
    rules: RuleSet | None = None
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the daemon would start with these files."""
        return not self.errors


@click.command(short_help="Check the configuration and the rules.")
@config_option()
@click.argument("paths", metavar="[RULES]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Let warnings fail the check, too.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For people, JSON for programs, or annotations for GitHub Actions.",
)
def check(config: Path, paths: tuple[Path, ...], strict: bool, output: str) -> None:
    """Check the configuration and the rules, and name every mistake with its place.

    RULES are files, directories or patterns to check instead of those that the configuration names; its
    services and commands are what they are held against. The files with tokens and secrets are read, too.

    What is allowed but can hardly be meant is a warning: a rule that can never match, for instance, or one
    that never gets an alert because another one comes first.

    \b
    Exit codes:
      0  the daemon would start with these files; there may be warnings
      1  there are mistakes, or with --strict warnings
      2  the command was used wrongly
    """  # noqa: D301 - click wants the control character itself
    result = look(config, paths)
    if output == "json":
        click.echo(_as_json(result))
    else:
        found = _as_text(result) if output == "text" else _as_github(result)
        click.echo("\n".join([*found, *_summary(config, result, names=output == "text")]))
    if not result.ok or (strict and result.warnings):
        raise SystemExit(1)


def look(config_file: Path, paths: Sequence[Path] = ()) -> Result:
    """Read everything as `serve` does."""
    from remediator import actions, checks
    from remediator.config import load_config
    from remediator.rules.lint import lint
    from remediator.rules.load import load_rules

    result = Result()
    try:
        config = result.config = load_config(config_file)
        result.warnings += config.warnings
        result.rules = load_rules(
            paths or config.rules,
            services=config.services,
            actions=actions.registry(config.commands, config.requests),
            checks=checks.registry(config.commands, config.requests),
            prometheus=config.prometheus is not None,
        )
        found = lint(
            result.rules,
            modes=_modes(config),
            reconcile_interval=config.reconcile_interval,
            services=config.services,
        )
        result.warnings += _with_lines(found)
    except InputError as error:
        result.errors += error.problems
    return result


def _modes(config: Config) -> dict[Severity, Mode]:
    """For each severity the strictest mode that the configuration sets."""
    policy = config.policy
    return {
        severity: max(policy.mode, written.mode, key=lambda mode: mode.strictness)
        for severity, written in policy.severities.items()
    }


def _with_lines(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of whole rules, which know only a line, with its text and the column of its first word."""
    lines: dict[str, list[str]] = {}
    for problem in problems:
        if problem.file not in lines:
            lines[problem.file] = read_yaml(Path(problem.file)).lines
        source = lines[problem.file][problem.line - 1]
        yield replace(problem, source=source, column=len(source) - len(source.lstrip(" -")) + 1)


def _as_text(result: Result) -> list[str]:
    return [*map(str, result.errors), *(problem.told("warning") for problem in result.warnings)]


def _as_github(result: Result) -> list[str]:
    """Workflow commands, which show each problem beside its line."""
    errors = [_annotation("error", problem) for problem in result.errors]
    return errors + [_annotation("warning", problem) for problem in result.warnings]


def _annotation(kind: str, problem: Problem) -> str:
    properties = {"file": problem.file}
    if problem.line:
        properties |= {"line": str(problem.line), "col": str(problem.column)}
    written = ",".join(
        f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
    )
    return f"::{kind} {written}::{_escaped(problem.message)}"


def _escaped(text: str) -> str:
    """Text that cannot end a workflow command, or begin another one."""
    return harmless(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _summary(config_file: Path, result: Result, *, names: bool) -> list[str]:
    warnings = f" and {counted(len(result.warnings), 'warning')}" if result.warnings else ""
    if result.config is None:
        mistakes = counted(len(result.errors), "mistake")
        return [f"{mistakes} in the configuration; the rules were not checked"]
    if result.rules is None:
        return [counted(len(result.errors), "mistake") + warnings]
    lines = [f"{harmless(str(config_file))}: fine, with {counted(len(result.rules), 'rule')}{warnings}"]
    if names:
        lines += [
            f"  {harmless(matched.rule.name)}  {harmless(matched.rule.source)}" for matched in result.rules
        ]
    return lines


def _as_json(result: Result) -> str:
    rules = result.rules
    return json.dumps(
        {
            "ok": result.ok,
            "problems": [*_plain("error", result.errors), *_plain("warning", result.warnings)],
            "rules": None
            if rules is None
            else {
                "version": rules.version,
                "rules": [
                    {"name": m.rule.name, "source": m.rule.source, "version": m.rule.version} for m in rules
                ],
            },
        },
        indent=2,
    )


def _plain(kind: str, problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
        }
        for problem in problems
    ]
