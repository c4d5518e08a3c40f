"""The check `auth_failures`: how often somebody was refused lately, by the service's own log."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import re2
from pydantic import AfterValidator, Field, StringConstraints

from remediator.checks.base import Look
from remediator.checks.logs import MAX_LINES
from remediator.model.duration import format_duration
from remediator.model.params import Params
from remediator.model.text import counted, harmless
from remediator.model.world import Finding, WorldError
from remediator.reading.fields import Positive  # noqa: TC001 - pydantic needs it
from remediator.world.clocks import ahead
from remediator.world.output import redact
from remediator.world.targets import seen_containers

if TYPE_CHECKING:
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.world.base import World

LINE = 500
"""Characters kept of one line."""

USUAL = (
    r"auth\w*[ _-]?(?:error|fail\w*)",
    r"(?:login|log-in|sign-?in|password)[ _-](?:attempt )?fail\w*",
    r"fail\w* (?:password|login|log-in|sign-?in|auth\w*)",
    r"(?:invalid|incorrect|wrong|bad|expired) (?:user\w*|pass\w+|credentials?|token|api[ _-]?key)",
    r"unauthori[sz]ed",
    r"not authori[sz]ed",
    r"(?:permission|access) denied",
    r"noauth",
    r"wrongpass",
    r'" 40[13] ',
)
"""What programs usually write when they refuse somebody, in English; a web server's 401 and 403 too."""

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_OPTIONS = re2.Options()
_OPTIONS.case_sensitive = False
_OPTIONS.log_errors = False


def _pattern(text: str) -> str:
    try:
        re2.compile(text, _OPTIONS)
    except re2.error as error:
        told = error.args[0] if error.args else error
        told = told.decode(errors="replace") if isinstance(told, bytes) else told
        raise ValueError(f"`{text[:100]}` is no regular expression of RE2: {told}") from None
    return text


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_pattern)]


class AuthFailuresParams(Params):
    """Parameters of the check `auth_failures`."""

    patterns: tuple[Pattern, ...] = Field(
        default=USUAL,
        min_length=1,
        max_length=50,
        description="Regular expressions (RE2) for a part of a line, in either case of letters.",
    )
    since: Positive = Field(default=timedelta(hours=1), description="How far to look back.")
    tail: int = Field(default=2000, ge=1, le=MAX_LINES, description="Lines of each container, at most.")
    at_most: int = Field(default=0, ge=0, description="How many are well.")
    show: int = Field(default=20, ge=1, le=200, description="How many are shown, the last.")


class AuthFailuresLook(Look[AuthFailuresParams]):
    """Look for refusals in every container's log."""

    name = "auth_failures"
    params = AuthFailuresParams

    async def see(self, service: Service, params: AuthFailuresParams, world: World) -> Finding:
        """Well is: no more than `at_most`. A log that cannot be read does not hide the others."""
        engine = world.engine(service.target.engine)
        containers = await seen_containers(service, world)
        wanted = re2.compile("|".join(f"(?:{pattern})" for pattern in params.patterns), _OPTIONS)
        since = world.clock.now() + await ahead(engine, world.clock) - params.since
        found: list[tuple[str, str]] = []
        counts: dict[str, Json] = {}
        failed = []
        for container in containers:
            name = harmless(container.name)
            try:
                # Secrets first: they are not to be kept, and a cut could take away what gives one away.
                lines = redact(await engine.logs(container.id, params.tail)).splitlines()
            except WorldError:
                failed.append(name)
                continue
            mine = [line for line in lines if _since(line, since) and wanted.search(line)]
            counts[name] = len(mine)
            found += [(name, line) for line in mine[-params.show :]]
        count = sum(n for n in counts.values() if isinstance(n, int))
        told = f"{counted(count, 'line')} of refusals in {format_duration(params.since)}"
        told += f"; cannot be read: {', '.join(failed)}" if failed else ""
        # By the engine's time stamp, which each line begins with.
        shown = sorted(found, key=lambda each: each[1][:30])[-params.show :]
        return Finding(
            check=self.name,
            ok=False if count > params.at_most else None if failed or not containers else True,
            summary=told,
            text="\n".join(f"{name}: {harmless(line, limit=LINE)}" for name, line in shown),
            facts={"count": count, "containers": counts},
        )


def _since(line: str, since: datetime) -> bool:
    """Whether a line was written since then; a line without a time is taken to be."""
    stamp = _STAMP.match(line)
    if stamp is None:
        return True
    try:
        at = datetime.fromisoformat(stamp[0])
    except ValueError:
        return True
    return at.astimezone(UTC) >= since
