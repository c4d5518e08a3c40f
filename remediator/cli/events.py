"""`remediator events`: the record, in the order in which things happened."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from remediator.cli.client import calls_daemon
from remediator.cli.output import moment, plain
from remediator.clock import SystemClock
from remediator.model.text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remediator.cli.client import Client
    from remediator.cli.output import Output

PAGE = 500
MAX_VALUE = 200
"""Characters of a value that people are shown."""
FOLLOW_SECONDS = 1.0
"""Between two looks for new events."""


@click.command()
@click.option("--chain", help="Only those of one chain: system, or incident:ID.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only those after this number.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new ones as they come.")
@calls_daemon
def events(
    client: Client, out: Output, chain: str | None, after: int, limit: int | None, follow: bool
) -> None:
    """Show the record, the oldest first. As JSON, each event is a line of its own.

    Long values, such as the facts of a decision, are cut short; as JSON they are whole.
    """
    for event in _events(client, chain, after, limit, follow=follow):
        if out.as_json:
            out.json(event, indent=None)
        else:
            _show(out, event)


def _events(
    client: Client, chain: str | None, after: int, limit: int | None, *, follow: bool
) -> Iterator[dict[str, Any]]:
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = client.get("/api/v1/events", chain=chain, after=after, limit=size)["events"]
        yield from page
        if page:
            after = page[-1]["seq"]
        if left is not None:
            left -= len(page)
        if len(page) < size:
            if not follow:
                return
            asyncio.run(SystemClock().sleep(FOLLOW_SECONDS))


def _show(out: Output, event: dict[str, Any]) -> None:
    out.line(f"{event['seq']:>6}  {moment(event['at'])}  {event['chain']}  {event['kind']}  {event['actor']}")
    data = [
        f"{key}={harmless(plain(value), limit=MAX_VALUE)}"
        for key, value in event["data"].items()
        if value not in (None, "", [], {})
    ]
    if data:
        out.block(", ".join(data), indent=8)
