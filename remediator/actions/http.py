"""Make a named HTTP request of the configuration: load balancers, feature flags, whatever has an API."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.model.command import CommandInputError, passed_on
from remediator.model.params import read_params
from remediator.model.plan import OperationSpec, PlanSpec, canonical
from remediator.model.request import HALFWAY, RequestParams, objection
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from remediator.world.base import RequestNotSent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remediator.model.plan import Operation, Plan
    from remediator.model.request import FilledRequest, RequestSpec
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, ProbeResult
    from remediator.world.base import Reply, World

KIND = "http.request"
MARGIN = timedelta(seconds=5)
"""On top of the time that the request's tries may take."""
FINGERPRINT_CHARS = 16
"""Hexadecimal digits: enough to see a change, and short beside the URL."""


class Http:
    """The action `http`."""

    name = "http"
    params = RequestParams
    needs_containers = False
    disruptive = True
    reversible = True

    def __init__(self, requests: Mapping[str, RequestSpec]) -> None:
        self._requests = requests

    def check(self, params: RequestParams) -> str | None:
        """The request must exist, and the values fit it, as far as no label decides."""
        return objection(self._requests, params.name, params.params, templates=True)

    async def plan(self, service: Service, params: Mapping[str, Json], world: World) -> PlanSpec:
        """The exact URL and body, and a fingerprint of all else but the secrets."""
        return _plan(service.name, read_params(RequestParams, params), world.requests.specs)

    async def apply(self, operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
        """Make the request, unless it is not what was planned any more; its answer tells what came of it."""
        name = operation.change["request"]
        planned = _as_planned(operation, world.requests.specs)
        if planned is None:
            changed = f"the request {name} was changed by a reload after this was planned; nothing was sent"
            return ActFailed(result={"error": changed})
        spec, filled = planned
        try:
            reply = await world.requests.send(spec, filled, attempt=attempt.id)
        except RequestNotSent as error:
            return ActFailed(result={"error": str(error)})
        except WorldError as error:
            return Unknown(result={"error": str(error)})
        told = _told(reply)
        if filled.expect.met_by(reply.status, reply.told):
            return Applied(result=told)
        told["error"] = f"HTTP {reply.status}, not as expected"
        return Unknown(result=told) if reply.doubtful or reply.status in HALFWAY else ActFailed(result=told)

    async def probe(self, operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
        """Ask its probe request.

        Without a probe nobody knows, but a request that may be repeated counts as not applied.
        """
        name = operation.change["request"]
        spec = world.requests.specs.get(name)
        if spec is None:
            return Unknown(result={"error": f"the request {name} is no longer in the configuration"})
        if spec.probe is not None:
            return await _ask(spec, operation, world)
        if spec.repeatable:
            return NotApplied(result={"repeatable": True})
        return Unknown(result={"error": f"the request {name} names no probe that could tell"})

    def undo(self, plan: Plan, operations: Sequence[Operation]) -> PlanSpec | None:
        """The request that the configuration names as this one's undo, with the same values."""
        wanted = read_params(RequestParams, plan.params)
        spec = self._requests.get(wanted.name)
        undo = self._requests.get(spec.undo) if spec is not None and spec.undo is not None else None
        if spec is None or undo is None or not operations:
            return None
        back = RequestParams(name=undo.name, params=passed_on(spec.params, undo.params, wanted.params))
        return _plan(str(operations[0].before["service"]), back, self._requests)


def _plan(service: str, wanted: RequestParams, requests: Mapping[str, RequestSpec]) -> PlanSpec:
    wrong = objection(requests, wanted.name, wanted.params)
    if wrong is not None:
        raise TargetError(Reason.INVALID_PARAMS, wrong)
    spec = requests[wanted.name]
    operation = OperationSpec(
        kind=KIND,
        object_id=f"{service}/{spec.name}",
        object_name=f"{spec.name} for {service}",
        change=_change(spec, spec.fill(wanted.params)),
        before={"service": service, "params": wanted.params},
        timeout=spec.longest + MARGIN,
    )
    return PlanSpec(
        action=Http.name,
        params=wanted.model_dump(mode="json"),
        operations=(operation,),
        summary=f"send the request {spec.name} for {service}: {spec.method} {operation.change['url']}",
    )


def _change(spec: RequestSpec, filled: FilledRequest) -> dict[str, Json]:
    """What is sent, as people see it, and a fingerprint of how.

    Not in it are the secrets, which may be replaced at any time, and `undo`, which is planned and judged
    when somebody wants it.
    """
    how = {
        "headers": spec.headers,
        "secret_headers": sorted(spec.secret_headers),
        "expect": asdict(filled.expect),
        "proxy": spec.proxy,
        "timeout": spec.longest.total_seconds(),
        "tries": spec.tries,
        "probe": spec.probe,
        "repeatable": spec.repeatable,
    }
    return {
        "request": spec.name,
        "method": spec.method,
        "url": filled.url,
        "body": filled.body,
        "spec": hashlib.sha256(canonical(how).encode()).hexdigest()[:FINGERPRINT_CHARS],
    }


def _as_planned(
    operation: Operation, requests: Mapping[str, RequestSpec]
) -> tuple[RequestSpec, FilledRequest] | None:
    """The request as it was planned; None if the configuration has another one now."""
    spec = requests.get(operation.change["request"])
    try:
        filled = spec.fill(operation.before["params"]) if spec is not None else None
    except CommandInputError:
        return None
    if spec is None or filled is None or _change(spec, filled) != operation.change:
        return None
    return spec, filled


async def _ask(spec: RequestSpec, operation: Operation, world: World) -> ProbeResult:
    """Make the probe request. WorldError if it gets no answer."""
    probe = world.requests.specs.get(spec.probe or "")
    if probe is None:
        return Unknown(result={"error": f"the probe {spec.probe} is not in the configuration"})
    try:
        filled = probe.fill(passed_on(spec.params, probe.params, operation.before["params"]))
        reply = await world.requests.send(probe, filled)
    except CommandInputError as error:
        return Unknown(result={"error": f"probe {probe.name}: {error}"})
    except RequestNotSent as error:
        raise WorldError(str(error)) from None
    told: dict[str, Json] = {"probe": {"request": probe.name, **_told(reply)}}
    if filled.expect.met_by(reply.status, reply.told):
        return Applied(result=told)
    if filled.expect_not is not None and filled.expect_not.met_by(reply.status, reply.told):
        return NotApplied(result=told)
    return Unknown(result={"error": f"the answer to the probe {probe.name} tells neither way", **told})


def _told(reply: Reply) -> dict[str, Json]:
    return {
        "status": reply.status,
        "body": reply.body,
        "body_bytes": reply.body_bytes,
        "seconds": round(reply.seconds, 3),
        "tries": reply.tries,
    }
