"""What machines ask without a token: is it alive, is it ready, and its metrics.

Why it is not ready may name hosts and files, so that is told to operators only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from remediator.metrics import CONTENT_TYPE
from remediator.web import forms
from remediator.web.auth import from_another_site
from remediator.web.errors import Refusal
from remediator.web.front import FRONT

if TYPE_CHECKING:
    from remediator.web.front import Front

log = structlog.get_logger(__name__)

LEVELS_SECONDS = 5.0
"""How long a scrape waits for the levels: longer than a check of readiness takes, and less than the
10 s after which Prometheus gives up by default."""


async def healthy(_: web.Request) -> web.Response:
    """GET /-/healthy: 200 as long as the event loop runs."""
    return web.json_response({"healthy": True})


async def ready(request: web.Request) -> web.Response:
    """GET /-/ready: 200 when the daemon can do its work, else 503; either way every check."""
    front = request.app[FRONT]
    if from_another_site(request):
        raise Refusal(403, "forbidden", "browsers of other sites may not call this")
    caller = front.tokens.caller(request.headers.get("Authorization", ""))
    readiness = await front.desk.readiness()
    told = forms.readiness(readiness, details=caller is not None and caller.role == "operator")
    return web.json_response(told, status=200 if readiness.ready else 503)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: also when the store cannot be read, because then they are needed most."""
    front = request.app[FRONT]
    await _refresh(front)
    return web.Response(body=front.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


async def _refresh(front: Front) -> None:
    try:
        async with asyncio.timeout(LEVELS_SECONDS):
            front.metrics.set_levels(await front.levels())
    except Exception as error:  # whatever it is, the last known levels are better than no metrics
        log.warning("the levels cannot be read; showing the last ones", error=repr(error))
        front.metrics.ready.set(0)
