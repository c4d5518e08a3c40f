"""A program that fills a store as fast as it can, tells what is kept, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from remediator.clock import SystemClock
from remediator.model.run import Incident
from remediator.store import Store, Transaction
from tests.unit.store.given import event, incident


def tell(what: str, number: int) -> None:
    """One write, so that a line is there whole or not at all."""
    sys.stdout.write(f"{what} {number}\n")
    sys.stdout.flush()


async def notify(store: Store) -> None:
    for size in count():
        tell("notification", await store.add_notification(b"x" * (size * 997 % 20_000), "am"))


async def decide(store: Store) -> None:
    def job(transaction: Transaction) -> int:
        number = transaction.next_id(Incident)
        transaction.save([event(incident(number, f"s{number}"), incident_id=number), event(text="x" * 500)])
        return number

    while True:
        tell("incident", await store.write(job))


async def seal(store: Store) -> None:
    while True:
        await store.seal()
        await asyncio.sleep(0.005)


async def main(path: str) -> None:
    store = Store.open(path, SystemClock())
    await asyncio.gather(*[notify(store) for _ in range(4)], *[decide(store) for _ in range(4)], seal(store))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
