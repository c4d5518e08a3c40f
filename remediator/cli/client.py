"""What every command that talks to the daemon needs: its address, a token, and its answers.

The standard library's HTTP client is enough, and loads in a few milliseconds. Redirects are not
followed: the token must not go where nobody meant it to. It never comes from the command line,
which every user of the machine can read.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import click

from remediator.cli.options import output_option
from remediator.cli.output import FAILED, UNREACHABLE, Output
from remediator.model.text import harmless

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_URL = "http://127.0.0.1:9098"
TIMEOUT_SECONDS = 30.0
"""For one answer."""
SHOWN = 2_000
"""Characters of an error that are shown."""


class Refused(click.ClickException):
    """The daemon answered, and said no. Ends the command with exit code 1."""

    exit_code = FAILED

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(harmless(message, lines=True, limit=SHOWN))
        self.status = status
        self.code = code


class Unreachable(click.ClickException):
    """There is no daemon at the address, or what is there is none. Ends the command with exit code 3."""

    exit_code = UNREACHABLE


class Client:
    """Asks one daemon. Raises Refused and Unreachable."""

    def __init__(self, url: str, token: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._token = token
        self._timeout = timeout
        try:
            parts = urlsplit(url)
            self._port = parts.port
        except ValueError as error:
            raise click.UsageError(f"the URL {url!r} cannot be read: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise click.UsageError(f"the URL {url!r} is not one such as {DEFAULT_URL}")
        if parts.username is not None or parts.password is not None:
            raise click.UsageError("the URL holds a user or a password; use a token file instead")
        self._host = parts.hostname
        self._secure = parts.scheme == "https"
        self._prefix = parts.path.rstrip("/")

    def get(self, path: str, **query: object) -> Any:
        """The answer to a read. Values of None are left out of the query."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return self._ask("GET", path + (f"?{urlencode(given)}" if given else ""), None)

    def post(self, path: str, **body: object) -> Any:
        """The answer to an act. Values of None are left out of the body."""
        given = {name: value for name, value in body.items() if value is not None}
        return self._ask("POST", path, json.dumps(given).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, self._prefix + path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
            raise Unreachable(
                f"no daemon answers at {self._url}: {harmless(reason, limit=SHOWN)}; is it running, and is "
                "this its address (--url, REMEDIATOR_URL)?"
            ) from None
        finally:
            connection.close()
        return self._judge(answer.status, content)

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _judge(self, status: int, content: bytes) -> Any:
        try:
            answer = json.loads(content)
            if 200 <= status < 300:
                return answer
            error = answer["error"]
            message, code = str(error["message"]), str(error["code"])
        except (ValueError, KeyError, TypeError):
            raise Unreachable(
                f"what answers at {self._url} is not Remediator, or something stands before it: HTTP {status}"
            ) from None
        raise Refused(message, status=status, code=code)


def read_token(file: Path | None) -> str:
    """The operator's token: from the file if one is given, else from REMEDIATOR_TOKEN."""
    if file is None:
        token, source = os.environ.get("REMEDIATOR_TOKEN", ""), "REMEDIATOR_TOKEN"
        if not token:
            raise click.UsageError(
                "this needs an operator's token: give --token-file, or set REMEDIATOR_TOKEN_FILE or "
                "REMEDIATOR_TOKEN"
            )
    else:
        source = str(file)
        try:
            token = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise click.UsageError(f"the token file {source} cannot be read: {reason}") from None
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise click.UsageError(f"{source} holds no token: it takes one line of printable ASCII, no spaces")
    return token


def connection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `url` and `token_file`, from which a Client is made."""
    token_file = click.option(
        "--token-file",
        envvar="REMEDIATOR_TOKEN_FILE",
        show_envvar=True,
        type=click.Path(path_type=Path),
        help="File that holds an operator's token. Without it, REMEDIATOR_TOKEN is the token.",
    )
    url = click.option(
        "--url",
        envvar="REMEDIATOR_URL",
        default=DEFAULT_URL,
        show_default=True,
        show_envvar=True,
        help="Where the daemon listens.",
    )
    return url(token_file(command))


def calls_daemon(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of its connection; it is handed a Client and an Output."""

    @connection_options
    @output_option
    @functools.wraps(command)
    def wrapped(url: str, token_file: Path | None, output: str, **rest: Any) -> None:
        command(Client(url, read_token(token_file)), Output(as_json=output == "json"), **rest)

    return wrapped
