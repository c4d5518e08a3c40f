"""The small types that configuration and rules share: text, names, budgets, sizes, shares."""

import re
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema

from remediator.model.duration import PATTERN as DURATION_PATTERN
from remediator.model.duration import Duration, parse_duration
from remediator.model.rule import Budget

Text = Annotated[str, StringConstraints(min_length=1)]
"""Text that is not empty."""

NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
_NAME = re.compile(NAME_PATTERN, re.ASCII)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"`{value[:60]}` cannot be a name: use letters, digits, `_`, `.` and `-`, a letter or digit first"
        )
    return value


Name = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN}),
]
"""A name that people type and metrics carry."""


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("expected more than 0")
    return value


Positive = Annotated[Duration, AfterValidator(_positive)]
"""A duration above zero."""

_BUDGET = re.compile(r"([1-9]\d{0,5})/(.+)", re.ASCII)


def budget(value: Any) -> Budget:
    """Reads `3/1h`. ValueError says how one is written."""
    found = _BUDGET.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"a budget is written COUNT/WINDOW, such as 3/1h; this is `{value}`")
    return Budget(count=int(found[1]), window=_positive(parse_duration(found[2])))


BudgetText = Annotated[
    Budget,
    BeforeValidator(budget),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[1-9]\d{0,5}/" + DURATION_PATTERN[1:], "examples": ["3/1h"]}
    ),
]
"""`3/1h`: at most three acts in any hour."""

_SIZE = re.compile(r"(\d{1,12})\s?(B|kB|KB|MB|GB|KiB|MiB|GiB)?", re.ASCII)
_SIZES = {"B": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "KI": 1024, "MI": 1024**2, "GI": 1024**3}


def _size(value: Any) -> int:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"a size is written such as 64KiB, 10MB or a number of bytes; this is `{value}`")
    return int(found[1]) * _SIZES[(found[2] or "B").upper().removesuffix("B") or "B"]


Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{_SIZE.pattern}$"}]}
    ),
]
"""A number of bytes, written `10MB` or `64KiB`."""


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not text.isprintable() or set(text) & set(" {}"):
        raise ValueError("expected an address such as http://app.example.com:8080/healthz")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a user name or password is not taken from an address: it would be shown to people")
    return text


WebAddress = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_web_address)]
"""An http or https address that is asked as it is written, without credentials."""

_SHARE = re.compile(r"\d{1,4}|(?:100|\d{1,2})%", re.ASCII)


def _share(value: str) -> str:
    if not _SHARE.fullmatch(value):
        raise ValueError(f"expected a count such as 2, or a share such as 50%; this is `{value}`")
    return value


Share = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_share),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^({_SHARE.pattern})$"}]}
    ),
]
"""How many of several: a count (`2`) or a share (`50%`)."""
