"""Every answer that is not a success, as one JSON form: what is wrong, and what to do about it.

    {"error": {"code": "not_found", "message": "..."}}

`code` is stable and for programs, `message` is for people. A traceback goes to the log, never out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from remediator.engine.face import (
    Busy,
    Conflict,
    DeskError,
    Draining,
    Invalid,
    NotFound,
    StoreFailed,
    Unavailable,
)
from remediator.reading.problems import InputError
from remediator.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

log = structlog.get_logger(__name__)

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "remediator",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer: it is data, for nobody to keep, frame, guess about, or run."""

_DESK: Mapping[type[DeskError], tuple[int, str]] = {
    NotFound: (404, "not_found"),
    Conflict: (409, "conflict"),
    Invalid: (400, "invalid"),
    Unavailable: (503, "unavailable"),
    Busy: (503, "busy"),
    Draining: (503, "draining"),
    StoreFailed: (503, "store_failed"),
}

_HTTP: Mapping[int, tuple[str, str]] = {
    404: ("not_found", "there is nothing at this path; the paths are listed in docs/reference/http-api.md"),
    405: ("method_not_allowed", "this path does not take this method; see the Allow header"),
    413: ("too_large", "the body is too large; send less at once"),
    417: ("expectation_failed", "only `Expect: 100-continue` is understood; leave other expectations out"),
}


class Refusal(Exception):  # noqa: N818 - named by what it is, like the refusals of the desk
    """A request that cannot be served as it is. Ends the handler, and becomes the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.close = close
        """Also end the connection: what else is on its way cannot be trusted."""


def refused(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer that is not a success."""
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)


def answer_to(request: web.BaseRequest, error: Exception) -> web.Response:
    """The answer to a request whose handler raised `error`."""
    response = _answer_to(request, error)
    response.headers.update(HEADERS)
    if isinstance(error, Refusal) and error.close:
        response.force_close()
    return response


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer, and put the headers on every answer."""
    try:
        response = await handler(request)
    except Exception as error:
        return answer_to(request, error)
    response.headers.update(HEADERS)
    return response


def _answer_to(request: web.BaseRequest, error: Exception) -> web.Response:
    match error:
        case Refusal():
            return refused(error.status, error.code, error.message, error.headers)
        case DeskError():
            status, code = _DESK.get(type(error), (400, "invalid"))
            again = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else None
            return refused(status, code, str(error), again)
        case StoreError():
            log.error("the store failed", method=request.method, path=request.path, error=str(error))
            told = "the store does not work; the daemon's log tells why"
            return refused(503, "store_failed", told, {"Retry-After": "1"})
        case InputError():
            return refused(400, "invalid_input", str(error))
        case web.HTTPException():
            code, message = _HTTP.get(error.status, ("http_error", error.reason))
            keep = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            return refused(error.status, code, message, keep)
    log.error("a request failed", method=request.method, path=request.path, exc_info=error)
    return refused(500, "internal", "this is a fault of the daemon; its log tells more")
