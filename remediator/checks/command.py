"""The check `command`: a named command that only looks; its exit code says whether all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.checks.base import Look
from remediator.model.command import CommandInputError, CommandParams, objection
from remediator.model.text import harmless
from remediator.model.world import Finding
from remediator.world.base import CommandNotStarted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.model.command import CommandSpec
    from remediator.model.service import Service
    from remediator.world.base import World


class CommandLook(Look[CommandParams]):
    """Run a command to look: exit code 0 is well, any other is not."""

    name = "command"
    params = CommandParams
    needs_containers = False

    def __init__(self, commands: Mapping[str, CommandSpec]) -> None:
        self._commands = commands

    def check(self, params: CommandParams) -> str | None:
        """The command must exist, and the values fit it."""
        return objection(self._commands, params.name, params.args)

    async def see(self, service: Service, params: CommandParams, world: World) -> Finding:
        """Run it."""
        wrong = objection(world.commands.specs, params.name, params.args)
        if wrong is not None:
            return self.cannot_tell(wrong)
        spec = world.commands.specs[params.name]
        try:
            done = await world.commands.run(spec, spec.fill(params.args))
        except (CommandNotStarted, CommandInputError) as error:
            return self.cannot_tell(str(error))
        if done.timed_out:
            ok, how = None, f"not done within {spec.timeout.total_seconds():g} s"
        else:
            ok, how = done.exit_code == 0, f"exit code {done.exit_code}"
        return Finding(
            check=self.name,
            ok=ok,
            summary=f"{spec.name}: {how}",
            text=harmless(done.output, lines=True),
            facts={"command": spec.name, "exit_code": done.exit_code, "seconds": round(done.seconds, 3)},
        )
