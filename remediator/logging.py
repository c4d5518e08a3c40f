"""Logs: one line an event, for a person on a terminal and as JSON everywhere else.

Everything that is logged, by us or by a library, passes one filter that takes secrets out. The
record of what was decided is not here but in the store; logs may be thrown away.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from remediator.model.text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

LEVELS = ("debug", "info", "warning", "error")
REDACTED = "***"

_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:token|password|passwd|secret|authorization|cookie|api[_-]?key|private[_-]?key)s?$",
    re.IGNORECASE,
)


class Redactor:
    """A structlog processor: leaves plain data, without secrets.

    A value is taken out if its key names a secret; a known secret is taken out wherever it stands,
    also inside a traceback or the text form of an object. `escape` makes control characters visible,
    which JSON does by itself.
    """

    def __init__(self, secrets: Iterable[str] = (), *, escape: bool = False) -> None:
        self._secrets: list[str] = []
        self._escape = escape
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """Take these out from now on, beside those that are known: an old one may still be in use."""
        # The longest first: a secret that holds another must not leave its rest behind.
        self._secrets = sorted({*self._secrets, *secrets} - {""}, key=len, reverse=True)

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Clean one log entry."""
        return self._mapping(event)

    def _mapping(self, values: Mapping[Any, Any]) -> dict[Any, Any]:
        return {
            self._clean(key): REDACTED if value and _SECRET_KEY.search(str(key)) else self._clean(value)
            for key, value in values.items()
        }

    def _clean(self, value: object) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return self._mapping(value)
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item) for item in value]
        text = value if isinstance(value, str) else repr(value)
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return harmless(text, lines=True) if self._escape else text


def set_up(
    *,
    level: str = "info",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    console: bool | None = None,
) -> Redactor:
    """Send all logs, also those of libraries, to `stream` (standard error by default).

    `level` is one of LEVELS. `secrets` are values that must never show. `console` forces the form
    for people, or JSON; by default a terminal decides. Calling it again replaces what was set.
    The redactor that is returned can be told of more secrets.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown log level {level!r}: use one of {', '.join(LEVELS)}")
    stream = stream or sys.stderr
    for_people = stream.isatty() if console is None else console
    common: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Any = (
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if for_people
        else structlog.processors.JSONRenderer()
    )
    redactor = Redactor(secrets, escape=for_people)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redactor,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # It tells of every change and of every wait; what comes of a change is told by the reload.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return redactor
