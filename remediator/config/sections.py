"""What the sections of the configuration may hold, as pydantic models."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator
from pydantic import model_validator as validator

from remediator.config.fields import (
    BaseUrl,
    CertificateFile,
    EngineHost,
    KeyFile,
    PasswordFile,
    SecretUrl,
    TokenFile,
    UrlFile,
    check_key,
)
from remediator.decide.policy import Policy
from remediator.model.command import ParamSpec
from remediator.model.duration import Duration
from remediator.model.service import Target, TargetKind
from remediator.model.words import Mode
from remediator.reading.fields import BudgetText, Name, Positive, Share, Size, Text, WebAddress
from remediator.reading.typed import Mistake, ReadAs, Strict, describe, mistaken

DEFAULTS = Policy()

RESERVED_NAMES = frozenset({"alert", "alertmanager", "daemon", "reconcile", "signal", "system", "watch"})
"""The record uses them for what no person did."""


class SeverityEntry(Strict):
    """How incidents of one severity may be acted on. What is left out stays as it is by default."""

    mode: Mode | None = Field(default=None, description="How far the daemon may go by itself.")
    people: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="How many different people must approve, where approval is needed."
    )
    approval_expires: Positive | None = Field(
        default=None, description="How long people are waited for, before they are asked again."
    )


class GuardrailsEntry(Strict):
    """Limits on each service, whatever the rule. A rule may add its own."""

    cooldown: Duration | None = Field(default=None, description="Least time between two acts on a service.")
    budget: tuple[BudgetText, ...] = Field(
        default=(), description="At most so many acts on a service in any such window: `[5/1h, 12/24h]`."
    )
    changed_by_others: Duration = Field(
        default=DEFAULTS.changed_by_others,
        description="Leave a target alone for so long after somebody else changed it. Rules may differ.",
    )
    confirm_within: Positive = Field(
        default=DEFAULTS.confirm_within,
        description="An alert that neither a notification nor the API confirmed for so long is not acted on. "
        "Without alertmanagers to ask: one that no notification told of since the start.",
    )


class AccessEntry(Strict):
    """A server whose HTTP API is asked, and the credentials for it."""

    url: BaseUrl = Field(description="Its address, such as `http://127.0.0.1:9093`.")
    token: PasswordFile | None = Field(
        default=None, alias="token_file", description="File with a bearer token."
    )
    username: Text | None = Field(default=None, description="User name for basic authentication.")
    password: PasswordFile | None = Field(
        default=None, alias="password_file", description="File with the password for basic authentication."
    )
    ca_file: CertificateFile | None = Field(
        default=None, description="File with the certificates to trust, instead of the system's."
    )

    @validator(mode="after")
    def _one_way_in(self) -> "AccessEntry":
        if (self.username is None) != (self.password is None):
            raise mistaken(Mistake("`username` and `password_file` belong together: give both, or neither"))
        if self.token is not None and self.username is not None:
            raise mistaken(Mistake("give either `token_file`, or `username` and `password_file`"))
        return self


class EngineEntry(Strict):
    """A Docker Engine."""

    host: EngineHost = Field(
        default="unix:///var/run/docker.sock", description="`unix:///PATH` or `tcp://HOST:PORT`."
    )
    timeout: Positive = Field(
        default=timedelta(seconds=10),
        description="How long an answer may take. A stop is given its own grace period on top.",
    )
    ca_file: CertificateFile | None = Field(
        default=None, description="For `tcp://` with TLS: file with the certificates to trust."
    )
    cert_file: CertificateFile | None = Field(
        default=None, description="The certificate that the daemon shows the engine."
    )
    key_file: KeyFile | None = Field(default=None, description="The key of that certificate.")

    @validator(mode="after")
    def _whole_pair(self) -> "EngineEntry":
        if (self.cert_file is None) != (self.key_file is None):
            raise mistaken(Mistake("`cert_file` and `key_file` belong together: give both, or neither"))
        if self.host.startswith("unix://") and (self.ca_file or self.cert_file):
            raise mistaken(Mistake("TLS is for `tcp://`; a socket of this machine needs none"))
        if self.cert_file is not None and self.key_file is not None:
            try:
                check_key(self.cert_file, self.key_file)
            except ValueError as error:
                raise mistaken(Mistake(str(error), ("key_file",))) from None
        return self


class TargetEntry(Strict):
    """What a service runs as: one of the four kinds, or the word `none` for a service without containers."""

    compose_service: Text | None = Field(default=None, description="A Compose service, by its name.")
    container: Text | None = Field(default=None, description="One container, by its exact name.")
    label: Text | None = Field(default=None, description="All containers with this label: `key=value`.")
    swarm_service: Text | None = Field(default=None, description="A Swarm service, by its name.")
    project: Text | None = Field(
        default=None, description="The Compose project. Without it the name must be unique on the engine."
    )
    engine: Name = Field(default="local", description="Which of the `engines` it runs on.")

    @validator(mode="after")
    def _one_kind(self) -> "TargetEntry":
        given = self.given()
        if len(given) != 1:
            kinds = ", ".join(f"`{kind}`" for kind in TargetKind if kind is not TargetKind.NONE)
            found = " and ".join(f"`{kind}`" for kind in given) or "none of them"
            raise mistaken(Mistake(f"a target is exactly one of {kinds}; found {found}"))
        if self.project is not None and self.compose_service is None:
            raise mistaken(Mistake("`project` belongs to a `compose_service`", ("project",), on_key=True))
        key, equals, _ = (self.label or "key=").partition("=")
        if not key or not equals:
            raise mistaken(Mistake(f"expected key=value, found `{self.label}`", ("label",)))
        return self

    def given(self) -> dict[TargetKind, str]:
        """The kinds of target that are named here, with their names."""
        named = {kind: getattr(self, kind, None) for kind in TargetKind}
        return {kind: name for kind, name in named.items() if name is not None}


def _target(written: TargetEntry, _: ValidationInfo) -> Target:
    ((kind, name),) = written.given().items()
    return Target(kind=kind, name=name, project=written.project, engine=written.engine)


def _target_or_none(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if value == "none":
        return Target(kind=TargetKind.NONE)
    if not isinstance(value, dict):
        raise ValueError(f"expected a mapping or the word `none`, found {describe(value)}")
    return handler(value)


class ServiceEntry(Strict):
    """A service of the catalogue: it may be acted on, also without the label on its containers."""

    target: Annotated[
        Target,
        ReadAs(TargetEntry, _target),
        WrapValidator(_target_or_none, json_schema_input_type=Literal["none"] | TargetEntry),
    ] = Field(
        default_factory=lambda: Target(kind=TargetKind.NONE),
        description="What it runs as. Left out: the Compose service of the same name, on the engine `local`.",
    )
    depends_on: tuple[Name, ...] = Field(default=(), description="Services that this one needs to work.")
    failure_domain: Text | None = Field(default=None, description="What fails together with it, e.g. a rack.")
    owner: Text | None = Field(default=None, description="The team whose service it is.")
    min_healthy: Share | None = Field(
        default=None, description="How many of its replicas must stay healthy: `2`, or `50%`."
    )
    stakeholders: tuple[Text, ...] = Field(default=(), description="Who wants to know when it is ill.")
    sli: dict[Name, Text] = Field(
        default_factory=dict, description="Its service level indicators: name and PromQL query."
    )
    health_url: WebAddress | None = Field(
        default=None, description="What answers 2xx while it is well; the check `health_url` asks it."
    )


class ParamEntry(Strict):
    """What may stand in a placeholder of a command. No value may begin with `-`."""

    type: Literal["string", "int", "enum"] = Field(default="string", description="The kind of value.")
    pattern: Text | None = Field(
        default=None, description="For a string: the RE2 expression that the whole of it must match."
    )
    values: tuple[Text, ...] = Field(default=(), description="For an enum: the choices.")
    default: Text | None = Field(default=None, description="Left out: a value must be given.")


def _param(written: ParamEntry, _: ValidationInfo) -> ParamSpec:
    return ParamSpec(**dict(written))


class CommandEntry(Strict):
    """A named command: the only programs that rules and triage may have run."""

    argv: tuple[Text, ...] = Field(
        min_length=1,
        description="Absolute path of the program, then its arguments, one an element; no shell reads them. "
        "`{name}` stands for a parameter.",
    )
    params: dict[Text, Annotated[ParamSpec, ReadAs(ParamEntry, _param)]] = Field(
        default_factory=dict, description="The parameters, each used in `argv`."
    )
    timeout: Positive = Field(
        default=timedelta(seconds=60), description="After this the command and all it started are ended."
    )
    output_limit: Size = Field(
        default=65_536, description="How much of its output is kept: of a longer one the head and the tail."
    )
    env: dict[Text, str] = Field(
        default_factory=dict,
        description="Its environment, beside a minimal PATH and LANG. Nothing is inherited.",
    )
    probe: Name | None = Field(
        default=None,
        description="The command that tells whether this one took effect: exit 0 yes, 1 no, else unknown.",
    )
    undo: Name | None = Field(default=None, description="The command that takes this one back.")
    repeatable: bool = Field(
        default=False, description="Whether it does no harm when it is run twice, or half and then again."
    )


class TokenEntry(Strict):
    """One token of one caller. Give a caller two while a token is being replaced."""

    name: Name = Field(description="Who it belongs to. The record carries it.")
    token: TokenFile = Field(
        alias="file", description="File that holds the token: one word of 16 characters or more."
    )


class TokensEntry(Strict):
    """Who may call, and how they prove it."""

    ingest: tuple[TokenEntry, ...] = Field(
        default=(), description="For Alertmanagers: may post notifications, and nothing else."
    )
    operators: tuple[TokenEntry, ...] = Field(
        default=(), description="For people: may read, approve, run, pause. Each has a name of their own."
    )

    @validator(mode="after")
    def _each_its_own(self) -> "TokensEntry":
        mistakes = []
        holders: dict[str, tuple[str, str]] = {}
        for role, entries in (("ingest", self.ingest), ("operators", self.operators)):
            for index, entry in enumerate(entries):
                if role == "operators" and entry.name in RESERVED_NAMES:
                    message = (
                        f"`{entry.name}` cannot be an operator: the record uses it for the daemon's own acts"
                    )
                    mistakes.append(Mistake(message, (role, index, "name")))
                holder = holders.setdefault(entry.token.get_secret_value(), (role, entry.name))
                if holder != (role, entry.name):
                    message = (
                        f"this is also the token of `{holder[1]}` ({holder[0]}): each needs one of their own"
                    )
                    mistakes.append(Mistake(message, (role, index, "file")))
        if mistakes:
            raise mistaken(*mistakes)
        return self


class WebhookEntry(Strict):
    """Messages as signed JSON, posted to one URL."""

    url: SecretUrl | None = Field(default=None, description="Where to post.")
    url_file: UrlFile | None = Field(
        default=None, description="File that holds the URL, if that is a secret."
    )
    secret: TokenFile = Field(
        alias="secret_file",
        description="File with the secret that messages are signed with; 16 characters or more.",
    )
    timeout: Positive = Field(default=timedelta(seconds=10), description="How long one try may take.")

    @validator(mode="after")
    def _one_address(self) -> "WebhookEntry":
        if (self.url is None) == (self.url_file is None):
            raise mistaken(Mistake("give either `url` or `url_file`"))
        return self

    @property
    def address(self) -> SecretStr:
        """Where to post, wherever that was written."""
        address = self.url or self.url_file
        assert address is not None  # noqa: S101 - for the type checker: validated above
        return address

    @property
    def secret_bytes(self) -> bytes:
        """What messages are signed with."""
        return self.secret.get_secret_value().encode()


class ChannelEntry(Strict):
    """A place where messages go. Every channel is told everything."""

    KEYS_ARE = "kind of channel"
    LATER = frozenset({"slack", "email", "status_page"})

    webhook: WebhookEntry


class LimitsEntry(Strict):
    """How much is taken in."""

    max_body: Size = Field(default=16_000_000, description="Largest notification.")
    body_timeout: Positive = Field(
        default=timedelta(seconds=10), description="How long the body of a request may take to arrive."
    )
    max_waiting: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Most notifications that wait to be stored; more are answered 503, to be sent again.",
    )
    max_waiting_bytes: Size = Field(
        default=100_000_000, description="The same for the length of their bodies together."
    )
