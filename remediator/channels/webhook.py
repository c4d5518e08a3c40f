"""The generic channel: a signed JSON body, posted to one URL.

The receiver checks `X-Remediator-Signature: t=<unix>,v1=<hex>`, where the hex is the HMAC-SHA256
over `<t>.<body>` with the shared secret, and drops what it has seen by `Idempotency-Key`: a
message whose answer was lost is sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp

from remediator.channels.base import Delivered, Delivery, Failed, Retry
from remediator.channels.messages import text_of

if TYPE_CHECKING:
    from remediator.clock import Clock
    from remediator.model.run import Message

SIGNATURE_HEADER = "X-Remediator-Signature"
LONGEST_WAIT = 3600.0
"""Seconds. A receiver's Retry-After beyond this is not believed, lest a typing error silence a page."""

_MISPLACED = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429})
"""Answers that blame the address, the credentials or the moment, but not the message.

People mend those while the message waits, so they are retried. Any other 4xx refuses this very body.
"""


def sign(secret: bytes, unix: int, body: bytes) -> str:
    """The value of the signature header for a body sent at a time."""
    digest = hmac.new(secret, b"%d.%b" % (unix, body), hashlib.sha256).hexdigest()
    return f"t={unix},v1={digest}"


def idempotency_key(message: Message) -> str:
    """The same for every try at one message. The time keeps it unique when a store starts anew."""
    return f"{message.id}-{int(message.created_at.timestamp() * 1000)}"


def body_of(message: Message) -> bytes:
    """The JSON body of a message: what it is about, the text for people, the facts for programs."""
    return json.dumps(
        {
            "id": idempotency_key(message),
            "kind": message.kind,
            "incident": message.incident_id,
            "created_at": message.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "text": text_of(message),
            "payload": message.payload,
        }
    ).encode()


class WebhookChannel:
    """Posts messages to one URL. `timeout` is in seconds and bounds one whole try."""

    def __init__(self, url: str, secret: bytes, clock: Clock, *, timeout: float = 10.0) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> Delivery:
        """Post once. 2xx is delivered; a redirect is not followed, for it would carry the facts away."""
        body = body_of(message)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key(message),
            SIGNATURE_HEADER: sign(self._secret, int(self._clock.now().timestamp()), body),
        }
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "remediator"},
            )
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return self._judge(answer)
        except TimeoutError:
            return Retry(reason=f"no answer within {self._timeout.total:g} s")
        except (aiohttp.ClientError, OSError) as error:
            # The error's own text may hold the URL, and with it a secret.
            detail = error.strerror if isinstance(error, OSError) else None
            return Retry(reason=f"{type(error).__name__}: {detail}" if detail else type(error).__name__)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _judge(self, answer: aiohttp.ClientResponse) -> Delivery:
        status = answer.status
        if 200 <= status < 300:
            return Delivered()
        if 300 <= status < 400:
            return Retry(reason=f"HTTP {status}: redirects are not followed; configure the final URL")
        if status >= 500 or status in _MISPLACED:
            return Retry(reason=f"HTTP {status}", after=self._wait(answer.headers.get("Retry-After", "")))
        return Failed(reason=f"HTTP {status}: the receiver refuses this message")

    def _wait(self, asked: str) -> float | None:
        """Seconds that a Retry-After header asks for, as a number or as a date; None if it does not."""
        try:
            seconds = (
                float(asked)
                if asked.isascii() and asked.isdigit()
                else (parsedate_to_datetime(asked).astimezone(UTC) - self._clock.now()).total_seconds()
            )
        except (ValueError, OverflowError):
            return None
        return min(max(seconds, 0.0), LONGEST_WAIT)
