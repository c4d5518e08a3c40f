"""`remediator replay`: what other rules would have done about all that really arrived."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remediator.cli.backtest import assume_option, back, duration, interruptible, moment, quiet
from remediator.cli.options import config_option, output_option
from remediator.cli.output import FAILED, UNREACHABLE, Output
from remediator.reading.problems import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from remediator.history.compare import Compared
    from remediator.history.replay import Replay

DIFFERENT = 4
"""Exit code with --exit-code: something would have been different."""


@click.command(short_help="Run other rules over what really arrived.")
@config_option("The configuration: services, commands, policy and store, and the rules if none are given.")
@click.option(
    "--rules",
    "rules",
    metavar="CANDIDATE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File, directory or pattern; may be given several times.",
)
@click.option("--store", type=click.Path(path_type=Path), help="The database, instead of the configured one.")
@click.option("--since", metavar="DURATION", callback=duration, help="Only of runs of the last so long.")
@click.option("--from", "begin", metavar="TIME", callback=moment, help="Only of runs from then on.")
@assume_option
@click.option("--all", "all_", is_flag=True, help="Tell also of runs that would have been the same.")
@click.option(
    "--exit-code", is_flag=True, help=f"End with {DIFFERENT} if anything would have been different."
)
@output_option
def replay(
    config: Path,
    rules: tuple[Path, ...],
    store: Path | None,
    since: timedelta | None,
    begin: datetime | None,
    assumed: tuple[str, ...],
    all_: bool,
    exit_code: bool,
    output: str,
) -> None:
    """Run candidate rules over what really arrived, and tell run by run what would have been different.

    What the daemon received is lived through again in virtual time. Facts are those that its decisions
    stored. Where the candidate asks for one that nobody stored, it is named; --assume says what to take for
    true. The store is only read, and may belong to a daemon that runs.

    \b
    Exit codes:
      0  done; without --exit-code also if there are differences
      1  the files or the assumptions are wrong
      2  the command was used wrongly
      3  the store could not be read
      4  with --exit-code: there are differences
    """  # noqa: D301 - click wants the control character itself
    from remediator.store import StoreError

    out = Output(as_json=output == "json")
    if since is not None and begin is not None:
        raise click.UsageError("give --since or --from, not both")
    try:
        prepared = _prepared(config, rules, store, since, begin, assumed)
    except (InputError, ValueError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(FAILED) from None
    try:
        with interruptible(), quiet():
            found = prepared.go()
    except StoreError as error:
        click.echo(str(error), err=True)
        raise SystemExit(UNREACHABLE) from None
    told = _told(prepared, found, assumed)
    out.json(told) if out.as_json else _tell(out, told, found, all_)
    if exit_code and told["different"]:
        raise SystemExit(DIFFERENT)


def _prepared(
    config_file: Path,
    rules: Sequence[Path],
    store: Path | None,
    since: timedelta | None,
    begin: datetime | None,
    assumed: Sequence[str],
) -> Replay:
    from remediator.clock import SystemClock
    from remediator.history.assumptions import read_assumptions
    from remediator.history.replay import Replay
    from remediator.history.sources import open_setup

    opened = open_setup(config_file, rules)
    return Replay(
        setup=opened.setup,
        commands=opened.config.commands,
        requests=opened.config.requests,
        assumed=read_assumptions(assumed, [matched.rule.name for matched in opened.setup.rules]),
        store=str(store or opened.config.store),
        since=back(SystemClock().now(), since) if since is not None else begin,
    )


def _told(prepared: Replay, found: Sequence[Compared], assumed: Sequence[str]) -> dict[str, Any]:
    record = prepared.record
    counts = Counter(line.difference.value for line in found)
    return {
        "begin": record.begin and record.begin.isoformat(),
        "end": record.end and record.end.isoformat(),
        "rules_version": prepared.setup.rules.version,
        "assumed": dict(text.split("=", 1) for text in assumed),
        "runs": len(found),
        "different": sum(count for what, count in counts.items() if what != "same"),
        "counts": dict(sorted(counts.items())),
        "lines": [line.told() for line in found],
    }


def _tell(out: Output, told: Mapping[str, Any], found: Sequence[Compared], all_: bool) -> None:
    from remediator.cli.output import moment as shown

    if told["begin"] is None:
        out.line("The store is empty: nothing has arrived yet.")
        return
    out.line(f"{shown(told['begin'])} to {shown(told['end'])} UTC, {told['runs']} runs", style="bold")
    lines = [line for line in found if all_ or line.difference != "same"]
    if lines:
        out.line()
    for line in lines:
        begun = f"{line.some.begun:%Y-%m-%d %H:%M:%S}"
        depends = f" (depends on {', '.join(line.depends)})" if line.depends else ""
        out.line(
            f"{begun}  {line.some.service}: {line.difference.value}{depends}",
            style="yellow" if depends else "",
        )
        out.fields(
            (f"  {when}", f"{trail.rule}: {trail.says}")
            for when, trail in (("then", line.then), ("now", line.now))
            if trail is not None
        )
    out.line()
    counts = ", ".join(f"{count} {what}" for what, count in told["counts"].items())
    out.line("No differences" if not told["different"] else counts)
