"""What a file of rule tests may hold: rules, their surroundings, and time lines with what is expected.

Every key is known or refused, and every value is read as what it is for, as in all files that people write.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from remediator.config.fields import FilePath
from remediator.config.model import Config
from remediator.model.duration import Duration
from remediator.model.words import (
    IncidentStatus,
    IncidentType,
    Outcome,
    Reason,
    RunStatus,
    Severity,
)
from remediator.reading.fields import Name, Text
from remediator.reading.typed import Mistake, Strict, mistaken, node_at, read_as
from remediator.reading.yamlfile import Node, read_yaml

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""When a test begins that does not say so: on a Monday at noon."""


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"expected a moment such as 2026-03-02T12:00:00Z; this is `{value}`") from None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    if not FIRST <= moment < LAST:
        raise ValueError(f"expected a moment from 1970 to 2999; this is `{value}`")
    return moment.astimezone(UTC)


FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
"""Between these a test takes place: beyond them there is no calendar to count with."""


Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=str)]
"""A point in time; in UTC where it does not say."""

Labels = Annotated[dict[Text, str], Field(min_length=1)]
Alerts = Annotated[
    tuple[Labels, ...],
    BeforeValidator(
        lambda value: [value] if isinstance(value, dict) else value,
        json_schema_input_type=Labels | tuple[Labels, ...],
    ),
    Field(min_length=1),
]
"""Alerts by their labels: one mapping, or a list of them."""

Happening = Literal[
    "well",
    "unhealthy",
    "incurable",
    "crashed",
    "out_of_memory",
    "restarted_by_hand",
    "stopped_by_hand",
    "recreated_by_hand",
    "removed_by_hand",
]
"""What happens to a service's containers. A restart cures what is `unhealthy`, not what is `incurable`."""

Docker = Literal["works", "refuses", "hangs", "loses_answers", "down"]
"""How a Docker Engine takes an act. With `hangs` it is not done, with `loses_answers` it is done."""


class Program(Strict):
    """How a named command behaves from now on."""

    exit_code: Annotated[int, Field(ge=0, le=255)] = 0
    output: str = ""
    takes: Duration = Field(default=timedelta(0), description="How long it runs before it ends by itself.")
    hangs: bool = Field(default=False, description="It never ends by itself.")
    starts: bool = Field(default=True, description="Whether it can be started at all.")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is no JSON: {error}") from None


class Server(Strict):
    """How what a named request is sent to behaves from now on."""

    status: Annotated[int, Field(ge=100, le=599)] | None = Field(
        default=None, description="What it answers. Left out: what the request expects."
    )
    body: Annotated[str, AfterValidator(_json)] | None = Field(
        default=None, description="What the answer tells, as JSON."
    )
    takes: Duration = Field(default=timedelta(0), description="How long it takes to answer.")
    breaks: bool = Field(default=False, description="It does what it is asked to, and never answers.")
    reachable: bool = Field(default=True, description="Whether it takes connections at all.")


class Person(Strict):
    """Somebody who does something."""

    by: Name = "alice"
    reason: Text = "as the test has it"


class AboutRun(Person):
    """Somebody who does something about the latest run of a rule."""

    rule: Name


class Settling(AboutRun):
    """Somebody who tells what became of an act."""

    applied: bool


class Start(AboutRun):
    """Somebody who starts a rule by hand."""

    service: Name


class RunSeen(Strict):
    """What is expected of the latest run of a rule. What is left out may be anything."""

    KEYS_ARE = "key of an expected run"

    rule: Name
    service: Name | None = Field(default=None, description="Only runs of this service are meant.")
    status: RunStatus | None = None
    reason: Reason | None = Field(default=None, description="Why it is held, or has ended.")
    outcome: Outcome | None = None
    severity: Severity | None = Field(default=None, description="By which it was decided upon last.")
    step: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The rung it stands on, from 1."
    )
    action: Text | None = Field(default=None, description="Of its latest plan.")
    params: dict[Text, Any] | None = Field(default=None, description="Of its latest plan, all of them.")
    acts: Annotated[int, Field(ge=0)] | None = Field(default=None, description="That it has begun so far.")
    asked: Reason | None = Field(default=None, description="Why people are asked, while they are.")
    people: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Who have to say yes.")
    triage: tuple[str | dict[Text, Any], ...] | None = Field(
        default=None, description="The checks before the first act, as the rule writes them."
    )


class IncidentSeen(Strict):
    """What is expected of the latest incident, or of the latest of a service."""

    KEYS_ARE = "key of an expected incident"

    service: Text | None = None
    status: IncidentStatus | None = None
    severity: Severity | None = None
    type: IncidentType | None = None


class Expect(Strict):
    """What is expected at a moment, once all that is due by then has happened."""

    KEYS_ARE = "expectation"

    run: RunSeen | None = None
    no_run: tuple[Name, ...] = Field(
        default=(), min_length=1, description="Rules of which there was never a run."
    )
    runs: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Of any rule, so far.")
    incident: IncidentSeen | None = None
    acts: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="That were begun so far, of all runs."
    )
    told: tuple[Text, ...] | None = Field(
        default=None, description="The kinds of all messages that people got so far, in order."
    )

    @model_validator(mode="after")
    def _something(self) -> "Expect":
        if all(getattr(self, name) in (None, ()) for name in self.model_fields_set - {"told"}) and (
            self.told is None
        ):
            raise mistaken(Mistake("nothing is expected here"))
        return self


