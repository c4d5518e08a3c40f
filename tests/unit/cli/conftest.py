"""A daemon's front to talk to, and a shell to talk from."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from remediator.cli import main
from tests.unit.web.house import ALICE, House, StoreDesk
from tests.unit.web.house import house as open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from click.testing import Result


@dataclass
class Shell:
    """Runs the command line on a thread, while the front answers on the loop."""

    house: House

    @property
    def desk(self) -> StoreDesk:
        return self.house.desk

    async def run(self, *args: str, token: str | None = ALICE, code: int = 0, **env: str | None) -> Result:
        given = {"REMEDIATOR_URL": self.house.url, "REMEDIATOR_TOKEN": token, "COLUMNS": "80", **env}
        given.setdefault("REMEDIATOR_TOKEN_FILE", None)
        result = await asyncio.to_thread(CliRunner().invoke, main, args, env=given)
        assert result.exit_code == code, result.output
        return result

    async def told(self, *args: str, **options: Any) -> str:
        """What it prints, with each line's trailing spaces taken off."""
        output = (await self.run(*args, **options)).stdout
        return "\n".join(line.rstrip() for line in output.splitlines())

    async def json(self, *args: str, **options: Any) -> Any:
        return json.loads((await self.run(*args, "-o", "json", **options)).stdout)

    async def refused(self, *args: str, code: int = 1, **options: Any) -> str:
        """What it says on the error stream when it fails; nothing may be on the other one."""
        result = await self.run(*args, code=code, **options)
        assert result.stdout == ""
        return result.stderr


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    async with open_house() as house:
        yield Shell(house)
