"""The demo: break a service, and watch the real daemon mend it; then decide on a P0 yourself.

python -m tests.lab.demo [--yes] [--no-docker] [--no-prometheus]
"""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.panel import Panel
from rich.prompt import Confirm
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tests.lab.narrator import Narrator, grid
from tests.lab.paths import LabError
from tests.lab.scene import Scene, scene

if TYPE_CHECKING:
    from types import FrameType

WIDTH = 80
SHOWN_LOG_LINES = 3
SHOWN_CHARS = 64
COUNTERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("remediator_notifications_received_total", {}),
    ("remediator_remediations_total", {"outcome": "succeeded"}),
    ("remediator_guardrail_verdicts_total", {"verdict": "allow"}),
    ("remediator_guardrail_verdicts_total", {"verdict": "needs_approval"}),
    ("remediator_approvals_total", {"status": "granted"}),
    ("remediator_approvals_total", {"status": "denied"}),
    ("remediator_act_seconds_count", {}),
)

LAST_WORDS = """
Everything above is an event in a chain of hashes: what was decided, by whom,
with which facts. `remediator events` reads it.

Where to look next
  README.md             what it is, and how to begin
  docs/architecture.md  the way of an alert, and why it is built so
  rules/robo-rlhf.yml   the shipped rules, with their reasons
  deploy/               the image, and examples of all configuration
  make test             all of this and more, as tests
"""


class Demo:
    """The story, told on one console."""

    def __init__(self, console: Console, stage: Scene, yes: bool) -> None:
        self.console = console
        self.stage = stage
        self.daemon = stage.daemon
        self.yes = yes
        self.narrator = Narrator(console, stage.daemon)

    def play(self) -> bool:
        """All of it; False when something did not go as it should."""
        self._introduce()
        well = self._crash() and self._errors()
        return self._audit() and well

    def _introduce(self) -> None:
        self.console.print()
        for name, text in self.stage.real:
            self.console.print(grid((name, 13, "bold"), (text, None, "")))
        told = (
            "The service stands for robo-rlhf. The daemon has two rules for it: when it is down (P1), "
            "it is mended at once; when its requests fail (P0), a person decides."
        )
        self.console.print(f"\n{told}")

    def _act(self, number: int, title: str) -> dict[tuple[str, str], float]:
        self.console.print()
        self.console.print(Rule(f"[bold]Act {number}[/]  {title}", align="left", style="dim"))
        self.narrator.begin()
        return self._counters()

    def _crash(self) -> bool:
        before = self._act(1, "the service crashes")
        self.narrator.line("break", "the process of robo-rlhf ends, with exit code 1", "red")
        self.stage.service.crash()
        finished = self.narrator.follow("run.finished")
        self.narrator.follow("incident.resolved")
        self._moved(before)
        return bool(finished["data"]["outcome"] == "succeeded")

    def _errors(self) -> bool:
        before = self._act(2, "every request fails")
        self.narrator.line("break", "robo-rlhf answers every request with an error", "red")
        self.stage.service.post("/fail?rate=1")
        self.narrator.follow("approval.requested")
        (asked,) = self.daemon.approvals(status="pending")
        approval = self.daemon.get(f"/api/v1/approvals/{asked['id']}")
        self._show(approval)
        granted = self._ask()
        if granted:
            self.daemon.approve(approval["id"], digest=approval["digest"])
        else:
            self.daemon.deny(approval["id"], reason="the reader of the demo said no")
        finished = self.narrator.follow("run.finished")
        if granted:
            self.narrator.follow("incident.resolved")
        else:
            self.narrator.line("so", "nothing was done; the alert goes on until somebody mends it", "yellow")
        self._moved(before)
        return bool(finished["data"]["outcome"] == ("succeeded" if granted else "denied"))

    def _show(self, approval: dict[str, Any]) -> None:
        """What an approver gets to see."""
        plan, incident = approval["plan"], approval["incident"]
        body = Table.grid(padding=(0, 2))
        body.add_column(style="bold", width=9)
        body.add_column(overflow="fold")
        body.add_row("Incident", Text(f"{incident['id']}, {incident['severity']}: {incident['title']}"))
        body.add_row("Plan", Text(plan["summary"]))
        for operation in plan["operations"]:
            object_id = operation["object_id"][:24]
            body.add_row("", Text(f"{operation['kind']} {operation['object_name']} ({object_id})"))
        for item in approval["evidence"]:
            body.add_row("Seen", Text(f"{item['check']}: {item['summary']}"))
            lines = item.get("text", "").splitlines()[-SHOWN_LOG_LINES:]
            body.add_row("", Text("\n".join(map(_cut, lines)), style="dim"))
        body.add_row("Digest", Text(f"{approval['digest'][:16]}…, so the yes is for exactly this plan"))
        body.add_row("Expires", Text(f"{approval['expires_at'][11:19]} UTC; then people are asked again"))
        title = f"remediator approvals {approval['id']}"
        self.console.print("", Panel(body, title=title, title_align="left", width=WIDTH), "", sep="\n")

    def _ask(self) -> bool:
        if self.yes:
            self.console.print("Carry out this plan, as alice? [bold]y[/] (answered by --yes)")
            return True
        return Confirm.ask("Carry out this plan, as alice?", console=self.console)

    def _counters(self) -> dict[tuple[str, str], float]:
        return {(name, _labels(labels)): self.daemon.metric(name, **labels) for name, labels in COUNTERS}

    def _moved(self, before: dict[tuple[str, str], float]) -> None:
        """The daemon's own counters that moved since."""
        self.console.print("\nOn the daemon's /metrics:")
        for (name, labels), value in self._counters().items():
            if value != before[name, labels]:
                moved = f"{before[name, labels]:g} -> {value:g}"
                self.console.print(grid(("", 2, ""), (f"{name}{labels}", 66, "dim"), (moved, None, "")))

    def _audit(self) -> bool:
        """Check the record, as anybody can, and say where to go on."""
        self.console.print()
        self.console.print(Rule("[bold]The record[/]", align="left", style="dim"))
        done = self.daemon.audit()
        self.console.print(f"[bold]$ remediator audit verify[/] {self.daemon.store.name}")
        self.console.print(Text((done.stdout + done.stderr).strip()), highlight=False)
        self.console.print(LAST_WORDS)
        return done.returncode == 0


def _cut(line: str) -> str:
    return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


def main(argv: list[str]) -> int:
    """The command line told in the module's docstring."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="answer the question with yes, for scripts")
    parser.add_argument("--no-docker", action="store_true", help="as on a machine without a Docker Engine")
    parser.add_argument("--no-prometheus", action="store_true", help="as on one without Prometheus")
    args = parser.parse_args(argv)
    if not args.yes and not sys.stdin.isatty():
        print("The demo asks you a question, and there is no terminal to ask on: add --yes", file=sys.stderr)
        return 2
    console = Console(width=WIDTH, highlight=False)
    # Named, because a process that was started in the background would not hear Ctrl-C otherwise.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    console.print("[bold]Remediator[/]: a demo on this machine, of about a minute. Ctrl-C ends it cleanly.")
    try:
        with scene(
            lambda text: console.print(f"[dim]… {text}[/]"),
            docker=not args.no_docker,
            prometheus=not args.no_prometheus,
        ) as stage:
            return 0 if Demo(console, stage, args.yes).play() else 1
    except KeyboardInterrupt:
        console.print("\nStopped. Everything that was started is ended.")
        return 130
    except (LabError, AssertionError) as error:
        console.print(f"[red]The demo cannot go on:[/] {error}", soft_wrap=True)
        return 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
