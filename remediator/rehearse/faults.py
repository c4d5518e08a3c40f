"""Faults of the engine in a rehearsal: it survives what it does not expect, but no test may pass with it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping


@contextmanager
def faults() -> Iterator[list[str]]:
    """Exceptions that are logged meanwhile, each with what was said of it; all else of the log is dropped."""
    found: list[str] = []

    def collect(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if "exception" in entry:
            found.append(f"{entry['event']}\n{entry['exception']}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.format_exc_info, collect])
    try:
        yield found
    finally:
        structlog.configure(**before)