class Entry(Strict):
    """A moment of a time line: what happens then, and after it what is expected."""

    KEYS_ARE = "key of a time line"

    at: Duration = Field(description="Since the beginning of the test.")
    fire: Alerts | None = Field(default=None, description="Begin to fire, or are told of again.")
    resolve: Alerts | None = Field(default=None, description="End, and that is told.")
    mute: Alerts | None = Field(default=None, description="Are silenced or inhibited.")
    unmute: Alerts | None = Field(default=None, description="Are no longer so.")
    containers: dict[Name, Happening] | None = Field(
        default=None, description="What happens to each service's containers."
    )
    docker: Docker | None = Field(default=None, description="How every Docker Engine behaves from now on.")
    alertmanager: Literal["works", "down"] | None = Field(
        default=None, description="Whether its API answers from now on."
    )
    commands: dict[Name, Program] | None = Field(
        default=None, description="How named commands behave from now on. Without it they succeed at once."
    )
    requests: dict[Name, Server] | None = Field(
        default=None,
        description="How named requests are answered from now on. Without it as they expect, at once.",
    )
    prometheus: dict[Text, float | tuple[float, ...]] | None = Field(
        default=None, description="What queries give from now on: a value, or a list of values."
    )
    pause: Person | None = Field(default=None, description="Somebody throws the kill switch.")
    resume: Person | None = Field(default=None, description="Somebody releases it.")
    start: Start | None = Field(default=None, description="Somebody starts a rule by hand.")
    approve: AboutRun | None = Field(default=None, description="Somebody says yes to what is asked.")
    deny: AboutRun | None = Field(default=None, description="Somebody says no.")
    cancel: AboutRun | None = Field(default=None, description="Somebody stops the run.")
    settle: Settling | None = Field(default=None, description="Somebody tells what became of an act.")
    expect: Expect | None = None

    @model_validator(mode="after")
    def _something(self) -> "Entry":
        if not self.model_fields_set - {"at"}:
            raise mistaken(Mistake("nothing happens here, and nothing is expected"))
        return self


class CaseEntry(Strict):
    """One test: it begins with all services well and no alert, and lives through its time line."""

    KEYS_ARE = "key of a test"

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    begins: Moment = Field(default=MONDAY, description="When it begins; in UTC where it does not say.")
    timeline: tuple[Entry, ...] = Field(min_length=1)

    @field_validator("timeline")
    @classmethod
    def _in_order(cls, timeline: tuple[Entry, ...]) -> tuple[Entry, ...]:
        for index, (before, entry) in enumerate(pairwise(timeline), 1):
            if entry.at < before.at:
                raise mistaken(Mistake("this is earlier than the entry before it", (index, "at")))
        if not any(entry.expect for entry in timeline):
            raise mistaken(Mistake("nothing is expected in this test, so it cannot fail"))
        return timeline

    @model_validator(mode="after")
    def _ends(self) -> "CaseEntry":
        for index, entry in enumerate(self.timeline):
            if entry.at >= LAST - self.begins:
                raise mistaken(Mistake("this is after the year 2999", ("timeline", index, "at")))
        return self


class SuiteFile(Strict):
    """A file of tests of rules."""

    KEYS_ARE = "key of a file with tests"

    rules: tuple[FilePath, ...] = Field(
        default=(),
        description="The rule files under test. Left out: the file of the same name without `.test`.",
    )
    config: FilePath | None = Field(
        default=None, description="The configuration whose services, commands and limits hold."
    )
    settings: Config = Field(
        default_factory=Config, description="Instead of `config`: what a configuration would say."
    )
    tests: tuple[CaseEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_configuration(self) -> "SuiteFile":
        if self.config is not None and "settings" in self.model_fields_set:
            raise mistaken(Mistake("give either `config` or `settings`", ("settings",), on_key=True))
        return self

    @field_validator("tests")
    @classmethod
    def _names(cls, tests: tuple[CaseEntry, ...], _: ValidationInfo) -> tuple[CaseEntry, ...]:
        known: set[str] = set()
        for index, test in enumerate(tests):
            if test.name in known:
                raise mistaken(Mistake(f"there is a test `{test.name}` already", (index, "name")))
            known.add(test.name)
        return tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test, and where it and its moments stand."""

    file: str
    entry: CaseEntry
    line: int
    lines: tuple[int, ...]
    """Of each moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file of tests as it was read."""

    path: Path
    file: SuiteFile
    cases: tuple[Case, ...]


def read_suite(path: Path) -> Written:
    """Read a file of tests; InputError carries every mistake at its place."""
    document = read_yaml(path)
    file = read_as(document, SuiteFile, {"base": path.parent, "warnings": []})
    cases = tuple(_case(document.root, str(path), number, entry) for number, entry in enumerate(file.tests))
    return Written(path=path, file=file, cases=cases)


def suite_schema() -> dict[str, Any]:
    """The JSON Schema of a file of tests, for editors."""
    schema = SuiteFile.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _case(root: Node, file: str, number: int, entry: CaseEntry) -> Case:
    place = ("tests", number)
    moments = range(len(entry.timeline))
    return Case(
        file=file,
        entry=entry,
        line=node_at(root, place).line,
        lines=tuple(node_at(root, (*place, "timeline", index)).line for index in moments),
    )
