"""An operator's call: who asks, and for what. Every handler of the API is given one.

A handler cannot be reached without the name of its caller, because a `Call` cannot be made
without one. What a handler returns is the answer, as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web
from pydantic import BaseModel

from remediator.web.auth import from_another_site
from remediator.web.body import as_model, read_asked
from remediator.web.errors import Refusal
from remediator.web.front import FRONT, Front

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler

    from remediator.engine.face import Desk
    from remediator.store import Reader

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="remediator"'}


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a named operator."""

    request: web.Request
    front: Front
    actor: str
    """Whose token it came with; this name goes on the record."""

    @property
    def desk(self) -> Desk:
        """The engine's face."""
        return self.front.desk

    @property
    def id(self) -> int:
        """The number in the path."""
        return int(self.request.match_info["id"])

    async def body(self, model: type[M]) -> M:
        """What the body asks for."""
        return await read_asked(self.request, model, seconds=self.front.body_seconds)

    def query(self, model: type[M]) -> M:
        """What the query asks for. A key that is not known, or given twice, is refused."""
        query = self.request.query
        for key in query:
            if len(query.getall(key)) > 1:
                raise Refusal(400, "invalid", f"{key[:100]!r} is given more than once")
        return as_model(model, dict(query), strict=False)

    async def read(self, job: Callable[[Reader], T]) -> T:
        """What the store knows."""
        return await self.front.desk.read(job)


def for_operators(answer: Callable[[Call], Awaitable[Any]]) -> Handler:
    """A handler that lets only named operators through to `answer`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        front = request.app[FRONT]
        result = await answer(Call(request, front, _operator(request, front)))
        return result if isinstance(result, web.StreamResponse) else web.json_response(result)

    return handle


def _operator(request: web.Request, front: Front) -> str:
    if from_another_site(request):
        raise Refusal(403, "forbidden", "browsers of other sites may not call this")
    caller = front.tokens.caller(request.headers.get("Authorization", ""))
    if caller is None:
        raise Refusal(
            401,
            "unauthorized",
            "this needs an operator's token, as `Authorization: Bearer TOKEN`",
            headers=_CHALLENGE,
        )
    if caller.role != "operator":
        raise Refusal(
            403, "forbidden", "this takes an operator's token; the one given may only post notifications"
        )
    return caller.name
