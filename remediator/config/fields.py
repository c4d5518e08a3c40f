"""Types of the configuration's values: addresses, paths beside the file, and secrets kept in files.

A path in the file is relative to the file. A secret never stands in it: the file names another one,
which is read at once, so that what is missing or unfit shows before anything starts.
"""

import ssl
import stat
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationInfo

from remediator.reading.fields import Text
from remediator.reading.problems import Problem
from remediator.reading.typed import ReadAs

MAX_SECRET_BYTES = 4096
MIN_TOKEN_CHARS = 16
"""Shortest token or signing secret; what `openssl rand -base64 12` gives."""


class Listen(NamedTuple):
    """Where the daemon listens. Port 0: any free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """True if only this machine can connect."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _listen(text: str, _: ValidationInfo) -> Listen:
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isdecimal() or not port.isascii() or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT, such as 127.0.0.1:9098; this is `{text}`")
    if not bare:
        raise ValueError("name the address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for all")
    if ":" in bare and bare == host:
        raise ValueError(f"an IPv6 address stands in brackets: [{host}]:{port}")
    return Listen(bare, int(port))


ListenText = Annotated[Listen, ReadAs(Text, _listen)]
"""`127.0.0.1:9098`."""


def beside(text: str, info: ValidationInfo) -> Path:
    """A path as the file means it: relative to the file's own directory."""
    base: Path = info.context["base"] if info.context else Path()
    return base / text


FilePath = Annotated[Path, ReadAs(Text, beside)]
"""A path, relative to the file it is written in."""


def _readable(file: Path) -> None:
    """ValueError unless this is a regular file that can be read."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise ValueError(f"{file} is not a regular file")
        with file.open("rb"):
            return
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from None


def _certificates(text: str, info: ValidationInfo) -> Path:
    file = beside(text, info)
    _readable(file)
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ValueError):  # an SSLError is the first; of text that is no ASCII comes the second
        raise ValueError(f"{file} holds no certificates; give a file of them in PEM form") from None
    return file


CertificateFile = Annotated[Path, ReadAs(Text, _certificates)]
"""A path of a file with certificates, which is used later."""


def _key(text: str, info: ValidationInfo) -> Path:
    file = beside(text, info)
    _readable(file)
    return file


KeyFile = Annotated[Path, ReadAs(Text, _key)]
"""A path of a file with the key of a certificate; `check_key` tells whether it is."""


def check_key(certificate: Path, key: Path) -> None:
    """ValueError if the file holds no key that can be used, or that of another certificate."""

    def nobody_to_ask() -> str:
        raise ValueError(f"{key} is protected by a passphrase, which nobody could type in; take it off")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=nobody_to_ask)
    except OSError as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise ValueError(f"{key} is not the key of {certificate}") from None
        raise ValueError(f"{key} holds no key; give a file with the key in PEM form") from None


def web_address(text: str) -> str:
    """An http or https URL without credentials in it. ValueError does not repeat it: it may be secret."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it tells whether it is a number
    except ValueError:
        raise ValueError("this is not a URL such as http://127.0.0.1:9093") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or any(char.isspace() for char in text):
        raise ValueError("this is not a URL such as http://127.0.0.1:9093")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not belong into a URL: put them into a file, and name it here")
    return text


def _base_url(text: str, _: ValidationInfo) -> str:
    if "?" in text or "#" in text:
        raise ValueError("the address of a server holds no `?` and no `#`")
    return web_address(text).rstrip("/")


BaseUrl = Annotated[str, ReadAs(Text, _base_url)]
"""The address of a server whose API is used; kept without a slash at its end."""


def _secret_url(text: str, _: ValidationInfo) -> SecretStr:
    return SecretStr(web_address(text))


SecretUrl = Annotated[SecretStr, ReadAs(Text, _secret_url)]
"""A URL whose path may be a secret, as that of many webhooks is."""


def _engine_host(text: str, _: ValidationInfo) -> str:
    scheme, _colon, rest = text.partition("://")
    if (scheme == "unix" and rest.startswith("/")) or (scheme == "tcp" and rest):
        return text
    raise ValueError(f"expected unix:///PATH or tcp://HOST:PORT; this is `{text}`")


EngineHost = Annotated[str, ReadAs(Text, _engine_host)]
"""Address of a Docker Engine's API."""


def _from_file(fit: Callable[[str], str]) -> ReadAs:
    """Marks a secret that is read from the file whose path is written."""

    def build(text: str, info: ValidationInfo) -> SecretStr:
        file = beside(text, info)
        secret = _read_secret(file, info.context)
        try:
            return SecretStr(fit(secret))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None

    return ReadAs(Text, build)


def _read_secret(file: Path, context: Any) -> str:
    """The text in a secret's file, without the white space around it."""
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ValueError(f"{file} is not a regular file")
        with file.open("rb") as opened:
            data = opened.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ValueError(f"{file} cannot be read: {reason}") from None
    if len(data) > MAX_SECRET_BYTES:
        raise ValueError(f"{file} holds more than {MAX_SECRET_BYTES} bytes; is this the right file?")
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"{file} holds no text; is this the right file?") from None
    if not text:
        raise ValueError(f"{file} is empty; it has to hold the secret")
    if mode & stat.S_IROTH and context is not None:
        message = "can be read by everybody on this machine; take that away with `chmod o-r`"
        context.setdefault("warnings", []).append(Problem(file=str(file), message=message))
    return text


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the secret in it has to be one word of ASCII characters")
    if len(text) < MIN_TOKEN_CHARS:
        raise ValueError(
            f"the secret in it is shorter than {MIN_TOKEN_CHARS} characters, and could be guessed"
        )
    return text


def _password(text: str) -> str:
    if not text.isprintable():
        raise ValueError("the secret in it has to be one line")
    return text


TokenFile = Annotated[SecretStr, _from_file(_token)]
"""A secret that we make up or sign with: long, one word."""
PasswordFile = Annotated[SecretStr, _from_file(_password)]
"""A secret that others made up: any one line."""
UrlFile = Annotated[SecretStr, _from_file(web_address)]
"""A URL that is a secret as a whole."""
