"""A named request of the configuration: which HTTP call the daemon may make, and how values get into it.

Rules and triage name a request; they cannot spell one. A value fills one segment of a path, one value
of a query, or one text of a JSON body: it reaches no other host, and adds no segment, parameter or key.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from urllib.parse import quote, unquote

from pydantic import Field, SecretStr

from remediator.model.command import CommandInputError, ParamSpec
from remediator.model.params import Params, is_template
from remediator.model.text import did_you_mean
from remediator.model.words import Json

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
LOOKING = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
IDEMPOTENT = LOOKING | {"PUT", "DELETE"}
"""Methods that are safe to repeat by what HTTP says of them."""
HALFWAY = frozenset({502, 504})
"""Answers of a gateway that got none itself: what is behind it may have acted."""
MAY_PASS = HALFWAY | {429, 503}
"""Answers for which a request that is safe to repeat is tried again."""

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_URL = re.compile(r"(https?://[^/?#]+)([^?#]*)(?:\?([^#]*))?", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_OURS = frozenset(
    {"connection", "content-length", "content-type", "cookie", "host", "idempotency-key", "transfer-encoding"}
)
"""Headers that are set here, or by what is under HTTP."""


class RequestSpecError(ValueError):
    """A request cannot be made as it is written."""

    def __init__(self, key: str, message: str) -> None:
        """`key` is what of the request is wrong."""
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an answer is to be like."""

    status: tuple[int, ...] = ()
    """One of these; if there are none, any from 200 to 299."""
    json: dict[str, str] = field(default_factory=dict)
    """JSON pointer -> what must stand there in the body: a text, or a number, `true`, `false` or `null`."""

    def met_by(self, status: int, told: Json) -> bool:
        """Whether an answer is like this; `told` is its body, or None if that is no JSON."""
        if status not in self.status if self.status else not 200 <= status <= 299:
            return False
        return all(_same(_at(told, pointer), written) for pointer, written in self.json.items())

    def filled(self, texts: Mapping[str, str]) -> "Expected":
        """The same with every placeholder filled."""
        return Expected(status=self.status, json={at: _put(text, texts) for at, text in self.json.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledRequest:
    """What is sent, and what is expected."""

    url: str
    body: str | None
    expect: Expected
    expect_not: Expected | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSpec:
    """One named request. RequestSpecError when it cannot be made as it is written."""

    name: str
    method: Method
    url: str
    """`{name}` stands for a parameter: in the path or in a value of the query."""
    headers: dict[str, str] = field(default_factory=dict)
    """Beside those that every request has. They hold no placeholders and no secrets."""
    secret_headers: dict[str, SecretStr] = field(default_factory=dict)
    """Headers whose value is a secret; `Authorization` is one."""
    conceal: tuple[SecretStr, ...] = ()
    """Secrets as they were read, which are not to be shown if the answer repeats them."""
    body: str | None = None
    """JSON; `{name}` stands for a parameter in any of its texts. A text that is nothing else than the place
    of a whole number becomes a number."""
    params: dict[str, ParamSpec] = field(default_factory=dict)
    ca_file: str | None = None
    """File with the certificates to trust, instead of the system's."""
    proxy: str | None = None
    """Address of the HTTP proxy to go through. None is ever taken from the environment."""
    timeout: timedelta = timedelta(seconds=10)
    """For one try, from connecting to the end of the answer."""
    tries: int = 1
    """More than one only if it is repeatable."""
    pause: timedelta = timedelta(seconds=1)
    """Between two tries."""
    repeatable: bool = False
    """True when making it twice is as good as once."""
    expect: Expected = field(default_factory=Expected)
    """The answer to a request that did what it is for."""
    expect_not: Expected | None = None
    """Of a request that is another's probe: the answer that proves that the other one did not take effect."""
    probe: str | None = None
    """The request that tells whether this one took effect."""
    undo: str | None = None
    """The request that takes this one back."""

    def __post_init__(self) -> None:
        for key, message in self._mistakes():
            raise RequestSpecError(key, message)

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may be told to everybody."""
        return _parts(self.url)[0]

    @property
    def longest(self) -> timedelta:
        """How long all tries may take together."""
        return self.tries * self.timeout + (self.tries - 1) * self.pause

    def fill(self, values: Mapping[str, object]) -> FilledRequest:
        """The request with every placeholder filled; CommandInputError names the value that does not fit."""
        texts = self.texts(values)
        origin, path, query = _parts(self.url)
        segments = [_segment(segment, texts) for segment in path.split("/")]
        pairs = _put(query, {name: quote(text, safe="") for name, text in texts.items()})
        return FilledRequest(
            url=origin + "/".join(segments) + (f"?{pairs}" if pairs else ""),
            body=None if self.body is None else json.dumps(self._in_json(json.loads(self.body), texts)),
            expect=self.expect.filled(texts),
            expect_not=self.expect_not and self.expect_not.filled(texts),
        )

    def texts(self, values: Mapping[str, object], *, later: Collection[str] = ()) -> dict[str, str]:
        """The text for every placeholder; CommandInputError names the value that does not fit.

        Those that are known only `later` are taken as they are.
        """
        for name in values:
            if name not in self.params:
                known = ", ".join(self.params) or "none"
                raise CommandInputError(
                    f"{name}: the request {self.name} has no such parameter (it has: {known})"
                )
        texts = {}
        for name, spec in self.params.items():
            value = values.get(name, spec.default)
            if value is None:
                raise CommandInputError(f"{name}: the request {self.name} needs a value for it")
            texts[name] = str(value) if name in later else spec.text(name, value)
            if not _is_unicode(texts[name]):
                raise CommandInputError(f"{name}: holds half a character")
        return texts

    def _in_json(self, value: Json, texts: Mapping[str, str]) -> Json:
        if isinstance(value, dict):
            return {key: self._in_json(inner, texts) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._in_json(inner, texts) for inner in value]
        if not isinstance(value, str):
            return value
        alone = _PLACEHOLDER.fullmatch(value)
        if alone and self.params[alone[1]].type == "int":
            return int(texts[alone[1]])
        return _put(value, texts)

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        yield from self._url_mistakes()
        yield from self._header_mistakes()
        yield from self._body_mistakes()
        for pointer in (*self.expect.json, *(self.expect_not.json if self.expect_not else ())):
            if not pointer.startswith("/"):
                yield "expect", f"a JSON pointer begins with `/`; this is `{pointer}`"
        used = {name for text in self._with_places() for name in _PLACEHOLDER.findall(text)}
        for name in sorted(used - self.params.keys()):
            yield "params", f"{{{name}}} is not among the params of the request {self.name}"
        for name in sorted(self.params.keys() - used):
            yield "params", f"the parameter {name} is used nowhere in the request {self.name}"
        if self.tries > 1 and not self.repeatable:
            yield (
                "retries",
                f"a {self.method} is not known to be safe to repeat: say `repeatable: true` if this one is",
            )
        if self.timeout <= timedelta(0) or self.pause < timedelta(0) or self.tries < 1:
            yield "timeout", "timeout is above zero, pause not below, and there is at least one try"

    def _url_mistakes(self) -> Iterator[tuple[str, str]]:
        found = _URL.fullmatch(self.url)
        if found is None or not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            yield "url", "expected a URL such as https://balancer.example.com/servers/{server}, without a `#`"
            return
        origin, path, query = _parts(self.url)
        if "{" in origin:
            yield "url", "no placeholder may stand in the host or port: a value never says whom to call"
        if "@" in origin:
            yield "url", "credentials do not belong into a URL: put them into a file, and name it here"
        for pair in query.split("&"):
            if _PLACEHOLDER.search(pair.partition("=")[0]):
                yield "url", f"in a query a placeholder stands for a value, behind a `=`; this is `{pair}`"
        if set("{}") & set(_PLACEHOLDER.sub("", path + query)):
            yield "url", "`{` and `}` only stand around the name of a parameter"

    def _header_mistakes(self) -> Iterator[tuple[str, str]]:
        secret = {name.lower() for name in self.secret_headers}
        for name, value in self.headers.items():
            if name.lower() == "authorization":
                yield "headers", "credentials do not stand here: use `token_file`, or `secret_headers`"
            if name.lower() in secret:
                yield "headers", f"the header {name} stands under `secret_headers`, too"
            if not value.isascii() or not value.isprintable():
                yield "headers", f"the header {name} is not one line of ASCII characters"
            if _PLACEHOLDER.search(value):
                yield (
                    "headers",
                    f"the header {name} holds a placeholder; they stand in `url` and `body`",
                )
        for key, names in (("headers", self.headers), ("secret_headers", self.secret_headers)):
            for name in names:
                if not _HEADER.fullmatch(name):
                    yield key, f"`{name}` is no name of a header"
                if name.lower() in _OURS:
                    yield key, f"the header {name} is set by the daemon"

    def _body_mistakes(self) -> Iterator[tuple[str, str]]:
        if self.body is None:
            return
        if self.method in LOOKING:
            yield "body", f"a {self.method} has no body"
        try:
            written = json.loads(self.body, parse_constant=_no_json)
        except (ValueError, RecursionError) as error:
            yield "body", f"the body is no JSON: {error}"
            return
        if any(_PLACEHOLDER.search(key) for key in _keys(written)):
            yield "body", "a placeholder stands in a text of the body, not in a key"

    def _with_places(self) -> Iterator[str]:
        """Every text that may hold placeholders."""
        yield self.url
        for expected in (self.expect, self.expect_not):
            yield from expected.json.values() if expected else ()
        if self.body is not None:
            yield from _texts_in(json.loads(self.body))


class RequestParams(Params):
    """Parameters of the action and of the check `http`."""

    name: str = Field(min_length=1, description="A request of the configuration.")
    params: dict[str, str] = Field(default={}, description="Values for its parameters.")


def objection(
    requests: Mapping[str, RequestSpec], name: str, values: Mapping[str, object], *, templates: bool = False
) -> str | None:
    """Why the request of this name cannot be made with these values; None if it can.

    With `templates`, those among them are not held against their parameters: only a label can tell.
    """
    spec = requests.get(name)
    if spec is None:
        return f"there is no request `{name}` in the configuration{did_you_mean(name, requests)}"
    later = [key for key, text in values.items() if templates and is_template(str(text))]
    try:
        if not spec.texts(values, later=later).keys() & set(later):
            spec.fill(values)
    except CommandInputError as error:
        return str(error)
    return None


def reference_problems(requests: Mapping[str, RequestSpec]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the probes and undos that requests name: (request, key, message)."""
    for request in requests.values():
        for key, named in (("probe", request.probe), ("undo", request.undo)):
            if named is None:
                continue
            if named not in requests:
                yield request.name, key, f"there is no request {named}"
                continue
            other = requests[named]
            if key == "probe" and other.method not in LOOKING:
                yield request.name, key, f"{named} is a {other.method}; a probe only looks, by GET or HEAD"
            for param in sorted(other.params.keys() - request.params.keys()):
                yield request.name, key, f"{named} has a parameter {param} that {request.name} cannot fill"


def _parts(url: str) -> tuple[str, str, str]:
    """Origin, path and query of a URL."""
    found = _URL.fullmatch(url)
    return (found[1], found[2], found[3] or "") if found else (url, "", "")


def _put(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _segment(segment: str, texts: Mapping[str, str]) -> str:
    """One filled segment of a path. What a careless server could take for a way up is refused."""
    names = _PLACEHOLDER.findall(segment)
    filled = _put(segment, {name: quote(texts[name], safe="") for name in names})
    if names and {".", ".."} & set(re.split(r"[/\\]", unquote(filled))):
        raise CommandInputError(f"{names[0]}: {texts[names[0]]!r} would lead to another path")
    return filled


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_json(word: str) -> Json:
    raise ValueError(f"{word} is no number of JSON")


def _keys(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for inner in _inside(value):
        yield from _keys(inner)


def _texts_in(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in _inside(value):
        yield from _texts_in(inner)


def _inside(value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


_NOTHING = object()


def _at(told: Json, pointer: str) -> object:
    """What stands at a JSON pointer (RFC 6901), or `_NOTHING`."""
    found: object = told
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and re.fullmatch(r"0|[1-9]\d{0,8}", key) and int(key) < len(found):
            found = found[int(key)]
        else:
            return _NOTHING
    return found


def _same(found: object, written: str) -> bool:
    """Whether a value of JSON is what somebody wrote as text."""
    if isinstance(found, str):
        return found == written
    if found is not None and not isinstance(found, bool | int | float):
        return False
    try:
        meant = json.loads(written)
    except ValueError:
        return False
    return isinstance(meant, bool) is isinstance(found, bool) and bool(meant == found)
