"""A configuration file in a folder of its own, with the files that it names."""

import re
import textwrap
from pathlib import Path

import pytest

from remediator.config import Config, load_config
from remediator.reading.problems import InputError, Problem

TOKENS = """
tokens:
  ingest: [{name: am, file: tokens/ingest}]
  operators: [{name: alice, file: tokens/alice}]
"""

HERE = Path(__file__).parent
CERTIFICATE = HERE.parent / "world" / "loopback.pem"
"""A certificate with its key, both in one file."""
OTHER_KEY = HERE / "other-key.pem"
LOCKED_KEY = HERE / "locked-key.pem"
"""Protected by a passphrase that nobody knows."""

_WORD = re.compile(r"""[^\s,:\[\]{}"']+|\S""")


def secret(folder: Path, name: str, text: str | bytes | None = None, mode: int = 0o600) -> Path:
    """A file with a secret, one of its own by default."""
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    text = f"{name.replace('/', '-')}-0123456789abcdef\n" if text is None else text
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return file


def config_file(folder: Path, text: str) -> Path:
    """The file itself; the tokens of TOKENS lie beside it."""
    for name in ("tokens/ingest", "tokens/alice"):
        if not (folder / name).exists():
            secret(folder, name)
    file = folder / "remediator.yml"
    file.write_text(textwrap.dedent(text))
    return file


def read(folder: Path, text: str = TOKENS) -> Config:
    """The configuration that a text makes."""
    return load_config(config_file(folder, text))


def problems(folder: Path, text: str) -> list[str]:
    """Every mistake in a text, as `what stands at its place: message`."""
    with pytest.raises(InputError) as caught:
        read(folder, text)
    lines = textwrap.dedent(text).splitlines()
    return [f"{_word_at(lines, p)}: {p.message}".replace(f"{folder}/", "") for p in caught.value.problems]


def _word_at(lines: list[str], problem: Problem) -> str:
    found = _WORD.match(lines[problem.line - 1], problem.column - 1)
    assert found, f"{problem} points at nothing"
    return found[0]


def warnings(folder: Path, text: str) -> list[str]:
    """`line: message` of everything that a text may not mean."""
    return [f"{p.line}: {p.message}".replace(f"{folder}/", "") for p in read(folder, text).warnings]
