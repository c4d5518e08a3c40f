import json

import jsonschema
import pytest
from click.testing import CliRunner

from remediator.cli import main


@pytest.mark.parametrize(("kind", "key"), [("rules", "groups"), ("config", "services")])
def test_a_schema_is_printed(kind: str, key: str) -> None:
    result = CliRunner().invoke(main, ["schema", kind])
    assert result.exit_code == 0
    schema = json.loads(result.output)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert key in schema["properties"]


def test_the_schema_of_rules_knows_the_actions_and_checks() -> None:
    text = CliRunner().invoke(main, ["schema", "rules"]).output
    assert all(f'"{verb}"' in text for verb in ("restart", "command", "containers", "logs"))


def test_another_kind_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["schema", "alerts"]).exit_code == 2
