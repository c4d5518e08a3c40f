"""The schema, and the two configurations in the repository, held against it and against the reader."""

import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from remediator import actions, checks
from remediator.config import Config, config_schema, load_config
from remediator.model.service import TargetKind
from remediator.rules.load import load_rules
from tests.unit.config.given import secret

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "deploy" / "remediator.example.yml"
LAB = ROOT / "tests" / "lab" / "remediator.yml"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example as somebody sets it up: with its rules and the secrets that it names."""
    file = tmp_path / "remediator.yml"
    shutil.copy(EXAMPLE, file)
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    for name in ("tokens/ingest", "tokens/operator-alice", "tokens/operator-bob", "secrets/oncall-signing"):
        secret(tmp_path, name)
    return file


def test_the_schema_is_valid_and_closed() -> None:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Config.model_fields)


@pytest.mark.parametrize("file", [EXAMPLE, LAB], ids=["example", "lab"])
def test_the_schema_accepts_it(file: Path) -> None:
    jsonschema.validate(yaml.safe_load(file.read_text()), config_schema())


@pytest.mark.parametrize(
    "change",
    [
        {"lissten": "x"},
        {"mode": "fast"},
        {"drain": 25},
        {"severities": {"P4": {}}},
        {"services": {"app": {"target": "app"}}},
        {"services": {"app": {"min_healthy": "most"}}},
        {"commands": {"go": {}}},
        {"tokens": {"ingest": [{"name": "x"}]}},
        {"guardrails": {"budget": ["3"]}},
        {"limits": {"max_body": "lots"}},
    ],
    ids=lambda change: "-".join(change),
)
def test_the_schema_refuses_what_the_reader_refuses(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(change, config_schema())
    file = tmp_path / "remediator.yml"
    file.write_text(yaml.safe_dump(change))
    with pytest.raises(Exception, match=re.escape(str(file))):
        load_config(file)


def test_the_example_is_right_and_its_rules_fit(example: Path) -> None:
    config = load_config(example)
    found = [problem.message for problem in config.warnings]
    assert all("is no program that can be run here" in message for message in found), found
    rules = load_rules(
        config.rules,
        services=config.services,
        actions=actions.registry(config.commands, config.requests),
        checks=checks.registry(config.commands, config.requests),
    )
    assert len(rules) >= 3


def test_the_example_shows_every_key(example: Path) -> None:
    text = example.read_text()
    shown = set(re.findall(r"^(?:# )?([a-z_]+):", text, re.MULTILINE))
    assert set(Config.model_fields) <= shown


def test_what_the_example_has_commented_out_is_the_default(example: Path) -> None:
    before = load_config(example)
    lines = example.read_text().splitlines()
    # Whole sections and their keys only; the remarks behind them are prose.
    uncommented = [re.sub(r"^# (?=(  )*[a-z_]+:( |$))", "", line) for line in lines]
    assert sum(old != new for old, new in zip(lines, uncommented, strict=True)) >= 10
    example.write_text("\n".join(uncommented) + "\n")
    after = load_config(example)
    differing = [key for key in Config.model_fields if getattr(before, key) != getattr(after, key)]
    assert differing == ["prometheus"]  # which has no default


def test_the_lab_goes_by_the_paths_and_names_of_its_compose_file(tmp_path: Path) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.test.yml").read_text())
    folder = tmp_path / "etc"
    folder.mkdir()
    text = LAB.read_text().replace("/etc/remediator", str(folder))
    for name in ("ingest", "operator-alice", "operator-bob"):
        secret(folder, f"tokens/{name}", mode=0o644)
    (folder / "remediator.yml").write_text(text)
    config = load_config(folder / "remediator.yml")
    target = config.services["robo-rlhf"].target
    assert (target.kind, target.name, target.project) == (
        TargetKind.COMPOSE_SERVICE,
        "robo-rlhf",
        compose["name"],
    )
    assert target.name in compose["services"]
    assert {str(config.store.parent), "/etc/remediator/rules", "/etc/remediator/tokens"} <= {
        volume["target"] if isinstance(volume, dict) else volume.split(":")[1]
        for volume in compose["services"]["remediator"]["volumes"]
    }
    assert config.listen == ("0.0.0.0", 9098)
    assert [server.url for server in config.alertmanagers] == ["http://alertmanager:9093"]
