"""What a file of rule tests may hold, and what is said where it holds something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remediator.reading.problems import InputError
from remediator.rehearse.document import read_suite
from remediator.rehearse.suite import load_suite
from tests.simulation.given import rules

if TYPE_CHECKING:
    from pathlib import Path

    from remediator.rehearse.document import Written

MOMENT = "{at: 0s, fire: {alertname: Down}, expect: {runs: 1}}"


def read(folder: Path, timeline: str, *, more: str = "") -> Written:
    file = folder / "a.test.yml"
    file.write_text(f"{more}\ntests:\n  - name: one\n    timeline:\n      - {timeline}\n")
    return read_suite(file)


def test_it_knows_where_each_moment_stands(tmp_path: Path) -> None:
    (case,) = read(tmp_path, f"{MOMENT}\n      - {MOMENT}").cases
    assert (case.line, case.lines) == (3, (5, 6))


@pytest.mark.parametrize(
    ("timeline", "message"),
    [
        ("{at: 0s}", "nothing happens here, and nothing is expected"),
        ("{at: 0s, fire: {alertname: Down}}", "nothing is expected in this test, so it cannot fail"),
        ("{at: 0s, expect: {}}", "nothing is expected here"),
        (f"{{at: 1s, pause: {{}}}}\n      - {MOMENT}", "this is earlier than the entry before it"),
        ("{at: soon, expect: {runs: 0}}", "'soon' is not a duration"),
        ("{at: 0s, expect: {run: {rul: x}}}", "unknown key of an expected run `rul`; did you mean `rule`?"),
        ("{at: 0s, expect: {run: {rule: x, status: hold}}}", "did you mean `held`?"),
        ("{at: 0s, containers: {web: ill}, expect: {runs: 0}}", "expected one of `well`"),
        ("{at: 0s, fire: {}, expect: {runs: 0}}", "at least 1 of them"),
        ("{at: 0s, expect: {no_run: []}}", "at least 1 of them"),
        ("{at: 99999999d, expect: {runs: 0}}", "this is after the year 2999"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, timeline: str, message: str) -> None:
    with pytest.raises(InputError) as told:
        read(tmp_path, timeline)
    assert message in str(told.value)


@pytest.mark.parametrize("begins", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+10:00"])
def test_a_moment_without_a_calendar_is_refused_at_its_place(tmp_path: Path, begins: str) -> None:
    file = tmp_path / "a.test.yml"
    file.write_text(f"tests:\n  - name: one\n    begins: {begins}\n    timeline: [{MOMENT}]\n")
    with pytest.raises(InputError) as told:
        read_suite(file)
    assert f"{file}:3:13: " in str(told.value)
    assert f"expected a moment from 1970 to 2999; this is `{begins}`" in str(told.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("config: a.yml\nsettings: {}", "give either `config` or `settings`"),
        ("settings: {servces: {}}", "did you mean `services`?"),
        ("settings: {services: {web: {depends_on: [db]}}}", "there is no service `db`"),
    ],
)
def test_mistakes_of_the_surroundings_are_told(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(InputError) as told:
        read(tmp_path, MOMENT, more=more)
    assert message in str(told.value)


def test_two_tests_have_two_names(tmp_path: Path) -> None:
    file = tmp_path / "a.test.yml"
    case = f"  - {{name: one, timeline: [{MOMENT}]}}\n"
    file.write_text(f"tests:\n{case}{case}")
    with pytest.raises(InputError, match="there is a test `one` already"):
        read_suite(file)


def test_a_rule_that_is_not_there_cannot_be_expected_nor_missed(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(rules())
    for expect in ("run: {rule: web-dwn}", "no_run: [web-dwn]"):
        file = tmp_path / "a.test.yml"
        file.write_text(
            "settings: {services: {web: {}}}\n"
            f"tests:\n  - {{name: one, timeline: [{{at: 0s, expect: {{{expect}}}}}]}}\n"
        )
        with pytest.raises(InputError, match="there is no rule `web-dwn`; did you mean `web-down`"):
            load_suite(file)
