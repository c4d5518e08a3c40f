"""Reading a request's body: bounded in size and in time, and strictly JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import pydantic_core
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from remediator.model.text import harmless
from remediator.web.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=BaseModel)

SMALL = 65_536
"""Bytes: the most that an operator's request may hold."""
SHOWN = 100
"""Characters of a value that a message repeats."""


class Asked(BaseModel):
    """Base of what operators send: exact types, and no key that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True)


async def read_body(request: web.BaseRequest, *, limit: int, seconds: float) -> bytes:
    """The whole body. Refuses one over `limit` bytes, a compressed one, or one that takes over `seconds`."""
    _refuse_compressed(request)
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        if request.content.is_eof():  # all of it is here, as with most; waiting costs more than reading
            body = request.content.read_nowait()
        else:
            async with asyncio.timeout(seconds):
                body = await request.read()
    except TimeoutError:
        # Not 408: Alertmanager gives up on every 4xx, and the alert would be lost. It retries a 503.
        raise Refusal(
            503,
            "stalled",
            f"the body did not arrive within {seconds:g} s; send it again",
            headers={"Retry-After": "1"},
            close=True,
        ) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise Refusal(
            400, "invalid_body", f"the body cannot be read: {type(error).__name__}; send it whole", close=True
        ) from None
    if len(body) > limit:
        raise _too_large(limit)
    return body


def parse_json(body: bytes) -> Any:
    """The value that a body holds, by a parser that bounds depth and takes neither NaN nor bad UTF-8."""
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        shown = harmless(str(error), limit=SHOWN)
        raise Refusal(400, "invalid_json", f"the body is not JSON: {shown}; send one JSON object") from None


async def read_asked(request: web.Request, model: type[M], *, seconds: float) -> M:
    """An operator's request body as a `model`; no body counts as an empty object."""
    body = await read_body(request, limit=SMALL, seconds=seconds)
    return as_model(model, parse_json(body) if body else {})


def as_model(model: type[M], value: Any, *, strict: bool = True) -> M:
    """`value` as a `model`; a Refusal names every key that is wrong."""
    try:
        return model.model_validate(value, strict=strict)
    except ValidationError as error:
        raise Refusal(400, "invalid", "; ".join(_told(model, dict(e)) for e in error.errors())) from None


def _told(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    key = harmless(".".join(str(part) for part in error["loc"]) or "body", limit=SHOWN)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown; this takes {', '.join(model.model_fields) or 'nothing'}"
    return f"{key}: {error['msg']}"


def _refuse_compressed(request: web.BaseRequest) -> None:
    """A small body could hold a huge one; and nobody who is to call here compresses."""
    coding = ", ".join(request.headers.getall("Content-Encoding", ())).strip().lower()
    if coding not in ("", "identity"):
        raise Refusal(
            415,
            "compressed",
            "the body is compressed, by its Content-Encoding; send it as it is",
            headers={"Accept-Encoding": "identity"},
        )


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"the body is larger than {limit} bytes; send less at once", close=True)
