"""`remediator check`: what the daemon would say of its files, without starting it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remediator.cli.options import config_option, output_option
from remediator.model.text import harmless
from remediator.reading.problems import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from remediator.config import Config
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
@output_option
def check(config: Path, paths: tuple[Path, ...], output: str) -> None:
    """Check the configuration and the rules, and name every mistake with its place.

    RULES are files, directories or patterns to check instead of those that the configuration names; its
    services and commands are what they are held against. The files with tokens and secrets are read, too.

    \b
    Exit codes:
      0  the daemon would start with these files; there may be warnings
      1  there are mistakes
      2  the command was used wrongly
    """  # noqa: D301 - click wants the control character itself
    result = look(config, paths)
    click.echo(_as_json(result) if output == "json" else _as_text(config, result))
    if not result.ok:
        raise SystemExit(1)


def look(config_file: Path, paths: Sequence[Path] = ()) -> Result:
    """Read everything as `serve` does."""
    from remediator import actions, checks
    from remediator.config import load_config
    from remediator.rules.load import load_rules

    result = Result()
    try:
        config = result.config = load_config(config_file)
        result.warnings += config.warnings
        result.rules = load_rules(
            paths or config.rules,
            services=config.services,
            actions=actions.registry(config.commands),
            checks=checks.registry(config.commands),
        )
    except InputError as error:
        result.errors += error.problems
    return result


def _as_text(config_file: Path, result: Result) -> str:
    lines = [str(problem) for problem in result.errors]
    lines += [_warning(problem) for problem in result.warnings]
    if result.rules is not None:
        lines.append(f"{config_file}: fine, with {_count(len(result.rules), 'rule')}")
        lines += [f"  {harmless(matched.rule.name)}  {matched.rule.source}" for matched in result.rules]
    else:
        lines.append(f"{_count(len(result.errors), 'mistake')}")
        if result.config is None:
            lines[-1] += " in the configuration; the rules were not checked"
    return "\n".join(lines)


def _warning(problem: Problem) -> str:
    return f"{problem.place}: warning: {harmless(problem.message)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


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
