"""A program for a named command that a test looks into, holds, and lets fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """#!/bin/sh
echo "$*" >> {folder}/begun
while [ -e {folder}/held ]; do sleep 0.05; done
code=$(cat {folder}/code)
echo "$code" >> {folder}/ended
echo "{name} ends with $code"
exit "$code"
"""


class Program:
    """A script that writes down each of its calls, and ends with *code* once nobody holds it."""

    def __init__(self, folder: Path, name: str = "mend", code: int = 0) -> None:
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.path = self.folder / name
        self.path.write_text(SCRIPT.format(folder=self.folder, name=name))
        self.path.chmod(0o755)
        self.ends(code)

    def command(self, **more: Any) -> dict[str, Any]:
        """Its entry among the `commands` of remediator.yml."""
        return {"argv": [str(self.path)], "timeout": "20s", **more}

    def ends(self, code: int) -> None:
        """Which exit code it ends with from now on."""
        fresh = self.folder / "code.new"
        fresh.write_text(str(code))
        fresh.replace(self.folder / "code")

    def hold(self) -> None:
        """Let it wait, whoever calls it from now on."""
        (self.folder / "held").touch()

    def release(self, missing_ok: bool = False) -> None:
        """Let it go on."""
        (self.folder / "held").unlink(missing_ok)

    def calls(self) -> int:
        """How often it was begun."""
        return len(self._lines("begun"))

    def ended(self) -> int:
        """How often it has come to its end by itself."""
        return len(self._lines("ended"))

    def wait_begun(self, times: int = 1) -> None:
        """Until it was begun so many times."""
        until_sync(lambda: self.calls() >= times, 30, f"{times} calls of {self.path.name}")

    def wait_ended(self, times: int = 1) -> None:
        """Until it has ended so many times."""
        until_sync(lambda: self.ended() >= times, 30, f"{times} ends of {self.path.name}")

    def _lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []
