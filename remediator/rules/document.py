"""What a rule file may hold, as pydantic models: they check it, and give it its JSON Schema.

Steps and triage name actions and checks, so their models are made for the kinds of these that there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from remediator.model.duration import Duration
from remediator.model.hours import When
from remediator.model.params import is_template
from remediator.model.rule import Guards, VerifySpec
from remediator.model.service import Service, TargetKind
from remediator.model.words import IncidentType, Mode, Severity
from remediator.reading.fields import BudgetText, Name, Positive, Text
from remediator.reading.problems import did_you_mean
from remediator.reading.typed import Mistake, ReadAs, Strict, mistaken
from remediator.rules.conditions import Conditions
from remediator.rules.conditions import when as conditions
from remediator.rules.parameters import TEMPLATED, Verb, VerbKind, params_of
from remediator.rules.selecting import ClassEntry, Selecting
from remediator.rules.templates import Template, TemplateError

VERSION = 1
"""Of the format of rule files, so that it can grow."""


Verbs = Mapping[str, Verb]


def _known_service(name: str, info: ValidationInfo) -> str:
    if is_template(name):
        try:
            Template(name)
        except TemplateError as error:
            raise mistaken(Mistake(error.message, offset=error.offset)) from None
        return name
    if "${" in name:
        raise ValueError("a template is written {{ labels.NAME }}")
    return _in_catalogue(name, info)


def _in_catalogue(name: str, info: ValidationInfo) -> str:
    services: Mapping[str, Service] = info.context["services"] if info.context else {}
    if name not in services:
        hint = did_you_mean(name, services)
        raise ValueError(f"there is no service `{name}` in the configuration{hint}")
    return name


def _known_version(number: int) -> int:
    if number != VERSION:
        raise ValueError(f"this daemon reads version {VERSION} of the format; the file says {number}")
    return number


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or any(char.isspace() for char in text):
        raise ValueError("this is not a URL such as https://wiki.example.com/runbooks/app-down")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not belong into a URL that people are told")
    return text


class Guardrails(Strict):
    """Limits as a file writes them."""

    cooldown: Duration | None = Field(default=None, description="Least time between two acts.")
    budget: tuple[BudgetText, ...] = Field(default=(), description="At most so many acts in any such window.")
    changed_by_others: Duration | None = Field(
        default=None, description="Hold when somebody else changed the target within this time."
    )


class Verify(Strict):
    """When an act counts as a success."""

    healthy: bool = Field(default=False, description="The service's containers must be healthy.")
    resolved_within: Positive = Field(
        default=timedelta(minutes=5), description="All must be well by then, counted from the end of the act."
    )
    stays: Duration = Field(default=timedelta(0), description="And hold without a break for this long.")
    steady: Duration = Field(
        default=timedelta(seconds=10),
        description="How long a container without a health check must run to count as healthy.",
    )


def _guards(written: Guardrails, _: ValidationInfo) -> Guards:
    return Guards(
        cooldown=written.cooldown, budget=written.budget, changed_by_others=written.changed_by_others
    )


def _verify_spec(written: Verify, _: ValidationInfo) -> VerifySpec:
    return VerifySpec(**dict(written))


class OneVerb(Strict):
    """A mapping with exactly one key that names an action or a check, and that one's parameters."""

    VERBS: ClassVar[Mapping[str, VerbKind]] = {}
    AMONG: ClassVar[str] = ""
    """The key of the context under which the verbs themselves are."""
    TEMPLATES: ClassVar[bool] = False
    """Whether labels can be filled into the parameters."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "OneVerb":
        given = [name for name, _ in self._given()]
        if len(given) != 1:
            found = " and ".join(f"`{name}`" for name in given) or "none"
            known = ", ".join(f"`{name}`" for name in self.VERBS)
            raise mistaken(Mistake(f"expected exactly one {self.KEYS_ARE} of {known}; found {found}"))
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        written = handler.resolve_ref_schema(handler(schema))
        written["oneOf"] = [{"required": [name]} for name in cls.VERBS]
        if cls.TEMPLATES:
            properties = written["properties"]
            properties.update({name: {"anyOf": [properties[name], TEMPLATED]} for name in cls.VERBS})
        return written

    def _given(self) -> list[tuple[str, BaseModel | dict[str, Any]]]:
        fields = ((name, _field(index)) for index, name in enumerate(self.VERBS))
        return [(name, getattr(self, field)) for name, field in fields if field in self.model_fields_set]

    def verb(self) -> tuple[str, dict[str, Any]]:
        """The one verb's name and its parameters: with every default, or as written if labels decide."""
        ((name, params),) = self._given()
        return name, params if isinstance(params, dict) else params.model_dump(mode="json", by_alias=True)


