"""The check `http`: a named request that only looks; the answer that it expects says that all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.checks.base import Look
from remediator.model.request import LOOKING, RequestParams, objection
from remediator.model.text import harmless
from remediator.model.world import Finding
from remediator.world.base import RequestNotSent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.model.request import RequestSpec
    from remediator.model.service import Service
    from remediator.world.base import World


class HttpLook(Look[RequestParams]):
    """Make a GET or HEAD request: the expected answer is well, any other is not."""

    name = "http"
    params = RequestParams
    needs_containers = False

    def __init__(self, requests: Mapping[str, RequestSpec]) -> None:
        self._requests = requests

    def check(self, params: RequestParams) -> str | None:
        """The request must exist and change nothing, and the values fit it."""
        return _wrong(self._requests, params)

    async def see(self, service: Service, params: RequestParams, world: World) -> Finding:
        """Make it. Without an answer nobody can tell."""
        wrong = _wrong(world.requests.specs, params)
        if wrong is not None:
            return self.cannot_tell(wrong)
        spec = world.requests.specs[params.name]
        filled = spec.fill(params.params)
        try:
            reply = await world.requests.send(spec, filled)
        except RequestNotSent as error:
            return self.cannot_tell(str(error))
        ok = filled.expect.met_by(reply.status, reply.told)
        unlike = "" if ok else ", not as expected"
        return Finding(
            check=self.name,
            ok=ok,
            summary=f"{spec.name}: HTTP {reply.status} in {reply.seconds:.2f} s{unlike}",
            text=harmless(reply.body, lines=True),
            facts={"request": spec.name, "status": reply.status, "seconds": round(reply.seconds, 3)},
        )


def _wrong(requests: Mapping[str, RequestSpec], params: RequestParams) -> str | None:
    spec = requests.get(params.name)
    if spec is not None and spec.method not in LOOKING:
        return f"the request {spec.name} is a {spec.method}; a check only looks, by GET or HEAD"
    return objection(requests, params.name, params.params)
