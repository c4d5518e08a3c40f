"""The receiver: Alertmanager's notifications, accepted only once they are on disk.

Kept short, because it bounds how fast a storm of alerts is acknowledged. Here the form of the body
as a whole is checked; a single alert that cannot be read costs only itself, and that is seen later,
when the notification is taken in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from multidict import CIMultiDict

from remediator.web.auth import from_another_site
from remediator.web.body import SHOWN, parse_json, read_body
from remediator.web.errors import HEADERS, Refusal, answer_to
from remediator.web.front import FRONT, Front

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Serve = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

PATH = "/api/v1/webhook"
VERSION = "4"

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="remediator", Basic realm="remediator"'}

# Made once, in the type that a response copies without a look at each.
_ACCEPTED = CIMultiDict({**HEADERS, "Content-Type": "application/json"})


async def receive(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/webhook: 200 once the raw notification is committed."""
    return await _receive(request, request.app[FRONT])


def short_cut(front: Front, serve: Serve) -> Serve:
    """`serve`, but notifications go past the application, its router and its middleware.

    Those would take a quarter of the time that an answer takes. What is answered is the same.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            if request.raw_path == PATH and request.method == "POST" and "Expect" not in request.headers:
                return await _receive(request, front)
            return await serve(request)
        except Exception as error:  # of the application only what never reached its middleware
            return answer_to(request, error)

    return handle


async def _receive(request: web.BaseRequest, front: Front) -> web.Response:
    begun = front.clock.monotonic()
    if from_another_site(request):
        raise Refusal(403, "forbidden", "browsers of other sites may not post here")
    caller = front.tokens.caller(request.headers.get("Authorization", ""))
    if caller is None:
        raise Refusal(
            401,
            "unauthorized",
            "this needs an ingest token, as `Authorization: Bearer TOKEN` or as the password of basic "
            "authentication; set it in the http_config of Alertmanager's webhook_config",
            headers=_CHALLENGE,
        )
    if caller.role != "ingest":
        raise Refusal(403, "forbidden", "this takes an ingest token; the one given is an operator's")
    body = await read_body(request, limit=front.max_body, seconds=front.body_seconds)
    _check(parse_json(body))
    notification = await front.desk.receive(body, caller.name)
    front.metrics.receive_seconds.observe(front.clock.monotonic() - begun)
    return web.Response(body=b'{"status":"accepted","notification":%d}' % notification, headers=_ACCEPTED)


def _check(root: Any) -> None:
    """Refuse what is not a notification in Alertmanager's format."""
    if not isinstance(root, dict):
        raise Refusal(400, "invalid_notification", "the body must be a JSON object, as Alertmanager posts it")
    version = root.get("version")
    if version != VERSION:
        raise Refusal(
            400,
            "unknown_version",
            f"version is {str(version)[:SHOWN]!r}; this understands Alertmanager's format {VERSION!r}",
        )
    if not isinstance(root.get("alerts"), list):
        raise Refusal(400, "invalid_notification", "`alerts` must be a list, as Alertmanager posts it")
