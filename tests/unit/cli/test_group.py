"""The group loads a command only when it is asked for, and every entry of its table leads to one."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from remediator.cli import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_entry_leads_to_a_command_of_its_name(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_help_lists_every_command_with_a_word_on_it() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    rows = result.output.split("Commands:")[1].splitlines()[1:]
    listed = {row.split()[0]: row.split()[1:] for row in rows if row.startswith("  ") and row[2] != " "}
    assert list(listed) == list(COMMANDS)
    assert all(listed.values())


def test_a_command_that_is_none_is_refused_with_the_nearest() -> None:
    result = CliRunner().invoke(main, ["aprove", "1"])
    assert result.exit_code == 2
    assert "there is no command `aprove`; did you mean `approve`?" in result.output


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("remediator, version ")


def test_importing_the_group_loads_none_of_what_commands_need() -> None:
    heavy = ("aiohttp", "docker", "pydantic", "sqlalchemy", "rich", "yaml")
    code = f"import sys, remediator.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
