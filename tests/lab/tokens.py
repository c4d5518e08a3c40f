"""Tokens for the lab, made up once per checkout and kept out of the repository.

Those of the checkout are readable by everybody on the machine, since the users inside the lab's containers
have to read them: they open nothing but the lab.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from tests.lab.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("ingest", "operator-alice", "operator-bob")


def ensure(folder: Path = CHECKOUT / "tokens", mode: int = 0o644) -> dict[str, Path]:
    """One file per name; what is there already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    files = {name: folder / name for name in NAMES}
    for file in files.values():
        if not file.is_file():
            file.write_text(secrets.token_urlsafe(32) + "\n")
            file.chmod(mode)
    return files
