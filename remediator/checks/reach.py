"""The checks `tcp` and `health_url`: whether what a service needs, or the service itself, can be reached.

Where from matters: the daemon asks, so a name that only the service's own network knows cannot be told.
Hosts come from a rule or the configuration, never from an alert.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from remediator.checks.base import Look
from remediator.model.params import Params
from remediator.model.text import counted, harmless
from remediator.model.world import Finding, WorldError
from remediator.reading.fields import Positive, WebAddress  # noqa: TC001 - pydantic needs it
from remediator.world.near import Connected, NoAnswer
from remediator.world.output import redact

if TYPE_CHECKING:
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.world.base import World

BODY = 4096
"""Bytes of a page that are read and kept."""

_TARGET = re.compile(r"(?:([A-Za-z0-9_.-]{1,253})|\[([0-9A-Fa-f:.]{2,45})\]):(\d{1,5})", re.ASCII)


def _address(text: str) -> str:
    _split(text)
    return text


def _split(text: str) -> tuple[str, int]:
    found = _TARGET.fullmatch(text)
    if found is None or not 0 < int(found[3]) < 65_536:
        raise ValueError(f"expected HOST:PORT, such as redis:6379 or [::1]:6379; this is `{text[:100]}`")
    return found[1] or found[2], int(found[3])


Address = Annotated[str, StringConstraints(min_length=1), AfterValidator(_address)]


class TcpParams(Params):
    """Parameters of the check `tcp`."""

    targets: tuple[Address, ...] = Field(
        min_length=1, max_length=20, description="What to connect to, each as `HOST:PORT`."
    )
    timeout: Positive = Field(default=timedelta(seconds=3), description="How long each one may take.")


class TcpLook(Look[TcpParams]):
    """Look whether ports take connections."""

    name = "tcp"
    params = TcpParams
    needs_containers = False

    async def see(self, service: Service, params: TcpParams, world: World) -> Finding:
        """Well is: all do."""
        seconds = params.timeout.total_seconds()
        seen = await asyncio.gather(*(_knock(target, seconds, world) for target in params.targets))
        states = [facts["open"] for facts in seen]
        lines = [f"{facts['target']}: {facts['told']}" for facts in seen]
        bad = [line for line, state in zip(lines, states, strict=True) if not state]
        return Finding(
            check=self.name,
            ok=False if False in states else None if None in states else True,
            summary="; ".join(bad) or f"{counted(len(seen), 'port')} took a connection",
            text="\n".join(["Seen from where the daemon runs.", *lines]),
            facts={"targets": [*seen]},
        )


async def _knock(target: str, seconds: float, world: World) -> dict[str, Json]:
    host, port = _split(target)
    try:
        made: Connected = await world.network.connect(host, port, seconds)
    except NoAnswer as error:
        return {"target": target, "open": False, "told": harmless(str(error))}
    except WorldError as error:
        return {"target": target, "open": None, "told": harmless(str(error))}
    told = f"connected to {made.address} in {made.seconds * 1000:.0f} ms"
    return {"target": target, "open": True, "told": told, "seconds": round(made.seconds, 4)}


class HealthUrlParams(Params):
    """Parameters of the check `health_url`."""

    url: WebAddress | None = Field(
        default=None, description="What to ask; left out: `health_url` of the service in the catalogue."
    )
    status: int | None = Field(
        default=None, ge=100, le=599, description="The status that is well; left out: any 2xx."
    )
    timeout: Positive = Field(default=timedelta(seconds=5), description="How long the answer may take.")


class HealthUrlLook(Look[HealthUrlParams]):
    """Ask a health endpoint."""

    name = "health_url"
    params = HealthUrlParams
    needs_containers = False

    async def see(self, service: Service, params: HealthUrlParams, world: World) -> Finding:
        """Well is: it answers in time, and with the right status."""
        url = params.url or service.health_url
        if url is None:
            return self.cannot_tell(f"no `url` is given, and {service.name} has no `health_url`")
        # What stands behind `?` may be a key.
        shown = harmless(redact(urlsplit(url)._replace(query="", fragment="").geturl()))
        try:
            page = await world.network.get(url, params.timeout.total_seconds(), BODY)
        except NoAnswer as error:
            summary = f"{shown}: {harmless(str(error))}"
            return Finding(check=self.name, ok=False, summary=summary, facts={"url": shown, "status": None})
        well = page.status == params.status if params.status else 200 <= page.status < 300
        told = f"{shown}: HTTP {page.status} in {page.seconds * 1000:.0f} ms"
        body = harmless(redact(page.body.decode(errors="replace")), lines=True)
        return Finding(
            check=self.name,
            ok=well,
            summary=told,
            text=f"{told}\n\n{body}{'[... cut ...]' if page.cut else ''}",
            facts={"url": shown, "status": page.status, "seconds": round(page.seconds, 4)},
        )
