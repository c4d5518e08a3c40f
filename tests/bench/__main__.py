"""Measure both sides, round by round, and print the figures.

Each round starts both sides anew and measures them in turn, so that what else the machine does falls on
both. Exit code 1 when an alert or an act was lost or doubled; a missed target only stands in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import where
from tests.bench.acknowledging import Acknowledging
from tests.bench.acting import Acting
from tests.bench.backtesting import EPISODES, Backtesting
from tests.bench.processes import BenchError
from tests.bench.report import histograms, missed, table
from tests.bench.ruling import Ruling

if TYPE_CHECKING:
    from collections.abc import Sequence

Part = Acknowledging | Acting | Ruling | Backtesting
PARTS: dict[str, type[Part]] = {
    "acknowledging": Acknowledging,
    "acting": Acting,
    "ruling": Ruling,
    "backtesting": Backtesting,
}


def main(argv: Sequence[str]) -> int:
    """Measure and print; see the module's docstring."""
    args = _arguments(argv)
    scales = {"backtesting": args.episodes / EPISODES} if args.episodes else {}
    parts: list[Part] = [PARTS[name](scales.get(name, args.scale)) for name in args.parts or PARTS]
    _say(f"{args.rounds} rounds, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    begin = time.monotonic()
    try:
        for number in range(1, args.rounds + 1):
            for part in parts:
                with tempfile.TemporaryDirectory(prefix="remediator-bench-", dir=args.folder) as folder:
                    part.round(Path(folder))
            _say(f"round {number} of {args.rounds} done, {time.monotonic() - begin:.0f} s")
        _print(parts, args)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    problems = [problem for part in parts for problem in part.problems]
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return 1 if problems else 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the work, for a quick look")
    parser.add_argument("--episodes", type=int, help="of the larger backtest (default: 50,000)")
    parser.add_argument("--no-profile", action="store_true", help="do not print where the time goes")
    parser.add_argument("--json", type=Path, help="also write every value of every round there")
    parser.add_argument("--folder", type=Path, help="where to put the databases (default: TMPDIR)")
    return parser.parse_args(argv)


def _print(parts: Sequence[Part], args: argparse.Namespace) -> None:
    lines = [f"{args.rounds} rounds on {os.cpu_count()} processors; daemon/bare in pairs, marked x"]
    groups = [group for part in parts for group in part.figures()]
    for title, figures in groups:
        lines += table(title, figures)
    lines += missed(groups)
    print("\n".join(lines), flush=True)
    if args.json:
        told = {title: [figure.told() for figure in figures] for title, figures in groups}
        args.json.write_text(json.dumps(told, indent=2))
    daemons = [part for part in parts if not isinstance(part, Ruling | Backtesting)]
    for part in daemons:
        print("\n".join(histograms(part.means)))
    if not args.no_profile:
        for part in daemons:
            with tempfile.TemporaryDirectory(prefix="remediator-bench-", dir=args.folder) as folder:
                look = where.acting if isinstance(part, Acting) else where.acknowledging
                print("\n".join(look(Path(folder))), flush=True)


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
