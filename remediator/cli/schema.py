"""`remediator schema`: the JSON Schemas of the files that people write, for editors."""

from __future__ import annotations

import json

import click


@click.command(short_help="Print the JSON Schema of a kind of file.")
@click.argument("kind", type=click.Choice(["rules", "config", "test"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of a rule file, of the configuration, or of a file of rule tests.

    Save it beside the file, and name it in the file's first line, to be helped by an editor:

    \b
        # yaml-language-server: $schema=rules.schema.json
    """  # noqa: D301 - click wants the control character itself
    if kind == "config":
        from remediator.config import config_schema

        written = config_schema()
    elif kind == "test":
        from remediator.rehearse.document import suite_schema

        written = suite_schema()
    else:
        from remediator import actions, checks
        from remediator.rules.load import rules_schema

        written = rules_schema(actions.registry({}), checks.registry({}))
    click.echo(json.dumps(written, indent=2))
