"""Rules that are broken in one place each, made from the parsed file: all that is written is broken once."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from remediator.model.duration import format_duration, parse_duration
from remediator.model.words import IncidentType, Mode, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
GONE = object()

WORDS = {"severity": Severity, "type": IncidentType, "mode": Mode}


def mutants(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each way to break a rule, and the broken rule."""
    yield from _unsaid(rule)
    for path, value in _places(rule):
        if path[0] != "name":
            for other in _others(path, value):
                told = "gone" if other is GONE else other
                yield (
                    f"{rule['name']}: {'.'.join(map(str, path))}: {value} -> {told}",
                    _with(rule, path, other),
                )


def _unsaid(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is left out, and so is free: said strictly."""
    if "mode" not in rule:
        for mode in Mode:
            yield f"{rule['name']}: mode: nothing -> {mode}", {**rule, "mode": str(mode)}


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything that is written, with what it is made of."""
    if path:
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from _places(part, (*path, key))


def _others(path: Path, value: Any) -> Iterator[Any]:
    """What may stand there instead, and means something else."""
    yield GONE
    if not isinstance(value, str):
        return
    if path[0] == "match":
        name, _, text = value.partition("=")
        yield f"{name}!={text}"
        yield f'{name}="{text.strip(chr(34))}x"'
    elif path[-1] in WORDS:
        yield from (str(word) for word in WORDS[str(path[-1])] if word != value)
    elif value in ("true", "false"):
        yield "false" if value == "true" else "true"
    elif "/" in value:
        count, _, window = value.partition("/")
        yield from (f"{int(count) + by}/{window}" for by in (1, -1))
        yield from (f"{count}/{other}" for other in _lengths(window))
    elif value.isdigit():
        yield str(int(value) * 2)
    else:
        yield from _lengths(value)


def _lengths(text: str) -> Iterator[str]:
    try:
        length = parse_duration(text)
    except ValueError:
        return
    if length > timedelta(0):
        yield format_duration(length * 2)
        yield format_duration(length / 2)


def _with(rule: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    broken = deepcopy(rule)
    place: Any = broken
    for part in path[:-1]:
        place = place[part]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return broken
