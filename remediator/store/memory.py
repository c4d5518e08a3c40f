"""What the writer remembers from one transaction to the next, and takes back when one is undone.

Numbers of new rows and heads of chains are asked for by every decision and change with it; reading
them each time would cost more than the decision.
"""

import sqlite3
from typing import Any

from sqlalchemy import Table, func, select

from remediator.store.chain import EMPTY, Head
from remediator.store.sql import Statement, param
from remediator.store.tables import TABLES, chains, notifications, quarantine

_MOST_HEADS = 10_000
"""Heads kept; there is one for every incident that ever was."""

_HIGHEST = {
    table.name: Statement(select(func.coalesce(func.max(table.c.id), 0)))
    for table in (*TABLES.values(), notifications, quarantine)
    if table.primary_key.columns.keys() == ["id"]
}
_HEAD = Statement(select(chains.c.number, chains.c.hash).where(chains.c.chain == param("chain")))


class Memory:
    """Last numbers and heads, in step with what the open transaction has written so far."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last: dict[str, int] = {
            name: highest.run(connection).fetchone()[0] for name, highest in _HIGHEST.items()
        }
        self._heads: dict[str, Head] = {}
        self._before: list[tuple[dict[str, Any], str, Any]] = []

    def take(self, table: Table, count: int = 1) -> int:
        """The first of `count` numbers for new rows. TypeError if the table does not number its rows."""
        last = self._last.get(table.name)
        if last is None:
            raise TypeError(f"the rows of {table.name} have no numbers of their own")
        self._set(self._last, table.name, last + count)
        return last + 1

    def saw(self, table: Table, number: int) -> None:
        """A row has this number, wherever it is from: it is not to be given again."""
        if number > self._last[table.name]:
            self._set(self._last, table.name, number)

    def head(self, chain: str) -> Head:
        """The last event of a chain."""
        head = self._heads.get(chain)
        if head is None:
            row = _HEAD.run(self._connection, chain=chain).fetchone()
            head = self._heads[chain] = EMPTY if row is None else Head(*row)
        return head

    def set_head(self, chain: str, head: Head) -> None:
        """Remember a new last event."""
        self._set(self._heads, chain, head)

    def _set(self, values: dict[str, Any], key: str, value: Any) -> None:
        self._before.append((values, key, values[key]))
        values[key] = value

    def mark(self) -> int:
        """Where things stand, for `back_to`."""
        return len(self._before)

    def back_to(self, mark: int) -> None:
        """Forget what was set since then: it was not written after all."""
        while len(self._before) > mark:
            values, key, value = self._before.pop()
            values[key] = value

    def settle(self) -> None:
        """All that was set is committed."""
        self._before.clear()
        if len(self._heads) > _MOST_HEADS:
            self._heads.clear()
