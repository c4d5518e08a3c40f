"""The front put together: every path with its handler and with who may call it, and the server.

A path is open to operators only, unless it stands among the few that are not.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

from remediator.web import acts, explain, probes, reads, webhook
from remediator.web.call import for_operators
from remediator.web.errors import answer_errors
from remediator.web.front import FRONT, Front

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from remediator.web.call import Call

KEEPALIVE_SECONDS = 75.0
"""How long an idle connection stays open."""
LINGER_SECONDS = 1.0
"""How long a body that was refused is still read and dropped, so that its sender gets to see the answer."""
CUT_SECONDS = 0.1
"""What a request gets that is cut off at the end, to see that it is."""

_API = "/api/v1"
_ID = "{id:[1-9][0-9]{0,17}}"

_READS: Mapping[str, Callable[[Call], Awaitable[Any]]] = {
    f"{_API}/status": reads.status,
    f"{_API}/rules": reads.rules,
    f"{_API}/incidents": reads.incidents,
    f"{_API}/incidents/{_ID}": reads.incident,
    f"{_API}/runs": reads.runs,
    f"{_API}/runs/{_ID}": reads.run,
    f"{_API}/approvals": reads.approvals,
    f"{_API}/approvals/{_ID}": reads.approval,
    f"{reads.EVIDENCE}{{sha256:[0-9a-f]{{64}}}}": reads.evidence,
    f"{_API}/events": reads.events,
    f"{_API}/quarantine": reads.quarantine,
}

_ACTS: Mapping[str, Callable[[Call], Awaitable[Any]]] = {
    f"{_API}/approvals/{_ID}/approve": acts.approve,
    f"{_API}/approvals/{_ID}/deny": acts.deny,
    f"{_API}/runs": acts.start_run,
    f"{_API}/runs/{_ID}/cancel": acts.cancel,
    f"{_API}/runs/{_ID}/settle": acts.settle,
    f"{_API}/runs/{_ID}/undo": acts.undo,
    f"{_API}/explain": explain.explain,
    f"{_API}/pause": acts.pause,
    f"{_API}/resume": acts.resume,
    "/-/reload": acts.reload,
}


def make_app(front: Front) -> web.Application:
    """The application that answers everything asked of the daemon over HTTP."""
    app = web.Application(middlewares=[answer_errors], client_max_size=front.max_body)
    app[FRONT] = front
    app.router.add_post(webhook.PATH, webhook.receive)
    app.router.add_get("/metrics", probes.metrics)
    app.router.add_get("/-/healthy", probes.healthy)
    app.router.add_get("/-/ready", probes.ready)
    for path, read in _READS.items():
        app.router.add_get(path, for_operators(read))
    for path, act in _ACTS.items():
        app.router.add_post(path, for_operators(act))
    return app


async def start_site(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Listen; returns the runner, for `stop_site`, and the port (for a `port` of 0).

    A client that goes away does not cancel what it asked for: an act is not to be cut off half-way.
    Bodies are left as they come: nothing is inflated for somebody who has not shown a token yet.
    OSError when the address cannot be had.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=False,
        keepalive_timeout=KEEPALIVE_SECONDS,
        lingering_time=LINGER_SECONDS,
        shutdown_timeout=86_400.0,  # `stop_site` knows better
    )
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - it is, after setup
    server.request_handler = webhook.short_cut(app[FRONT], server.request_handler)
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, site.port


async def stop_site(runner: web.AppRunner, grace: float) -> None:
    """Listen no more, close idle connections at once, and give requests under way `grace` seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await runner.cleanup()
    if runner.server is not None:  # the time was up before the end
        await runner.server.shutdown(CUT_SECONDS)
        await runner.cleanup()
