"""Reach for servers over the network: whether a port takes connections, and what a page answers.

Only hosts that people wrote into a rule or the configuration come here, never what an alert tells.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import aiohttp

from remediator.model.world import WorldError
from remediator.world.near import Connected, Fetched, NoAnswer

if TYPE_CHECKING:
    from remediator.clock import Clock

MAX_ADDRESSES = 4
"""Of one name, tried one after the other."""
_UNKNOWN = "{} is not a name that this daemon can resolve where it runs"

Place = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class LocalNetwork:
    """The network as this process reaches it. Its face is `Network`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def connect(self, host: str, port: int, seconds: float) -> Connected:
        """See `Network.connect`. Each address of a name gets its share of the time."""
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(seconds):
                places = await _resolved(host, port)
        except TimeoutError:
            raise WorldError(f"{host} was not resolved within {seconds:g} s") from None
        failed: list[str] = []
        for family, address in places:
            told = _written(str(address[0]), port)
            try:
                async with asyncio.timeout(seconds / len(places)):
                    await _knock(family, address)
            except TimeoutError:
                failed.append(f"{told}: no answer within {seconds / len(places):g} s")
            except OSError as error:
                failed.append(f"{told}: {_why(error)}")
            else:
                return Connected(address=told, seconds=self._clock.monotonic() - begun)
        raise NoAnswer("; ".join(failed))

    async def get(self, url: str, seconds: float, limit: int) -> Fetched:
        """See `Network.get`."""
        begun = self._clock.monotonic()
        try:
            async with (
                asyncio.timeout(seconds),
                self._opened().get(url, allow_redirects=False) as response,
            ):
                body, cut = await _read(response, limit)
                return Fetched(
                    status=response.status,
                    seconds=self._clock.monotonic() - begun,
                    body=body,
                    cut=cut,
                    headers=dict(response.headers),
                )
        except TimeoutError:
            raise NoAnswer(f"no answer within {seconds:g} s") from None
        except aiohttp.ClientConnectorDNSError as error:
            raise WorldError(_UNKNOWN.format(error.host)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(_why(error)) from None

    async def close(self) -> None:
        """See `Network.close`."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Each look is to make a connection of its own: that is part of the question.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "remediator"},
            )
        return self._session


async def _resolved(host: str, port: int) -> list[Place]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise WorldError(_UNKNOWN.format(host)) from None
    return [(family, address) for family, _, _, _, address in found[:MAX_ADDRESSES]]


async def _knock(family: socket.AddressFamily, address: object) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as door:
        door.setblocking(False)
        await asyncio.get_running_loop().sock_connect(door, address)  # type: ignore[arg-type]  # as resolved


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


def _written(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    # What asyncio says instead of the system's own words is only the address again.
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number).lower() if number and number > 0 else type(error).__name__
