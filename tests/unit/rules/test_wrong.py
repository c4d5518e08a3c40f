"""Every file in `wrong/` is refused with exactly the words in the text file beside it."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from remediator.reading.problems import InputError
from remediator.rules.load import rules_schema
from tests.unit.rules.given import ACTIONS, CHECKS, load

WRONG = Path(__file__).parent / "wrong"
FILES = sorted(WRONG.glob("*.yml"))


def said(file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the loader says of a file, as somebody sees it who stands beside it."""
    monkeypatch.chdir(file.parent)
    with pytest.raises(InputError) as caught:
        load(Path(file.name))
    return f"{caught.value}\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_wrong_file_is_refused_in_these_words(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(file, monkeypatch) == file.with_suffix(".txt").read_text()


def test_each_wrong_file_has_its_words_and_none_are_left_over() -> None:
    assert len(FILES) >= 30
    assert {file.stem for file in FILES} == {file.stem for file in WRONG.glob("*.txt")}


def test_no_file_is_partly_loaded(tmp_path: Path) -> None:
    good = tmp_path / "good.yml"
    good.write_text("groups: [{name: g, rules: [{name: r, match: [a=b], steps: [restart: ]}]}]\n")
    assert len(load(good)) == 1
    for file in FILES:
        with pytest.raises(InputError):
            load(good, file)


@pytest.mark.parametrize(
    "name",
    ["both-actions", "missing", "not-a-mapping", "typing", "typos", "unquoted", "version"],
)
def test_an_editor_that_knows_the_schema_sees_what_is_wrong_in_its_shape(name: str) -> None:
    written = yaml.safe_load((WRONG / f"{name}.yml").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, rules_schema(ACTIONS, CHECKS))
