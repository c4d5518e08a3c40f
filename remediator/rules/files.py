"""The rule files below some paths, all read at one moment, before anything of them is parsed.

A directory may be a git checkout that others update, or a set of links that are swapped: either all files
of before are read, or all of after.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from remediator.reading.files import read_bytes, stamps, undisturbed, unreadable
from remediator.reading.problems import InputError, Problem
from remediator.reading.yamlfile import MAX_BYTES

SUFFIXES = (".yml", ".yaml")
TESTS = (".test.yml", ".test.yaml")
"""How the names of files with tests of rules end, which lie beside the rules and are none."""


@dataclass(frozen=True, slots=True)
class Content:
    """A rule file as it was read, or why it could not be."""

    path: Path
    data: bytes
    problems: tuple[Problem, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash of what is in it, in hex."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Gathered:
    """All rule files below some paths."""

    files: tuple[Content, ...]
    problems: tuple[Problem, ...]
    """Of the paths that lead to none."""


class Listed(NamedTuple):
    """A rule file that is there."""

    path: Path
    """As people wrote it."""
    real: Path
    """Without links: whatever they lead to later, this is read."""


class Listing(NamedTuple):
    """The rule files below some paths. Two are equal as long as the files are the same, none written."""

    files: tuple[Listed, ...]
    problems: tuple[Problem, ...]
    stamps: tuple[object, ...]


def gather(paths: Sequence[Path]) -> Gathered:
    """Read every rule file below `paths`, each once, in the order of the paths and of the names.

    InputError if they do not stop changing.
    """
    return undisturbed(paths[0], lambda: listing(paths), _read) if paths else Gathered((), ())


def listing(paths: Sequence[Path]) -> Listing:
    """The rule files below `paths`, each once, and the paths that lead to none."""
    files: dict[Path, Listed] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            found = list(_below(path))
        except (OSError, ValueError) as error:
            problems.append(unreadable(path, error))
            continue
        if not found:
            problems.append(Problem(file=str(path), message="there is no rule file (*.yml, *.yaml) here"))
        for file in found:
            files.setdefault(file.real, file)
    return Listing(tuple(files.values()), tuple(problems), stamps(file.real for file in files.values()))


def listed(paths: Sequence[Path]) -> tuple[list[Path], list[Problem]]:
    """The rule files below `paths` as people wrote them, and the paths that lead to none."""
    found = listing(paths)
    return [file.path for file in found.files], list(found.problems)


def is_pattern(path: Path) -> bool:
    """Whether this is a pattern such as `rules/*.yml`, and not a path of something that is there."""
    return any(char in str(path) for char in "*?[") and not path.exists()


def _read(found: Listing) -> Gathered:
    files = []
    for path, real in found.files:
        try:
            files.append(Content(path, read_bytes(real, MAX_BYTES + 1, told_as=path)))
        except InputError as error:
            files.append(Content(path, b"", error.problems))
    return Gathered(tuple(files), found.problems)


def _below(path: Path) -> Iterator[Listed]:
    if path.is_dir():
        # Followed once for all of its files: a link that is swapped meanwhile parts none of them.
        real = path.resolve()
        return (_listed(path / file.name, file) for file in _rule_files(sorted(real.iterdir()), real))
    if is_pattern(path):
        root = pattern_root(path)
        found = _rule_files(sorted(root.glob(str(path.relative_to(root)))), root)
        return (_listed(file, file) for file in found)
    if path.name.endswith(TESTS):
        raise ValueError("it holds tests of rules, by its name; `remediator test` runs them")
    return iter([_listed(path, path)])


def _rule_files(found: Sequence[Path], root: Path) -> Iterator[Path]:
    """Without what editors and git keep for themselves: hidden files, and all in hidden directories."""
    for file in found:
        hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
        if not hidden and file.suffix in SUFFIXES and not file.name.endswith(TESTS):
            yield file


def pattern_root(path: Path) -> Path:
    """The directory in which a pattern begins."""
    return next(parent for parent in path.parents if not any(char in str(parent) for char in "*?["))


def _listed(path: Path, file: Path) -> Listed:
    try:
        return Listed(path, file.resolve())
    except (OSError, RuntimeError):  # links in a circle; whoever reads it is told
        return Listed(path, file)
