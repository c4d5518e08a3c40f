"""How the parameters of an action or a check are read: as its own model, but for what labels decide later."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any, NamedTuple, Protocol, get_args

from pydantic import BaseModel, ValidationError, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

from remediator.reading.typed import Location, Mistake, mistaken
from remediator.rules.templates import Template, TemplateError, templates_in

_OWN = frozenset(get_args(core_schema.ErrorType))
"""The kinds of errors that are pydantic's own."""


TEMPLATED: dict[str, Any] = {
    "type": "object",
    "not": {"additionalProperties": {"not": {"type": "string", "pattern": r"\{\{"}}},
}
"""JSON Schema of parameters of which at least one is a template; for editors, which cannot fill it in."""


class Verb(Protocol):
    """What the loader must know of an action or a check."""

    @property
    def params(self) -> type[BaseModel]:
        """The model of its parameters. It forbids extra keys."""

    @property
    def needs_containers(self) -> bool:
        """False if it also makes sense for a service without containers."""

    def check(self, params: Any) -> str | None:
        """Why parameters that fit the model cannot be carried out here; None if they can.

        The place to ask whether what they name, such as a command, exists in the configuration.
        """


class VerbKind(NamedTuple):
    """What a verb is by its code alone, whatever the configuration has."""

    name: str
    params: type[BaseModel]
    needs_containers: bool


def params_of(kind: VerbKind, among: str, *, templates: bool) -> Any:
    """The type of a verb's parameters; text alone stands for the only one that is required.

    With `templates` they may hold some. What only a label can decide is not checked; parameters whose type
    is not text then stay a mapping, as they are written. The verb itself, which knows the configuration, is
    asked for in the context: `among` is the key of the mapping that has it by its name.
    """
    fields = kind.params.model_fields
    required = [field.alias or name for name, field in fields.items() if field.is_required()]

    def read(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if value == "":
            value = {}
        elif isinstance(value, str) and len(required) == 1:
            value = {required[0]: value}
        found = dict(templates_in(value))
        if found:
            _check_templates(found, allowed=templates)
        try:
            params = handler(value)
        except ValidationError as error:
            others = [one for one in error.errors(include_url=False) if not _is_open(one, found)]
            if others:
                raise _only(error, others) from None
            return value
        verb: Verb | None = info.context[among][kind.name] if info.context else None
        objection = verb.check(params) if verb is not None else None
        if objection is not None:
            raise ValueError(objection)
        return params

    written = kind.params | str if len(required) == 1 else kind.params
    if not required:
        written = written | None
    return Annotated[kind.params, WrapValidator(read, json_schema_input_type=written)]


def _check_templates(found: dict[Location, str], *, allowed: bool) -> None:
    mistakes = []
    for at, text in found.items():
        if not allowed:
            mistakes.append(Mistake("labels can be filled in only where a step says what to do", at=at))
            continue
        try:
            Template(text)
        except TemplateError as error:
            mistakes.append(Mistake(error.message, at=at, offset=error.offset))
    if mistakes:
        raise mistaken(*mistakes)


def _is_open(error: ErrorDetails, templates: Collection[Location]) -> bool:
    """Whether it is a template's value that would have to be known first."""
    inside = any(at and error["loc"][: len(at)] == at for at in templates)
    return inside and error["type"] != "extra_forbidden"


def _only(error: ValidationError, details: Sequence[ErrorDetails]) -> ValidationError:
    """The same exception with these of its errors."""
    return ValidationError.from_exception_data(error.title, [_again(detail) for detail in details])


def _again(detail: ErrorDetails) -> InitErrorDetails:
    kind, context = detail["type"], detail.get("ctx", {})
    again = kind if kind in _OWN else PydanticCustomError(kind, detail["msg"], context)
    return InitErrorDetails(type=again, loc=detail["loc"], input=detail["input"], ctx=context)
