"""What came of rule tests, told: for people, for programs, and as JUnit has it."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from remediator.model.duration import format_duration
from remediator.model.text import counted, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from remediator.model.event import Event
    from remediator.rehearse.suite import Coverage, Failure, Result

SHOWN_EVENTS = 12
"""How many of the last events are shown with a failure."""
WIDTH = 74
"""Columns of what had happened, which is set in by a few."""
TOLD = ("rule", "action", "decisive", "overall", "reason", "outcome", "detail", "why", "alert", "service")
"""What is shown of an event, where it has it."""


def told(result: Result) -> Iterator[str]:
    """A failed test in lines, for people."""
    failure = result.failure
    if failure is None:
        return
    case = result.case
    yield f"{case.file}:{failure.line}: FAILED: {case.entry.name}"
    yield from (f"  {line}" for line in _why(failure))
    yield "  what had happened by then:"
    yield from (f"    {line}" for line in _history(result))


def summary(results: Sequence[Result], seen: Coverage) -> Iterator[str]:
    """How many passed, and what no test shows."""
    failed = sum(not result.ok for result in results)
    passed = len(results) - failed
    yield f"{counted(passed, 'test')} passed" + (f", {failed} failed" if failed else "")
    if seen.whole:
        yield "every rule has a test, and every guardrail that a rule sets objects in one"
        return
    if seen.files:
        yield f"{counted(len(seen.files), 'rule file')} without any tests"
    if seen.untested:
        yield f"{len(seen.untested)} of {counted(len(seen.rules), 'rule')} without a test"
    if seen.unshown:
        limits = counted(len(seen.guardrails), "guardrail")
        yield f"{len(seen.unshown)} of {limits} that the rules set never object in a test"


def uncovered(seen: Coverage) -> Iterator[str]:
    """Each rule and guardrail that no test shows."""
    for file in seen.files:
        yield f"{file}: no file of tests is about these rules"
    for rule in seen.untested:
        yield f"{rule.source}: no test expects a run of {rule.name}"
    for rule, guardrail in seen.unshown:
        yield f"{rule.source}: in no test {guardrail} objects to {rule.name}"


def as_json(results: Sequence[Result], seen: Coverage) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "ok": all(result.ok for result in results),
        "tests": [_plain(result) for result in results],
        "coverage": {
            "rules": [rule.name for rule in seen.rules],
            "untested_files": [str(file) for file in seen.files],
            "untested": [rule.name for rule in seen.untested],
            "guardrails": [{"rule": rule.name, "guardrail": name} for rule, name in seen.guardrails],
            "unshown": [{"rule": rule.name, "guardrail": name} for rule, name in seen.unshown],
        },
    }


def as_junit(results: Sequence[Result]) -> bytes:
    """An XML file as CI systems read it: a suite for each file."""
    root = ElementTree.Element("testsuites", name="remediator test")
    suites: dict[str, ElementTree.Element] = {}
    for result in results:
        file = result.case.file
        if file not in suites:
            suites[file] = ElementTree.SubElement(root, "testsuite", name=file, tests="0", failures="0")
        suite = suites[file]
        suite.set("tests", str(int(suite.get("tests", "0")) + 1))
        name = harmless(result.case.entry.name)
        case = ElementTree.SubElement(suite, "testcase", classname=file, name=name, file=file)
        case.set("line", str(result.case.line))
        if result.failure is not None:
            suite.set("failures", str(int(suite.get("failures", "0")) + 1))
            first = next(_why(result.failure))
            failure = ElementTree.SubElement(case, "failure", message=harmless(first))
            failure.text = "\n".join(map(harmless, told(result)))
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _why(failure: Failure) -> Iterator[str]:
    if failure.error:
        yield f"at {failure.at}: this cannot happen: {failure.error}"
    for fault in failure.faults:
        first, *more = fault.splitlines()
        yield f"at {failure.at} at the latest: a fault in the engine: {first}"
        yield from (f"    {line}" for line in more)
    for what, expected, got in failure.differences:
        yield f"at {failure.at}: {what}"
        yield f"    expected  {_shown(expected)}"
        yield f"    got       {_shown(got)}"


def _shown(value: Any) -> str:
    """A value as the file of tests would write it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)


def _history(result: Result) -> Iterator[str]:
    begins = result.case.entry.begins
    events = [event for event in result.record.events if event.chain != "system"]
    if len(events) > SHOWN_EVENTS:
        yield f"... {counted(len(events) - SHOWN_EVENTS, 'event')} before"
    for event in events[-SHOWN_EVENTS:]:
        line = f"{format_duration(event.at - begins):>9}  {_event(event)}"
        yield from wrap(line, WIDTH, subsequent_indent=" " * 13, drop_whitespace=False)
    if not events:
        yield "nothing"


def _event(event: Event) -> str:
    data = event.data
    if data.get("overall") == "allow":  # then none of them decided
        data = {**data, "decisive": None}
    shown = (f"{key}={data[key]}" for key in TOLD if data.get(key) not in (None, ""))
    return f"{event.kind:<20} {' '.join(shown)}".rstrip()


def _plain(result: Result) -> dict[str, Any]:
    failure = result.failure
    return {
        "file": result.case.file,
        "line": result.case.line,
        "name": result.case.entry.name,
        "ok": result.ok,
        "failure": failure
        and {
            "line": failure.line,
            "at": failure.at,
            "error": failure.error or None,
            "faults": list(failure.faults),
            "differences": [difference._asdict() for difference in failure.differences],
        },
    }
