"""The command line: one file per group of commands, each loaded only when it is used.

`serve` has to start fast, and `approve` answers a person who waits, so no command pays for the others.
Errors of usage end with exit code 2, as click has it; the other codes are told by each command.
"""

from __future__ import annotations

from importlib import import_module

import click

from remediator.reading.problems import did_you_mean

COMMANDS = {
    "serve": "remediator.cli.serve:serve",
    "check": "remediator.cli.check:check",
    "schema": "remediator.cli.schema:schema",
    "test": "remediator.cli.test:test",
    "backtest": "remediator.cli.backtest:backtest",
    "replay": "remediator.cli.replay:replay",
    "explain": "remediator.cli.explain:explain",
    "status": "remediator.cli.control:status",
    "incidents": "remediator.cli.incidents:incidents",
    "runs": "remediator.cli.runs:runs",
    "run": "remediator.cli.runs:run",
    "cancel": "remediator.cli.runs:cancel",
    "settle": "remediator.cli.runs:settle",
    "undo": "remediator.cli.runs:undo",
    "approvals": "remediator.cli.approvals:approvals",
    "approve": "remediator.cli.approvals:approve",
    "deny": "remediator.cli.approvals:deny",
    "pause": "remediator.cli.control:pause",
    "resume": "remediator.cli.control:resume",
    "reload": "remediator.cli.control:reload",
    "rules": "remediator.cli.rules:rules",
    "events": "remediator.cli.events:events",
    "audit": "remediator.cli.audit:audit",
}
"""Each command, and where it is: `module:attribute`."""


class LazyGroup(click.Group):
    """A group that imports a command when somebody asks for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for, or fail with the nearest name."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"there is no command `{args[0]}`{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="remediator", prog_name="remediator")
def main() -> None:
    """Carry out incident remediation for Prometheus alerts."""
