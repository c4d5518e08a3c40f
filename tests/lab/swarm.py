"""A Swarm of one node for the tests that need one: made on the engine, and left again.

One test run at a time: a second one on the same machine waits, instead of losing the Swarm under its feet.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tests.lab.paths import LabError, lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.engine import Engine


@contextlib.contextmanager
def running(engine: Engine) -> Iterator[None]:
    """Have the engine manage a Swarm for the length of a block. One that was there before is kept."""
    client = engine.client()
    try:
        with lock("swarm"):
            found = client.info()["Swarm"]
            if found["LocalNodeState"] not in ("active", "inactive") or (
                found["LocalNodeState"] == "active" and not found["ControlAvailable"]
            ):
                raise LabError(
                    f"the engine is in a Swarm ({found['LocalNodeState']}) that it does not manage"
                )
            made = found["LocalNodeState"] == "inactive"
            if made:
                client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:2377")
            try:
                yield
            finally:
                if made:
                    client.swarm.leave(force=True)
    finally:
        client.close()
