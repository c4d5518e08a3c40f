"""Tells what the daemon does while it does it, from the daemon's own record: one event, one line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from tests.lab.daemon import Daemon

Form = dict[str, Any]
Line = tuple[str, str, str]
SECONDS = 90.0
"""How long an event is waited for."""


def grid(*cells: tuple[str, int | None, str]) -> Table:
    """One line of columns: text, width (None: what is left), style."""
    line = Table.grid(padding=(0, 1))
    for _, width, style in cells:
        line.add_column(width=width, style=style, overflow="fold")
    line.add_row(*(Text(text) for text, _, _ in cells))
    return line


class Narrator:
    """Follows the record, and prints a line for what a reader wants to know."""

    def __init__(self, console: Console, daemon: Daemon) -> None:
        self.console = console
        self.daemon = daemon
        self._after = 0
        self._waiting: list[Form] = []
        self._begun = datetime.now(UTC)
        self._incident = ""

    def begin(self) -> None:
        """Start the clock anew; what is on the record already is not told."""
        self._after = max((event["seq"] for event in self._new()), default=self._after)
        self._waiting.clear()
        self._begun = datetime.now(UTC)

    def line(self, word: str, text: str, style: str = "", at: datetime | None = None) -> None:
        """One line: seconds since the start of the act, what it is about, and what happened."""
        seconds = ((at or datetime.now(UTC)) - self._begun).total_seconds()
        self.console.print(
            grid((f"{seconds:5.1f} s", 7, "dim"), (word, 9, f"bold {style}"), (text, None, ""))
        )

    def follow(self, kind: str) -> Form:
        """Tell everything up to the next event of this kind, and give that event."""

        def step() -> Form | None:
            self._waiting += self._new()
            while self._waiting:
                event = self._waiting.pop(0)
                self._tell(event)
                if event["kind"] == kind:
                    return event
            return None

        found = until_sync(step, SECONDS, f"the daemon's event {kind}", 0.1)
        assert found is not None
        return found

    def _new(self) -> list[Form]:
        found: list[Form] = []
        while True:
            page = self.daemon.get("/api/v1/events", after=self._after, limit=500)["events"]
            if not page:
                return found
            self._after = page[-1]["seq"]
            found += page

    def _tell(self, event: Form) -> None:
        data, at = event["data"], datetime.fromisoformat(event["at"])
        if event["kind"] == "run.decided" and data["overall"] == "allow":
            self._decided(data, at)
        elif event["kind"] == "incident.opened":
            self._incident = f"incident {event['chain'].partition(':')[2]} ({data['severity']})"
        elif event["kind"] == "episode.opened":
            self.line("alert", f"{data['alert']} fires: {self._incident}", "red", at)
        elif event["kind"] == "approval.decided":
            self.line("answer", f"{event['actor']} says {'yes' if data['granted'] else 'no'}", "yellow", at)
        elif event["kind"] in WORDS:
            self.line(*WORDS[event["kind"]](data), at)

    def _decided(self, data: Form, at: datetime) -> None:
        """A decision to act, with its plan; other decisions are told by what follows from them."""
        plan = self.daemon.run(data["run"])["plan"]
        self.line("plan", plan["summary"], "cyan", at)
        self.line("decide", f"all {len(data['verdicts'])} guardrails allow it", "cyan", at)


def _looked(data: Form) -> Line:
    seen = [f"{item['check']}: {item['summary']}" for item in data["evidence"]]
    return "look", "\n".join(seen) or "nothing to look at", ""


def _acted(data: Form) -> Line:
    return "act", f"done in {data['seconds']:.1f} s" if data["seconds"] else "done", "green"


def _finished(data: Form) -> Line:
    style = "green" if data["outcome"] == "succeeded" else "yellow"
    return "run", f"{data['outcome']}: {data['detail'] or data['reason']}", style


WORDS: dict[str, Callable[[Form], Line]] = {
    "run.proposed": lambda data: ("rule", f"{data['rule']} matches: run {data['run']}", ""),
    "episode.closed": lambda data: ("alert", "no longer fires", "green"),
    "run.triaged": _looked,
    "run.held": lambda data: ("held", f"{data['reason']}: {data['detail']}", "yellow"),
    "run.verifying": lambda data: ("verify", "does it help? all must be well, and stay so for 3 s", ""),
    "run.finished": _finished,
    "attempt.applied": _acted,
    "attempt.failed": lambda data: ("act", f"failed: {data['result'].get('error', '')}", "red"),
    "approval.requested": lambda data: ("ask", "a P0 is not acted on before a person says so", "yellow"),
    "incident.resolved": lambda data: ("incident", f"resolved after {data['seconds']:.0f} s", "green"),
}
"""Kind of event -> its line: a word, the text, the word's style."""
