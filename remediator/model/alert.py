"""An alert as Alertmanager posts it, and the episode that we keep of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from remediator.model.words import EpisodeStatus, Json

MAX_LABEL_CHARS = 65_536
"""Longest label or annotation value taken in. Alertmanager itself sets no limit."""


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("this moment is outside of the years 1 to 9999 in UTC") from None


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
Text = Annotated[str, Field(max_length=MAX_LABEL_CHARS)]


def fingerprint(labels: Mapping[str, str]) -> str:
    """The fingerprint that Alertmanager gives to these labels: FNV-1a over the sorted pairs."""
    value = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in (*name.encode(), 255, *labels[name].encode(), 255):
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


class Alert(BaseModel):
    """One alert of a notification (Alertmanager's webhook format, version 4), or of its API.

    Unknown fields are kept. `ends_at` of a firing alert is Alertmanager's zero time or a guess
    of its own, and means nothing.
    """

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True, strict=False)

    status: Literal["firing", "resolved"]
    labels: dict[str, Text]
    annotations: dict[str, Text] = {}
    starts_at: Instant = Field(alias="startsAt")
    ends_at: Instant = Field(alias="endsAt", default=datetime(1, 1, 1, tzinfo=UTC))
    generator_url: str = Field(alias="generatorURL", default="")
    fingerprint: str = Field(pattern=r"^[0-9a-f]{1,64}$")

    @property
    def firing(self) -> bool:
        """True while the alert fires."""
        return self.status == "firing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alert from firing to resolved.

    While it is open, a firing alert with this fingerprint belongs to it whatever its start,
    because that moves when Prometheus restarts.
    """

    id: int
    fingerprint: str
    incident_id: int | None
    """None if it was heard of only when it was over: then there was nothing to do."""
    rule: str | None
    """The rule that matched when the episode opened; None if none did."""
    status: EpisodeStatus
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    starts_at: datetime
    """As told by Alertmanager first."""
    opened_at: datetime
    """When we took it in."""
    ends_at: datetime | None = None
    """As told by the resolving notification, or when the reconciler saw it gone."""
    closed_at: datetime | None = None
    """When we took that in: what was asked for before says nothing about now."""
    closed_by: str | None = None
    """`webhook`, `reconcile`, `asked` (Alertmanager's API said so to a decision or a verification), or
    `lost`: nobody told of it for so long that it cannot be known."""

    @property
    def firing(self) -> bool:
        """True while the episode is open."""
        return self.status is EpisodeStatus.FIRING

    @property
    def name(self) -> str:
        """The alert's name, or its fingerprint where it has none."""
        return self.labels.get("alertname", self.fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What Alertmanager's API said of one alert, when it was last asked."""

    fingerprint: str
    state: Literal["firing", "muted", "absent", "unknown"]
    """`muted`: silenced or inhibited. `unknown`: not every Alertmanager answered, or one has
    only just started and cannot prove that something is absent."""
    at: datetime
    detail: Json = None
