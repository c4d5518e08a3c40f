"""One request over HTTP, and whatever comes back: also a refusal is an answer."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Message
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it is of the 200 kind."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.body.decode(errors='replace')[:2000]}"


def ask(
    method: str,
    url: str,
    body: object = None,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Answer:
    """Send one request. *body* goes as JSON; bytes go as they are. OSError without a whole answer."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=data, method=method, headers=sent)
    try:
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())
    except http.client.HTTPException as error:  # of no family with OSError: the server died as it answered
        raise ConnectionError(f"{method} {url}: a broken answer: {error!r}") from error
