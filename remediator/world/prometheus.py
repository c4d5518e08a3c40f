"""A Prometheus server: its alerts, and the answers to queries. A partial answer is none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from remediator.model.alert import Instant  # noqa: TC001 - pydantic needs it
from remediator.model.world import WorldError
from remediator.world.asking import Asker
from remediator.world.base import PromAlert, Sample, Series

if TYPE_CHECKING:
    from remediator.clock import Clock
    from remediator.world.asking import Answer, Endpoint

TIMEOUT = 10.0


class _Told(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class _Envelope(_Told):
    """What all answers are wrapped in."""

    status: Literal["success"]
    data: dict[str, Any]
    warnings: list[str] | None = None
    """Say that something is missing. `infos`, beside them, only find fault with the query."""


class _Alert(_Told):
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    state: Literal["pending", "firing"]
    active_at: Instant
    value: str


class _Alerts(_Told):
    alerts: tuple[_Alert, ...]


Value = tuple[float, str]
"""A time, and a number as text, for JSON knows no NaN."""


class _Series(_Told):
    metric: dict[str, str]
    value: Value


class _Vector(_Told):
    result_type: Literal["vector"]
    result: tuple[_Series, ...]


class _Scalar(_Told):
    result_type: Literal["scalar"]
    result: Value


class _Row(_Told):
    metric: dict[str, str]
    values: tuple[Value, ...] = ()


class _Matrix(_Told):
    result_type: Literal["matrix"]
    result: tuple[_Row, ...]


_RESULT: TypeAdapter[_Vector | _Scalar] = TypeAdapter(
    Annotated[_Vector | _Scalar, Field(discriminator="result_type")]
)


class PrometheusClient:
    """One Prometheus. Its face is `Prometheus`."""

    def __init__(self, endpoint: Endpoint, clock: Clock, *, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds for one answer. ValueError if the address is of no use."""
        self._asker = Asker(endpoint, clock, timeout=timeout)
        self._timeout = timeout

    async def alerts(self) -> list[PromAlert]:
        """See `Prometheus.alerts`."""
        data = self._data(await self._asker.get("/api/v1/alerts"))
        try:
            found = _Alerts.model_validate(data).alerts
        except ValidationError as error:
            raise self._unreadable(error) from None
        return [
            PromAlert(
                labels=alert.labels,
                annotations=alert.annotations,
                state=alert.state,
                active_at=alert.active_at,
                value=alert.value,
            )
            for alert in found
        ]

    async def query(self, expr: str) -> list[Sample]:
        """See `Prometheus.query`. Native histograms have no single value, so they are an error, too."""
        form = {"query": expr, "timeout": f"{self._timeout:g}s"}
        data = self._data(await self._asker.post("/api/v1/query", form))
        try:
            found = _RESULT.validate_python(data)
            if isinstance(found, _Scalar):
                return [Sample(labels={}, value=float(found.result[1]), scalar=True)]
            return [Sample(labels=series.metric, value=float(series.value[1])) for series in found.result]
        except ValidationError as error:
            raise self._unreadable(error) from None
        except ValueError:
            raise WorldError(f"{self._asker.address}: a value that is no number") from None

    async def query_range(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
        """A query at every `step` seconds from `begin` to `end`, both included, as seconds since 1970.

        At most 11,000 points of a series are given. Raises WorldError, and AnswerTooLarge.
        """
        form = {
            "query": expr,
            "start": f"{begin:.3f}",
            "end": f"{end:.3f}",
            "step": f"{step:.3f}",
            "timeout": f"{self._timeout:g}s",
        }
        data = self._data(await self._asker.post("/api/v1/query_range", form))
        try:
            found = await asyncio.to_thread(_Matrix.model_validate, data)
            return [
                Series(labels=row.metric, samples=tuple((at, float(value)) for at, value in row.values))
                for row in found.result
            ]
        except ValidationError as error:
            raise self._unreadable(error) from None
        except ValueError:
            raise WorldError(f"{self._asker.address}: a value that is no number") from None

    async def ready(self) -> None:
        """See `Prometheus.ready`."""
        await self._asker.touch("/-/ready")

    async def close(self) -> None:
        """Let go of connections."""
        await self._asker.close()

    def _data(self, answer: Answer) -> dict[str, Any]:
        try:
            envelope = _Envelope.model_validate(answer.told)
        except ValidationError as error:
            raise self._unreadable(error) from None
        if envelope.warnings:
            raise WorldError(f"{self._asker.address}: a partial answer: {envelope.warnings[0]}")
        return envelope.data

    def _unreadable(self, error: ValidationError) -> WorldError:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the whole"
        return WorldError(f"{self._asker.address}: the answer cannot be read: {place}: {first['msg']}")
