"""`remediator backtest`: what the rules would have done about all that a Prometheus remembers."""

from __future__ import annotations

import contextlib
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remediator.cli.options import config_option, output_option
from remediator.cli.output import FAILED, UNREACHABLE, Output
from remediator.reading.problems import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping
    from types import FrameType

    from remediator.history.backtest import Backtest

SINCE = timedelta(days=30)
"""How far a backtest goes back if nobody says."""
STOPPED = 130
"""Exit code: it was interrupted; what is told is of the time before."""


def duration(context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    """A callback that reads a duration."""
    from remediator.model.duration import parse_duration

    try:
        length = parse_duration(value) if value is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if length is not None and length <= timedelta(0):
        raise click.BadParameter("expected more than 0")
    return length


def moment(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """A callback that reads a time; without a zone it is UTC."""
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"`{value}` is no time such as 2026-03-01T12:00:00Z") from None


def back(end: datetime, length: timedelta) -> datetime:
    """So long before `end`."""
    from remediator.history.changes import EARLIEST

    if length > end - EARLIEST:
        raise click.BadParameter("it reaches back to before 1970", param_hint="--since")
    return end - length


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends what is within as Ctrl-C does, so that nothing is left behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        # It may be ignored, as a shell does for what runs in the background.
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


assume_option = click.option(
    "--assume",
    "assumed",
    metavar="FACT=VALUE",
    multiple=True,
    help="What to take for true of what the past does not tell, such as resolved-after=5m.",
)


@click.command(short_help="Run the rules over the alerts of the past.")
@config_option("The configuration: services, commands and policy, and the rules if none are given.")
@click.argument("rules", metavar="[RULES]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--prometheus", metavar="URL", help="Its past; by default that of the configured one.")
@click.option("--from", "file", type=click.Path(path_type=Path), help="Episodes as JSON lines, instead.")
@click.option(
    "--since",
    metavar="DURATION",
    callback=duration,
    help="How far back. [default: 30d, or all of the file of --from]",
)
@click.option("--until", metavar="TIME", callback=moment, help="The end. [default: now]")
@click.option(
    "--step", metavar="DURATION", default="1m", callback=duration, help="Between looks. [default: 1m]"
)
@assume_option
@click.option(
    "--flapping",
    metavar="COUNT/WINDOW",
    default="3/1h",
    show_default=True,
    help="A service that is acted on so often in that time flaps.",
)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with charts.")
@output_option
def backtest(config: Path, rules: tuple[Path, ...], html: Path | None, output: str, **options: Any) -> None:
    """Run RULES over the alerts that a Prometheus remembers, as the daemon would have met them.

    RULES are files, directories or patterns; without any, those of the configuration. Nothing is acted on.
    Time is virtual: a month takes minutes. What the past does not tell, such as whether somebody was at work
    on a container, is named where a decision rests on it; --assume says what to take for true.

    \b
    Exit codes:
      0    done
      1    the files or the assumptions are wrong
      2    the command was used wrongly
      3    the past could not be read
      130  interrupted; what is told is of the time before
    """  # noqa: D301 - click wants the control character itself
    from remediator.history.changes import HistoryError
    from remediator.history.page import as_page
    from remediator.history.report import report

    out = Output(as_json=output == "json")
    try:
        test = _prepared(config, rules, **options)
    except (InputError, ValueError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(FAILED) from None
    if html is not None:
        _write(out, html, None)
    try:
        done = _go(out, test)
    except InputError as error:
        click.echo(str(error), err=True)
        raise SystemExit(FAILED) from None
    except HistoryError as error:
        out.note(str(error))
        raise SystemExit(UNREACHABLE) from None
    told = report(test, options["assumed"])
    if html is not None:
        _write(out, html, as_page(told))
    out.json(told) if out.as_json else _tell(out, told)
    if not done:
        raise SystemExit(STOPPED)


def _prepared(
    config_file: Path,
    rules: tuple[Path, ...],
    *,
    prometheus: str | None,
    file: Path | None,
    since: timedelta | None,
    until: datetime | None,
    step: timedelta,
    assumed: tuple[str, ...],
    flapping: str,
) -> Backtest:
    from remediator.clock import SystemClock
    from remediator.history.assumptions import read_assumptions
    from remediator.history.backtest import Backtest
    from remediator.history.changes import first_moment, read_episodes
    from remediator.history.sources import alerts_of, open_setup
    from remediator.reading.fields import budget

    if file is not None and prometheus is not None:
        raise click.UsageError("give --prometheus or --from, not both")
    opened = open_setup(config_file, rules)
    now = SystemClock().now().replace(microsecond=0)
    if until is not None and until > now:
        raise click.BadParameter("the past ends now", param_hint="--until")
    end = until or now
    begin = back(end, since or SINCE)
    if file is not None:
        first = first_moment(file, now)
        begin = first if since is None else max(begin, first)
    return Backtest(
        setup=opened.setup,
        commands=opened.config.commands,
        requests=opened.config.requests,
        assumed=read_assumptions(assumed, [matched.rule.name for matched in opened.setup.rules]),
        flapping=budget(flapping),
        begin=begin,
        end=until if file is not None else end,
        source=(
            (lambda: read_episodes(file, begin, now))
            if file is not None
            else (lambda: alerts_of(opened.config, prometheus, begin, end, step))
        ),
    )


def _go(out: Output, test: Backtest) -> bool:
    """Run it; False if it was interrupted."""
    try:
        with interruptible(), quiet(), _progress(test) as told:
            test.progress = told
            test.go()
    except KeyboardInterrupt:
        out.note(f"interrupted at {test.reached:%Y-%m-%d %H:%M}: this is of the time before")
        return False
    return True


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What the engine logs belongs to the rehearsal; only its own faults are told."""
    import structlog

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, _faults],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _faults(_: object, __: str, entry: MutableMapping[str, Any]) -> str:
    import structlog

    if "exception" not in entry:
        raise structlog.DropEvent
    return f"{entry['event']}\n{entry['exception']}"


@contextlib.contextmanager
def _progress(test: Backtest) -> Iterator[Callable[[datetime], None]]:
    """A bar on the error stream, if somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal or test.end is None:
        yield lambda _: None
        return
    days = (test.end - test.begin).total_seconds() / 86_400
    columns = (
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:.0f} days"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=days)
        yield lambda now: bar.update(task, completed=(now - test.begin).total_seconds() / 86_400)


def _write(out: Output, html: Path, page: str | None) -> None:
    """Write the page, or with None find out, before a long wait, whether it can be written."""
    try:
        if page is None:
            html.open("a").close()
        else:
            html.write_text(page, encoding="utf-8")
    except OSError as error:
        out.note(f"{html}: cannot be written: {(error.strerror or str(error)).lower()}")
        raise SystemExit(FAILED) from None


def _tell(out: Output, told: Mapping[str, Any]) -> None:
    from remediator.history.report import tables

    out.line(f"{_minute(told['begin'])} to {_minute(told['end'])} UTC", style="bold")
    worst = told["worst_hour"]
    out.fields(
        [
            ("episodes", told["episodes"]),
            ("of no rule", told["unmatched"]),
            ("unclassified", told["unclassified"]),
            ("acts", told["acts"]),
            ("worst hour", worst and f"{worst['acts']} acts from {_minute(worst['begins'])}"),
            ("assumed", ", ".join(f"{name}={value}" for name, value in told["assumed"].items())),
        ]
    )
    out.heading("Rules")
    rows = [_row(name, rule) for name, rule in told["rules"].items() if rule["episodes"]]
    out.table(("rule", "episodes", "runs", "acts", "most/day", "outcomes"), rows)
    idle = [name for name, rule in told["rules"].items() if not rule["episodes"]]
    if idle:
        out.line(f"Never called for: {', '.join(idle)}")
    found = tables(told)
    for title, names, rows in (
        ("Held", ("rule", "guardrail", "reason", "times"), found["holds"]),
        ("Denied", ("rule", "reason", "times"), found["denials"]),
        ("Approvals", ("rule", "what", "times"), found["approvals"]),
        (
            f"Flapping: acted on {told['flapping']['means']} or more",
            ("service", "acts"),
            list(told["flapping"]["services"].items()),
        ),
        (
            "Depends on what the past does not tell (see --assume)",
            ("rule", "what", "fact", "times"),
            found["depends_on"],
        ),
    ):
        if rows:
            out.heading(title)
            out.table(names, rows)


def _row(name: str, rule: Mapping[str, Any]) -> tuple[object, ...]:
    outcomes = [f"{count} {outcome}" for outcome, count in rule["outcomes"].items()]
    if rule["unfinished"]:
        outcomes.append(f"{rule['unfinished']} not finished")
    most = max(rule["acts_per_day"].values(), default=0)
    return name, rule["episodes"], rule["runs"], rule["acts"], most, ", ".join(outcomes)


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")