class OneAction(OneVerb):
    """A rung of the ladder: an action with its parameters, and when it has succeeded."""

    KEYS_ARE = "action"
    AMONG = "actions"
    TEMPLATES = True
    LATER = frozenset({"expires", "on_failure", "retries", "until", "when"})

    verify: Annotated[VerifySpec, ReadAs(Verify, _verify_spec)] = Field(
        default_factory=VerifySpec, description="When the act counts as a success."
    )


class OneCheck(OneVerb):
    """A look before the first act: a check with its parameters."""

    KEYS_ARE = "check"
    AMONG = "checks"


class Shared(Strict):
    """What a rule may say of itself, or its group for all of its rules."""

    severity: Severity | None = Field(
        default=None,
        description="Left out: from `classification`, else from the alert's own `severity` label.",
    )
    type: IncidentType | None = Field(default=None, description="The kind of incident.")
    service: Annotated[Text, AfterValidator(_known_service)] | None = Field(
        default=None,
        description="A service of the catalogue, or a template such as {{ labels.job }}. "
        "Left out: the alert's label `service` names one.",
    )
    mode: Mode = Field(default=Mode.AUTO, description="How far the rule may go by itself.")
    triage: tuple[OneCheck, ...] = Field(default=(), description="What to look at before the first act.")
    guardrails: Annotated[Guards, ReadAs(Guardrails, _guards)] = Field(
        default_factory=Guards, description="Limits for this rule, on each service."
    )
    owner: Text | None = Field(default=None, description="Who keeps the rule; messages tell it.")


class Defaults(Shared):
    """What holds for each rule of the group that does not say otherwise."""

    KEYS_ARE = "default"


class RuleEntry(Shared, Selecting):
    """A remediation for a kind of alert."""

    LATER = frozenset({"escalate", "expires", "inhibit", "on_failure", "until"})

    steps: tuple[OneAction, ...] = Field(min_length=1, description="The ladder: what to do, in this order.")
    firing_for: Positive | None = Field(
        default=None, alias="for", description="How long an alert must have fired before anything is done."
    )
    when: Annotated[When, ReadAs(Conditions, conditions)] = Field(
        default_factory=When, description="What must hold before anything is done."
    )
    unless_open: tuple[Annotated[Text, AfterValidator(_in_catalogue)], ...] | None = Field(
        default=None,
        description="Services of which no incident may be open: runs wait for their end. "
        "Left out: all that the service depends on.",
    )
    runbook_url: Annotated[Text, AfterValidator(_web_address)] | None = Field(
        default=None, description="Where people read what to do by hand; messages tell it."
    )

    @model_validator(mode="after")
    def _with_defaults(self, info: ValidationInfo) -> "RuleEntry":
        defaults: Defaults | None = info.context.get("defaults") if info.context else None
        rule = self if defaults is None else self.over(defaults)
        rule._make_sense(info)
        return rule

    def over(self, defaults: Defaults) -> "RuleEntry":
        """The rule with what it leaves out taken from its group, of the guardrails each by itself."""
        taken = {name: getattr(defaults, name) for name in defaults.model_fields_set - self.model_fields_set}
        if "guardrails" in defaults.model_fields_set & self.model_fields_set:
            own, group = self.guardrails, defaults.guardrails
            taken["guardrails"] = Guards(
                cooldown=group.cooldown if own.cooldown is None else own.cooldown,
                budget=own.budget or group.budget,
                changed_by_others=group.changed_by_others
                if own.changed_by_others is None
                else own.changed_by_others,
            )
        return self.model_copy(update=taken)

    def _make_sense(self, info: ValidationInfo) -> None:
        mistakes = []
        named = self.service is not None and not is_template(self.service)
        if not named and self.matches_everything():
            message = "this rule matches every alert and names no service: add a matcher or a service"
            mistakes.append(Mistake(message, at=("match",)))
        if self.unless_open and self.service in self.unless_open:
            message = "an incident of the rule's own service is always open when it is to act"
            mistakes.append(Mistake(message, at=("unless_open", self.unless_open.index(self.service))))
        service = info.context["services"].get(self.service) if info.context else None
        if service is not None and service.target.kind is TargetKind.NONE:
            mistakes += self._need_containers(service)
        if mistakes:
            raise mistaken(*mistakes)

    def _need_containers(self, service: Service) -> Iterator[Mistake]:
        lacks = f"the service `{service.name}` has none (its target is `none`)"
        for key, entries in (("triage", self.triage), ("steps", self.steps)):
            for index, entry in enumerate(entries):
                name, _ = entry.verb()
                if entry.VERBS[name].needs_containers:
                    message = f"the {entry.KEYS_ARE} `{name}` needs containers; {lacks}"
                    yield Mistake(message, at=(key, index, name), on_key=True)
        for index, step in enumerate(self.steps):
            if step.verify.healthy:
                message = f"`healthy` looks at containers; {lacks}"
                yield Mistake(message, at=("steps", index, "verify", "healthy"), on_key=True)


