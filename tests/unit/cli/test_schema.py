import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from remediator.cli import main

ROOT = Path(__file__).parents[3]
SHIPPED = [
    *(
        ("test" if file.name.endswith(".test.yml") else "rules", file)
        for file in sorted((ROOT / "rules").glob("*.yml"))
    ),
    *(("config", file) for file in sorted((ROOT / "deploy").glob("remediator*.yml"))),
    ("config", ROOT / "tests" / "lab" / "remediator.yml"),
]


@pytest.mark.parametrize(("kind", "file"), SHIPPED, ids=lambda value: getattr(value, "name", value))
def test_the_schema_that_is_printed_accepts_what_is_shipped(kind: str, file: Path) -> None:
    schema = json.loads(CliRunner().invoke(main, ["schema", kind]).output)
    jsonschema.validate(yaml.safe_load(file.read_text()), schema)


@pytest.mark.parametrize(("kind", "key"), [("rules", "groups"), ("config", "services"), ("test", "tests")])
def test_a_schema_is_printed(kind: str, key: str) -> None:
    result = CliRunner().invoke(main, ["schema", kind])
    assert result.exit_code == 0
    schema = json.loads(result.output)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert key in schema["properties"]


def test_the_schema_of_rules_knows_the_actions_and_checks() -> None:
    text = CliRunner().invoke(main, ["schema", "rules"]).output
    assert all(f'"{verb}"' in text for verb in ("restart", "command", "containers", "logs"))


def test_the_kinds_of_files_are_all_tried() -> None:
    assert {kind for kind, _ in SHIPPED} == {"rules", "config", "test"}


def test_another_kind_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["schema", "alerts"]).exit_code == 2
