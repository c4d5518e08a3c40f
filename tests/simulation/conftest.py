"""What holds for every test in here: virtual time, and no fault that the daemon only logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests.simulation.house import House

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from pathlib import Path


@pytest.fixture(autouse=True)
def faults() -> Iterator[list[str]]:
    """Exceptions that the daemon caught and logged because it did not expect them; none may be left."""
    found: list[str] = []

    def collect(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if "exception" in event:
            found.append(f"{event['event']}: {event['exception']}")
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, collect])
    yield found
    structlog.reset_defaults()
    assert not found, "\n".join(found)


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., House]:
    """Factory: `async with build(rules(), services=...) as house:`."""
    return lambda rules, **how: House(rules, tmp_path, **how)
