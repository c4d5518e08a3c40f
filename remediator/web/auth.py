"""Who calls: tokens that Alertmanager posts with, and named operators' tokens.

A token is looked for among the SHA-256 digests of all known ones, each compared in constant time,
so the time taken tells nothing about any of them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token belongs to."""

    role: Literal["ingest", "operator"]
    """`ingest` may post webhooks and nothing else; `operator` may do everything else."""
    name: str


class Tokens:
    """All tokens that are accepted. Several may belong to one caller, so that they can be rotated."""

    def __init__(self, tokens: Iterable[tuple[str, Caller]]) -> None:
        self._known = tuple((hashlib.sha256(token.encode()).digest(), caller) for token, caller in tokens)

    def caller(self, authorization: str) -> Caller | None:
        """The caller that an Authorization header proves, or None.

        Ingest tokens also come as the password of basic authentication, with any user name, because
        that is what Alertmanager can send. Operators' do not: browsers repeat basic authentication
        by themselves.
        """
        scheme, _, value = authorization.partition(" ")
        scheme = scheme.lower()
        if scheme == "bearer":
            return self._find(value.strip().encode("utf-8", "surrogateescape"))
        if scheme == "basic":
            try:
                _, _, password = base64.b64decode(value.strip(), validate=True).partition(b":")
            except (binascii.Error, ValueError):
                return None
            caller = self._find(password)
            return caller if caller is not None and caller.role == "ingest" else None
        return None

    def _find(self, token: bytes) -> Caller | None:
        digest = hashlib.sha256(token).digest()
        found = None
        for known, caller in self._known:  # to the end, also after a match
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def from_another_site(request: web.BaseRequest) -> bool:
    """True if a browser says that a page of another origin makes it send this request."""
    # `none` is a person who has typed the address.
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("Origin")
    # Scheme and port of a proxy in front are not known here; the host it was called by is.
    try:
        return origin is not None and urlsplit(origin).netloc != request.headers.get("Host")
    except ValueError:  # what is no address is no address of ours
        return True
