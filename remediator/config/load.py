"""The configuration from disk."""

from pathlib import Path
from typing import Any

from remediator.config.advice import advice
from remediator.config.model import Config
from remediator.reading.problems import Problem
from remediator.reading.typed import Mistake, problem_at, read_as
from remediator.reading.yamlfile import read_yaml


def load_config(path: Path) -> Config:
    """Read the configuration, and the files with the secrets that it names.

    InputError carries every mistake with its place; then there is no configuration at all.
    """
    document = read_yaml(path)
    context: dict[str, Any] = {"base": path.parent, "warnings": []}
    config = read_as(document, Config, context)
    warnings = [
        problem_at(document, location, Mistake(message))
        if location[0] in document.root.value
        else Problem(file=document.file, message=message)
        for location, message in advice(config)
    ]
    warnings.sort(key=lambda problem: (problem.line, problem.column))
    config._warnings = (*warnings, *dict.fromkeys(context["warnings"]))
    return config


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration, for editors."""
    schema = Config.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
