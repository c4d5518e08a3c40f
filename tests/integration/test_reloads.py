"""A hundred edits of the rules, good and bad, while alerts pour in: none is lost, no half of a set counts."""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from remediator import actions, checks
from remediator.config import load_config
from remediator.rules.load import load_rules
from tests.integration.small import command, rule, rules
from tests.lab.notification import alert, notification
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.daemon import Daemon

EDITS = 100
BETWEEN = 30
"""Files without rules between the two, so that it takes a moment to get from the one to the other."""
SERVICES = [f"app-{number}" for number in range(10)]
MISTAKES: list[bytes] = [
    b"groups: [\n",
    b"groups:\n\t- name: tabs\n",
    b"groups: \xff\n",
    rules(rule("b", {"restrat": {}}, alertname="B")).encode(),
    rules(rule("a", command("look"), alertname="B")).encode(),
    rules(rule("b", command("look"), alertname="B", service="nowhere")).encode(),
    b"",
]
"""What stands in the second file of a bad set; the first one is fine, and new."""


class Rules:
    """Sets of two files that belong together, and the link to the one that is to be in force."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.live = folder / "live"
        self._new = folder / "new"
        self._nothing = folder / "nothing"
        self.good: list[Path] = []

    def edit(self, number: int, mistake: bytes | None = None) -> None:
        """Make another set, and put it in the place of the last one."""
        self.make(number, mistake)
        self.swap()

    def make(self, number: int, mistake: bytes | None = None) -> None:
        """Write another set, and a link to it beside the one that counts."""
        made = self.folder / f"set-{number}"
        made.mkdir(parents=True)
        for name in ("a", "b"):
            written = rule(
                name,
                command("look"),
                alertname=name.upper(),
                mode="shadow",
                guardrails={"cooldown": f"{number + 1}s"},
            )
            (made / f"{name}.yml").write_text(rules(written))
        if mistake is None:
            self.good.append(made)
        else:
            (made / "b.yml").write_bytes(mistake)
        if not self._nothing.exists():
            self._nothing.write_text("groups: []\n")
        for filler in range(BETWEEN):
            os.link(self._nothing, made / f"a-{filler}.yml")
        self._new.symlink_to(made.name)

    def swap(self) -> None:
        """Let the set that was made last count, in one step."""
        self._new.rename(self.live)

    def flap(self) -> None:
        """Let the last two good sets count by turns, each for a moment."""
        for made in self.good[-2:]:
            self._new.symlink_to(made.name)
            self.swap()
            threading.Event().wait(0.0005)

    def versions(self, config_file: Path) -> tuple[set[str], dict[str, set[str]], str]:
        """Those of all whole sets, of each rule in any of them, and of the last set."""
        config = load_config(config_file)
        sets = [
            load_rules(
                [made],
                services=config.services,
                actions=actions.registry(config.commands),
                checks=checks.registry(config.commands),
            )
            for made in self.good
        ]
        of_rules = {name: {found.version for one in sets if (found := one.find(name))} for name in "ab"}
        return {one.version for one in sets}, of_rules, sets[-1].version


class Beside(threading.Thread):
    """Does something over and over until the block is left."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self.times = 0
        self._work = work
        self._over = threading.Event()
        self._failed: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._work()
                self.times += 1
        except BaseException as error:
            self._failed = error

    def __enter__(self) -> Beside:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        if self._failed is not None:
            raise self._failed

    def has_done(self, times: int) -> bool:
        return self._failed is not None or self.times >= times


@pytest.fixture
def written(tmp_path: Path) -> Rules:
    rules = Rules(tmp_path / "written")
    rules.edit(0)
    return rules


@pytest.fixture
def daemon(start_daemon: Callable[..., Daemon], written: Rules) -> Daemon:
    """One that watches the rules, which are reached by a link."""
    daemon = start_daemon(
        services={name: {"target": "none"} for name in SERVICES},
        commands={"look": {"argv": ["/usr/bin/true"]}},
        log_level="info",
        watch=True,
    )
    daemon.settings["rules"] = [str(written.live)]
    assert daemon.reload().ok
    return daemon


def test_a_hundred_edits_under_load_lose_no_alert_and_show_no_half_of_a_set(
    daemon: Daemon, written: Rules
) -> None:
    begun = daemon.events("system")[-1]["seq"]
    posted: list[str] = []
    alerts = (
        alert("AB"[n % 2], service=SERVICES[n % len(SERVICES)], instance=f"host-{n}")
        for n in itertools.count()
    )

    def post() -> None:
        told = next(alerts)
        assert daemon.notify(notification(told)).status == 200
        posted.append(told["fingerprint"])

    def reload() -> None:
        assert daemon.ask("POST", "/-/reload").status in (200, 400)

    with Beside(post), Beside(reload) as reloads:
        for number in range(1, EDITS + 1):
            mistake = MISTAKES[number // 2 % len(MISTAKES)] if number % 2 else None
            written.make(number, mistake)
            wanted = reloads.times + 1
            until_sync(lambda wanted=wanted: reloads.has_done(wanted), 30, "a reload", interval=0.001)
            written.swap()
        with Beside(written.flap):
            wanted = reloads.times + 10
            until_sync(lambda: reloads.has_done(wanted), 60, "reloads while files change all the time")
    assert daemon.ask("POST", "/-/reload").ok

    whole, of_rules, last = written.versions(daemon.config_file)
    assert daemon.get("/api/v1/rules")["version"] == last
    until_sync(lambda: not daemon.get("/api/v1/status")["notifications_pending"], 60, "all to be taken in")
    events = [event for event in daemon.events() if event["seq"] > begun]
    kinds = Counter(event["kind"] for event in events)
    loaded = {event["data"]["version"] for event in events if event["kind"] == "rules.loaded"}
    assert loaded <= whole
    assert len(loaded) > EDITS / 4
    assert kinds["rules.refused"] > EDITS / 4

    opened = Counter(event["data"]["fingerprint"] for event in events if event["kind"] == "episode.opened")
    assert opened == Counter(posted)
    acted_on = [event["data"] for event in events if event["data"].get("rule")]
    assert acted_on
    assert all(data["rule_version"] in of_rules[data["rule"]] for data in acted_on)
    assert daemon.audit().returncode == 0


def test_a_change_is_noticed_by_itself_and_a_mistake_leaves_the_old_rules(
    daemon: Daemon, written: Rules
) -> None:
    before = daemon.get("/api/v1/rules")
    written.edit(1, b"groups: 7\n")
    refused = until_sync(lambda: daemon.get("/api/v1/rules")["refused"], 30, "the mistake to be noticed")
    assert (refused["by"], refused["problems_total"]) == ("watch", 1)
    assert daemon.get("/api/v1/rules") == {**before, "refused": refused}
    assert daemon.metric("remediator_config_last_reload_successful") == 0
    shown = daemon.cli("rules", "status")
    assert (shown.returncode, "live/b.yml:1:9: " in shown.stdout) == (1, True)

    written.edit(2)
    until_sync(lambda: daemon.get("/api/v1/rules")["version"] != before["version"], 30, "the new rules")
    now = daemon.get("/api/v1/rules")
    assert (now["loaded_by"], now["rules"], now["refused"]) == ("watch", 2, None)
    assert daemon.metric("remediator_config_last_reload_successful") == 1
    assert daemon.metric("remediator_rules_loaded") == 2
