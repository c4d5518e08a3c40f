"""Our matchers against Alertmanager's own, on matchers and labels made by chance.

The API's `filter` takes one matcher at a time and reads it by other rules than a configuration's (commas are
part of a value, braces are refused), so both sides are held together as of a configuration: `amtool
check-config` tells for thousands of files which are accepted, and `amtool config routes test` which of
thousands of routes match some labels. Alertmanager 0.25 knows only the older grammar; it is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
from random import Random
from typing import TYPE_CHECKING

import pytest

from remediator.rules.matchers import Matcher, MatcherError, Operator, parse_matchers
from tests.lab import packages
from tests.lab.fixtures import unavailable
from tests.lab.odd_matchers import label_sets, texts
from tests.lab.paths import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

CASES = int(os.environ.get("REMEDIATOR_MATCHER_CASES", "5000"))
SEED = int(os.environ.get("REMEDIATOR_MATCHER_SEED", "1"))
AT_ONCE = 2500
"""Cases in one run of the programs, whose command lines are bounded."""
LABEL_SETS = 12


class Amtool:
    """The matchers that Alertmanager's own tool accepts, and what they match."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder

    def accepted(self, texts: list[str]) -> list[bool]:
        """Whether each text is accepted as a matcher of a configuration."""
        files = [f"{number}.yml" for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            (self.folder / file).write_text(
                f"route: {{receiver: r, routes: [{{matchers: [{_yaml(text)}]}}]}}\nreceivers: [{{name: r}}]\n"
            )
        # Between a file's name and the verdict there may be lines of a log.
        said = re.split(r"^Checking '\d+\.yml'", self._run("check-config", *files), flags=re.MULTILINE)[1:]
        verdicts = [re.search(r"^  (SUCCESS|FAILED: )", text, re.MULTILINE) for text in said]
        assert len(verdicts) == len(texts) and None not in verdicts
        return [verdict is not None and verdict[1] == "SUCCESS" for verdict in verdicts]

    def matching(self, texts: list[str], sets: Iterable[Mapping[str, str]]) -> list[set[int]]:
        """For each set of labels the indexes of the texts, all of them acceptable, that match it."""
        numbers = range(len(texts))
        routes = [f"  - {{receiver: m{n}, continue: true, matchers: [{_yaml(texts[n])}]}}" for n in numbers]
        names = [f"- {{name: m{n}}}" for n in numbers]
        lines = ["route:", "  receiver: none", "  routes:", *routes, "receivers:", "- {name: none}", *names]
        (self.folder / "routes.yml").write_text("\n".join(lines) + "\n")
        found = []
        for labels in sets:
            written = [str(Matcher(name, Operator.EQUAL, value)) for name, value in labels.items()]
            last = self._run("config", "routes", "test", "--config.file=routes.yml", *written).split("\n")[-2]
            assert re.fullmatch(r"none|m\d+(,m\d+)*", last), last
            found.append({int(number) for number in re.findall(r"\d+", last)})
        return found

    def _run(self, *args: str) -> str:
        # Which are refused stands in the output; the exit code only tells that some are.
        done = subprocess.run([self.program, *args], cwd=self.folder, capture_output=True, check=False)
        return done.stdout.decode("utf-8", "replace")


def _yaml(text: str) -> str:
    """The text in YAML's double quotes, with every odd character written as an escape."""
    plain = (char if " " <= char <= "~" and char not in '"\\' else f"\\U{ord(char):08x}" for char in text)
    return f'"{"".join(plain)}"'


@pytest.fixture
def amtool(tmp_path: Path) -> Amtool:
    try:
        return Amtool(packages.programs("new").amtool, tmp_path)
    except LabError as error:
        unavailable(error)


def _ours(text: str) -> tuple[Matcher, ...] | None:
    try:
        return parse_matchers(text)
    except MatcherError:
        return None


def test_alertmanager_accepts_the_same_matchers_and_finds_the_same_with_them(amtool: Amtool) -> None:
    chance = Random(SEED)
    cases = texts(chance, CASES)
    accepted = matched = 0
    disagreements: list[str] = []
    for begin in range(0, CASES, AT_ONCE):
        some = cases[begin : begin + AT_ONCE]
        sets = label_sets(chance, LABEL_SETS)
        ours = [_ours(text) for text in some]
        theirs = amtool.accepted(some)
        for text, mine, they_do in zip(some, ours, theirs, strict=True):
            if (mine is not None) != they_do:
                disagreements.append(f"{text!r}: {'only they accept it' if they_do else f'only we: {mine}'}")
        both = [
            (text, mine) for text, mine, do in zip(some, ours, theirs, strict=True) if do and mine is not None
        ]
        accepted += len(both)
        for labels, found in zip(sets, amtool.matching([text for text, _ in both], sets), strict=True):
            matched += len(found)
            for number, (text, mine) in enumerate(both):
                if all(matcher.matches(labels) for matcher in mine) != (number in found):
                    who = "they match" if number in found else "we match"
                    disagreements.append(f"{text!r} on {labels!r}: only {who}")
    print(f"{CASES} cases of seed {SEED}: {accepted} accepted, {matched} matches of label sets")
    assert not disagreements, "\n".join(disagreements[:100])
    # Otherwise the cases would prove little.
    assert CASES / 4 < accepted < CASES * 3 / 4
    assert accepted / 2 < matched
