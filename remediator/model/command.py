"""A named command of the configuration: what the daemon may run, and how values get into it.

Rules and triage name a command; they cannot spell one. A value fills a place inside one element
of a fixed argv: it can add no element, look like no option, and never meets a shell.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Literal

import re2
from pydantic import Field

from remediator.model.params import Params, is_template
from remediator.model.text import did_you_mean

MAX_VALUE_CHARS = 4096
"""Longest value that may fill a placeholder."""

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class CommandInputError(ValueError):
    """A value does not fit the parameter that it was meant for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamSpec:
    """What may stand in a placeholder."""

    type: Literal["string", "int", "enum"] = "string"
    pattern: str | None = None
    """RE2; the whole value must match. Only for strings."""
    values: tuple[str, ...] = ()
    """The choices of an enum."""
    default: str | int | None = None
    """None: the value must be given."""
    dashes: bool = False
    """Whether a value may begin with `-`: where it could be taken for an option, it may not."""

    def __post_init__(self) -> None:
        if (self.type == "enum") != bool(self.values):
            raise ValueError("`values` belongs to the type enum, and an enum needs it")
        if self.pattern is not None:
            if self.type != "string":
                raise ValueError("`pattern` belongs to the type string")
            try:
                re2.compile(self.pattern)
            except re2.error as error:
                raise ValueError(f"the pattern {self.pattern!r} is not RE2: {error}") from None
        if self.default is not None:
            self.text("default", self.default)

    def text(self, name: str, value: object) -> str:
        """`value` as it will stand there; CommandInputError if it does not fit."""
        if self.type == "int":
            if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,18}", str(value), re.ASCII):
                raise CommandInputError(f"{name}: {value!r} is not a whole number")
        elif not isinstance(value, str):
            raise CommandInputError(f"{name}: {value!r} is not text; put it in quotes")
        text = str(value)
        if not text or len(text) > MAX_VALUE_CHARS:
            raise CommandInputError(f"{name}: needs 1 to {MAX_VALUE_CHARS} characters, has {len(text)}")
        if text.startswith("-") and not self.dashes:
            raise CommandInputError(f"{name}: {text!r} begins with `-` and could be taken for an option")
        if "\0" in text:
            raise CommandInputError(f"{name}: holds a NUL character")
        if self.values and text not in self.values:
            raise CommandInputError(f"{name}: {text!r} is none of {', '.join(self.values)}")
        if self.pattern is not None and not re2.fullmatch(self.pattern, text):
            raise CommandInputError(f"{name}: {text!r} does not match {self.pattern!r}")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """One named command. ValueError when it cannot be run as it is written."""

    name: str
    argv: tuple[str, ...]
    """Absolute path of the program, then its arguments; `{name}` stands for a parameter."""
    params: dict[str, ParamSpec] = field(default_factory=dict)
    timeout: timedelta = timedelta(seconds=60)
    """Then its whole process group is ended."""
    output_limit: int = 65_536
    """Bytes of output kept; of a longer one the head and the tail."""
    env: dict[str, str] = field(default_factory=dict)
    """The environment, beside a minimal PATH and LANG. Nothing is inherited from the daemon."""
    probe: str | None = None
    """The command that tells whether this one took effect: exit 0 yes, 1 no, anything else unknown."""
    undo: str | None = None
    """The command that takes this one back."""
    repeatable: bool = False
    """True when running it twice is as good as once; then an unknown outcome may be tried again."""

    def __post_init__(self) -> None:
        if not self.argv or not PurePosixPath(self.argv[0]).is_absolute():
            raise ValueError(f"command {self.name}: argv begins with the absolute path of a program")
        if _PLACEHOLDER.search(self.argv[0]):
            raise ValueError(f"command {self.name}: the program's path holds no placeholder")
        if any("\0" in text for text in (*self.argv, *self.env, *self.env.values())):
            raise ValueError(f"command {self.name}: argv and env hold no NUL characters")
        used = {name for element in self.argv for name in _PLACEHOLDER.findall(element)}
        for name in sorted(used - self.params.keys()):
            raise ValueError(f"command {self.name}: {{{name}}} is not among its params")
        for name in sorted(self.params.keys() - used):
            raise ValueError(f"command {self.name}: the parameter {name} is used nowhere in argv")
        if self.timeout <= timedelta(0) or self.output_limit < 0:
            raise ValueError(f"command {self.name}: timeout is above zero, and output_limit not below")

    def fill(self, values: Mapping[str, object], *, later: Collection[str] = ()) -> tuple[str, ...]:
        """The argv with every placeholder filled; CommandInputError names the value that does not fit.

        Those that are known only `later` are taken as they are.
        """
        for name in values:
            if name not in self.params:
                known = ", ".join(self.params) or "none"
                raise CommandInputError(
                    f"{name}: the command {self.name} has no such parameter (it has: {known})"
                )
        texts: dict[str, str] = {}
        for name, spec in self.params.items():
            value = values.get(name, spec.default)
            if value is None:
                raise CommandInputError(f"{name}: the command {self.name} needs a value for it")
            texts[name] = str(value) if name in later else spec.text(name, value)
        return tuple(_PLACEHOLDER.sub(lambda found: texts[found[1]], element) for element in self.argv)


class CommandParams(Params):
    """Parameters of the action and of the check `command`."""

    name: str = Field(min_length=1, description="A command of the configuration.")
    args: dict[str, str] = Field(default={}, description="Values for its parameters.")


def objection(
    commands: Mapping[str, CommandSpec], name: str, values: Mapping[str, object], *, templates: bool = False
) -> str | None:
    """Why the command of this name cannot be run with these values; None if it can.

    With `templates`, of those among them only what no label can change is held against its parameter.
    """
    spec = commands.get(name)
    if spec is None:
        return f"there is no command `{name}` in the configuration{did_you_mean(name, commands)}"
    later = [key for key, text in values.items() if templates and is_template(str(text))]
    for key in later:
        if str(values[key])[0] == "-":
            return f"{key}: {values[key]!r} begins with `-` and could be taken for an option"
    try:
        spec.fill(values, later=later)
    except CommandInputError as error:
        return str(error)
    return None


def passed_on(
    params: Mapping[str, ParamSpec], other: Mapping[str, ParamSpec], given: Mapping[str, str]
) -> dict[str, str]:
    """The values of `params`, given or by default, for those that `other` has by the same name."""
    values = {name: given.get(name, params[name].default) for name in other if name in params}
    return {name: str(value) for name, value in values.items() if value is not None}


def reference_problems(commands: Mapping[str, CommandSpec]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the probes and undos that commands name: (command, key, message)."""
    for command in commands.values():
        for key, named in (("probe", command.probe), ("undo", command.undo)):
            if named is None:
                continue
            if named not in commands:
                yield command.name, key, f"there is no command {named}"
                continue
            for param in commands[named].params.keys() - command.params.keys():
                yield command.name, key, f"{named} has a parameter {param} that {command.name} cannot fill"