class Group(Strict):
    """Rules that belong together, for people."""

    LATER = frozenset({"interval"})

    name: Name
    # Before `rules`: they are read over these, so that what a rule leaves out is known when it is checked.
    defaults: Defaults | None = Field(
        default=None, validate_default=True, description="For each rule here that does not say otherwise."
    )
    rules: tuple[RuleEntry, ...]

    @field_validator("defaults", mode="wrap")
    @classmethod
    def _for_the_rules(
        cls, written: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Defaults | None:
        known: dict[str, Any] = info.context or {}
        known["defaults"] = None  # not those of the group before, if these are wrong
        defaults: Defaults | None = read(written)
        known["defaults"] = defaults
        return defaults


class RuleFile(Strict):
    """A file of remediation rules."""

    KEYS_ARE = "key of a rule file"
    LATER = frozenset({"defaults"})

    version: Annotated[int, AfterValidator(_known_version), WithJsonSchema({"const": VERSION})] = Field(
        default=VERSION, description="Of the format of this file."
    )
    classification: tuple[ClassEntry, ...] = Field(
        default=(),
        description="What alerts are where their rule does not say. The first entry that matches counts.",
    )
    groups: tuple[Group, ...]


def rule_file(actions: Verbs, checks: Verbs) -> type[RuleFile]:
    """The model of a rule file whose steps and triage know these actions and checks.

    They are asked whether they can be carried out as the context of the reading has them, under `actions`
    and `checks`. So the model is made once, however often rules are loaded and commands change: classes lie
    in circles, and only a full pass of the collector would free those of before.
    """
    return _rule_file(_kinds(actions), _kinds(checks))


def _kinds(verbs: Verbs) -> tuple[VerbKind, ...]:
    return tuple(VerbKind(name, verb.params, verb.needs_containers) for name, verb in verbs.items())


@lru_cache(maxsize=4)
def _rule_file(actions: tuple[VerbKind, ...], checks: tuple[VerbKind, ...]) -> type[RuleFile]:
    action: Any = _one_of(OneAction, actions)
    check: Any = _one_of(OneCheck, checks)
    steps: Any = (tuple[action, ...], RuleEntry.model_fields["steps"])
    triage: Any = (tuple[check, ...], RuleEntry.model_fields["triage"])
    entry = create_model("Rule", __base__=RuleEntry, __doc__=RuleEntry.__doc__, triage=triage, steps=steps)
    shared = create_model("Defaults", __base__=Defaults, __doc__=Defaults.__doc__, triage=triage)
    defaults: Any = (shared | None, Group.model_fields["defaults"])
    rules: Any = (tuple[entry, ...], ...)
    group = create_model("Group", __base__=Group, __doc__=Group.__doc__, defaults=defaults, rules=rules)
    groups: Any = (tuple[group, ...], ...)
    return create_model("RuleFile", __base__=RuleFile, __doc__=RuleFile.__doc__, groups=groups)


def _one_of(base: type[OneVerb], kinds: Sequence[VerbKind]) -> Any:
    """The type of a mapping with one optional key per verb; the verb's name alone stands for it, too."""
    fields: dict[str, Any] = {}
    for index, kind in enumerate(kinds):
        if kind.params.model_config.get("extra") != "forbid":
            raise TypeError(f"the parameters of {kind.name} must forbid extra keys ({kind.params.__name__})")
        params = params_of(kind, base.AMONG, templates=base.TEMPLATES)
        fields[_field(index)] = (params, Field(default_factory=lambda: None, alias=kind.name))
    model = create_model(base.__name__, __base__=base, __doc__=base.__doc__, **fields)
    model.VERBS = {kind.name: kind for kind in kinds}
    names: Any = Literal[tuple(model.VERBS)]
    return Annotated[
        model,
        BeforeValidator(
            lambda value: {value: ""} if isinstance(value, str) and value else value,
            json_schema_input_type=names | model,
        ),
    ]


def _field(index: int) -> str:
    """The field of the verb with this place; verbs' own names could clash with pydantic's."""
    return f"verb_{index}"
