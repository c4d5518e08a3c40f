"""The section `requests`: the only HTTP calls that rules and triage may have made."""

import base64
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, SecretStr, ValidationInfo

from remediator.config.fields import BaseUrl, PasswordFile, web_address
from remediator.config.sections import AccessEntry, ParamEntry
from remediator.model.command import ParamSpec
from remediator.model.duration import Duration
from remediator.model.request import (
    IDEMPOTENT,
    Expected,
    Method,
    RequestSpec,
    RequestSpecError,
    reference_problems,
)
from remediator.reading.fields import Name, Positive, Text
from remediator.reading.problems import did_you_mean, names_secret
from remediator.reading.typed import Mistake, ReadAs, Strict, mistaken

Status = Annotated[int, Field(ge=100, le=599)]


class RequestParamEntry(ParamEntry):
    """What may stand in a placeholder of a request."""


def _param(written: RequestParamEntry, _: ValidationInfo) -> ParamSpec:
    return ParamSpec(**dict(written), dashes=True)


class RetriesEntry(Strict):
    """How often a request that is safe to repeat is tried, if no answer comes, or 429, 502, 503 or 504."""

    tries: Annotated[int, Field(ge=1, le=10)] = Field(default=3, description="All tries together.")
    pause: Duration = Field(default=timedelta(seconds=1), description="Time between two tries.")


class ExpectedEntry(Strict):
    """What an answer is to be like."""

    status: tuple[Status, ...] = Field(
        default=(), description="One of these. Left out: any from 200 to 299. A redirect is never followed."
    )
    json_: dict[Text, str] = Field(
        default_factory=dict,
        alias="json",
        description="What stands in the body, by JSON pointer: `{/state: drained, /servers/0/weight: 0}`. "
        "`{name}` stands for a parameter.",
    )


def _expected(written: ExpectedEntry, _: ValidationInfo) -> Expected:
    return Expected(status=written.status, json=written.json_)


ExpectedAnswer = Annotated[Expected, ReadAs(ExpectedEntry, _expected)]


class RequestEntry(AccessEntry):
    """A named HTTP request: rules and triage name one, they cannot spell one."""

    method: Method = Field(description="What is done to the URL.")
    url: Text = Field(  # here with path, query and placeholders
        description="The whole URL. `{name}` stands for a parameter, which fills one segment of the path or "
        "one value of the query, percent-encoded. No secret belongs here, for it is shown."
    )
    headers: dict[Text, Text] = Field(default_factory=dict, description="Headers that are no secrets.")
    secret_headers: dict[Text, PasswordFile] = Field(
        default_factory=dict, description="Headers whose values are secrets: the file that holds each."
    )
    body: Text | None = Field(
        default=None,
        description="JSON. `{name}` inside one of its texts stands for a parameter; a text that is nothing "
        "else than a parameter of the type int becomes a number.",
    )
    params: dict[Text, Annotated[ParamSpec, ReadAs(RequestParamEntry, _param)]] = Field(
        default_factory=dict, description="The parameters, each used in `url`, `body` or an expected answer."
    )
    proxy: BaseUrl | None = Field(
        default=None, description="HTTP proxy to go through. None is taken from the environment."
    )
    timeout: Positive = Field(
        default=timedelta(seconds=10), description="For one try, from connecting to the end of the answer."
    )
    retries: RetriesEntry = Field(
        default_factory=lambda: RetriesEntry(tries=1),
        description="Only for what is safe to repeat. Left out: one try.",
    )
    repeatable: bool | None = Field(
        default=None,
        description="Whether it does no harm when it is made twice. Left out: so for GET, HEAD, PUT, DELETE.",
    )
    expect: ExpectedAnswer = Field(
        default_factory=Expected, description="The answer that means that it was done."
    )
    expect_not: ExpectedAnswer | None = Field(
        default=None,
        alias="not",
        description="Of a probe: the answer that proves that what it asks about was not done. Any other "
        "answer than this one and `expect` leaves that open.",
    )
    probe: Name | None = Field(
        default=None,
        description="The request, a GET or HEAD, that tells after a crash whether this one took effect.",
    )
    undo: Name | None = Field(default=None, description="The request that takes this one back.")


def requests_of(written: dict[str, RequestEntry], _: ValidationInfo) -> dict[str, RequestSpec]:
    """The requests as they are made. Raises every mistake that shows only when they are seen as a whole."""
    requests = {}
    mistakes = []
    for name, entry in written.items():
        try:
            _check_url(entry.url)
            requests[name] = _request(name, entry)
        except RequestSpecError as error:
            # What was left out has no place of its own.
            mistakes.append(Mistake(str(error), (name, error.key)))
    mistakes += _references(requests, written)
    if mistakes:
        raise mistaken(*mistakes)
    return requests


def _references(
    requests: Mapping[str, RequestSpec], written: Mapping[str, RequestEntry]
) -> Iterator[Mistake]:
    for name, key, message in reference_problems(requests):
        named = getattr(written[name], key)
        if named not in written:
            yield Mistake(message + did_you_mean(named, written), (name, key))
        elif named in requests:  # else that one's own mistake is told
            yield Mistake(message, (name, key))


def _check_url(url: str) -> None:
    try:
        web_address(url)
    except ValueError as error:
        raise RequestSpecError("url", str(error)) from None
    for key, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if names_secret(key):
            message = f"`{key}` looks like a secret, and a URL is shown to people: use `secret_headers`"
            raise RequestSpecError("url", message)


_KEPT = ("headers", "body", "params", "proxy", "timeout", "expect", "expect_not", "probe", "undo")


def _request(name: str, entry: RequestEntry) -> RequestSpec:
    secrets, conceal = _secrets(entry)
    return RequestSpec(
        name=name,
        method=entry.method,
        url=entry.url,
        secret_headers=secrets,
        conceal=conceal,
        ca_file=str(entry.ca_file) if entry.ca_file else None,
        tries=entry.retries.tries,
        pause=entry.retries.pause,
        repeatable=entry.method in IDEMPOTENT if entry.repeatable is None else entry.repeatable,
        **{key: getattr(entry, key) for key in _KEPT},
    )


def _secrets(entry: RequestEntry) -> tuple[dict[str, SecretStr], tuple[SecretStr, ...]]:
    """The headers that are secrets, and every secret as it was read or is sent."""
    headers = dict(entry.secret_headers)
    conceal = [*headers.values()]
    credentials = None
    if entry.token is not None:
        credentials = f"Bearer {entry.token.get_secret_value()}"
        conceal.append(entry.token)
    elif entry.username is not None and entry.password is not None:
        pair = f"{entry.username}:{entry.password.get_secret_value()}"
        encoded = base64.b64encode(pair.encode()).decode()
        credentials = f"Basic {encoded}"
        conceal += [entry.password, SecretStr(encoded)]
    if credentials is not None:
        if any(name.lower() == "authorization" for name in headers):
            raise RequestSpecError("secret_headers", "the header Authorization is made of the credentials")
        headers["Authorization"] = SecretStr(credentials)
    return headers, tuple(conceal)
