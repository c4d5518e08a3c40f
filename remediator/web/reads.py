"""What operators may look at: one function for each read of the API.

Each runs as one job on the store's reader, so that an answer is one consistent picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from remediator.engine.face import NotFound
from remediator.model.plan import Operation, Plan
from remediator.model.run import Approval, Control, Incident, Run
from remediator.web import forms
from remediator.web.queries import MAX_PAGE, Approvals, Events, Incidents, Page, Runs

if TYPE_CHECKING:
    from remediator.store import Reader
    from remediator.web.call import Call
    from remediator.web.forms import Form

E = TypeVar("E")

MAX_ALERTS = 100
"""Alerts of an incident that its own form holds at most; those that fire, and the newest, come first."""
MAX_EVIDENCE_CHARS = 65_536
"""Longest text of one piece of evidence within another form, its end; the whole has its own path."""
EVIDENCE = "/api/v1/evidence/"

_PAUSE = "pause"
"""Key of the kill switch among the controls."""


async def status(call: Call) -> Form:
    """GET /api/v1/status."""
    levels = await call.front.levels()
    readiness = await call.desk.readiness()
    pause = await call.read(lambda reader: reader.get(Control, _PAUSE))
    return {
        "version": call.front.version,
        "rules_version": call.front.rules_version(),
        **forms.readiness(readiness),
        "paused": levels.paused,
        "pause": forms.control(pause) if pause else None,
        **forms.levels(levels),
    }


async def rules(call: Call) -> Form:
    """GET /api/v1/rules: which are in force, and whether newer ones were refused."""
    return forms.rules(call.desk.rules())


async def incidents(call: Call) -> Form:
    """GET /api/v1/incidents."""
    asked = call.query(Incidents)
    found = await call.read(lambda reader: reader.list_incidents(**asked.model_dump()))
    return forms.page("incidents", [forms.incident(i) for i in found], limit=asked.limit)


async def incident(call: Call) -> Form:
    """GET /api/v1/incidents/ID: with its alerts and its runs."""

    def job(reader: Reader) -> Form:
        found = _found(reader.get(Incident, call.id), "incident", call.id)
        alerts, count = _alerts(reader, found.id)
        runs = reader.list_runs(incident=found.id, limit=MAX_PAGE)
        return {
            **forms.incident(found),
            "alerts": alerts,
            "alerts_total": count,
            "runs": [forms.run(run) for run in runs],
        }

    return await call.read(job)


async def runs(call: Call) -> Form:
    """GET /api/v1/runs."""
    asked = call.query(Runs)
    found = await call.read(lambda reader: reader.list_runs(**asked.model_dump()))
    return forms.page("runs", [forms.run(run) for run in found], limit=asked.limit)


async def run(call: Call) -> Form:
    """GET /api/v1/runs/ID: with its plan, attempts, approvals and evidence."""

    def job(reader: Reader) -> Form:
        found = _found(reader.get(Run, call.id), "run", call.id)
        around = reader.snapshot(runs=(found.id,))
        asked = [a for a in around.all(Approval) if a.run_id == found.id]
        return {
            **forms.run(found),
            **forms.keepers(call.front.find_rule(found.rule)),
            "severity": around.get(Incident, found.incident_id).severity,
            "title": around.get(Incident, found.incident_id).title,
            "plan": _plan(reader, found.plan_id),
            "attempts": [
                forms.attempt(a, reader.get(Operation, a.operation_id))
                for a in reader.list_attempts(found.id)
            ],
            "approvals": [_decided(reader, approval) for approval in asked],
            "evidence": [_seen(item, reader) for item in found.evidence],
        }

    return await call.read(job)


async def approvals(call: Call) -> Form:
    """GET /api/v1/approvals: each with what is needed to recognise it."""
    asked = call.query(Approvals)

    def job(reader: Reader) -> list[Form]:
        return [_question(reader, approval) for approval in reader.list_approvals(**asked.model_dump())]

    return forms.page("approvals", await call.read(job), limit=asked.limit)


async def approval(call: Call) -> Form:
    """GET /api/v1/approvals/ID: everything that a person needs in order to decide."""

    def job(reader: Reader) -> Form:
        found = _found(reader.get(Approval, call.id), "approval", call.id)
        run = _found(reader.get(Run, found.run_id), "run", found.run_id)
        alerts, count = _alerts(reader, run.incident_id)
        return {
            **_question(reader, found),
            **forms.keepers(call.front.find_rule(run.rule)),
            "alerts": alerts,
            "alerts_total": count,
            "evidence": [_seen(item, reader) for item in run.evidence],
        }

    return await call.read(job)


async def evidence(call: Call) -> web.Response:
    """GET /api/v1/evidence/SHA256: what was seen, as it was kept."""
    sha256 = call.request.match_info["sha256"]
    kept = _found(await call.read(lambda reader: reader.evidence(sha256)), "evidence", sha256)
    media_type, content = kept
    # Anything but text is only ever offered for saving: it came from outside.
    if media_type.partition(";")[0].strip() == "text/plain":
        return web.Response(body=content, content_type="text/plain", charset="utf-8")
    return web.Response(body=content, headers={"Content-Disposition": "attachment"})


async def events(call: Call) -> Form:
    """GET /api/v1/events."""
    asked = call.query(Events)
    found = await call.read(lambda reader: reader.list_events(**asked.model_dump()))
    return forms.page("events", [forms.event(event) for event in found], limit=asked.limit, key="seq")


async def quarantine(call: Call) -> Form:
    """GET /api/v1/quarantine: alerts that could not be read."""
    asked = call.query(Page)
    found = await call.read(lambda reader: reader.list_quarantine(**asked.model_dump()))
    return forms.page("quarantine", [forms.quarantined(alert) for alert in found], limit=asked.limit)


def _found(entity: E | None, what: str, name: int | str) -> E:
    if entity is None:
        raise NotFound(f"there is no {what} {name}")
    return entity


def _alerts(reader: Reader, incident_id: int) -> tuple[list[Form], int]:
    """The alerts of an incident as far as they are shown, and how many there are."""
    episodes = sorted(reader.list_episodes(incident_id), key=lambda e: (not e.firing, -e.id))
    return [forms.episode(e) for e in episodes[:MAX_ALERTS]], len(episodes)


def _plan(reader: Reader, plan_id: int | None) -> Form | None:
    plan = None if plan_id is None else reader.get(Plan, plan_id)
    return None if plan is None else forms.plan(plan, reader.list_operations(plan.id))


def _decided(reader: Reader, approval: Approval) -> Form:
    decisions = reader.decisions(approval.id)
    return {**forms.approval(approval), "decisions": [forms.decision(d) for d in decisions]}


def _question(reader: Reader, approval: Approval) -> Form:
    """An approval with the run, the incident, and the plan that it asks for."""
    run = _found(reader.get(Run, approval.run_id), "run", approval.run_id)
    incident = _found(reader.get(Incident, run.incident_id), "incident", run.incident_id)
    plan = _plan(reader, run.plan_id)
    return {
        **_decided(reader, approval),
        "rule": run.rule,
        "service": run.service,
        "incident": forms.incident(incident),
        # An approval that is over may be about a plan that another one has replaced.
        "plan": plan if plan is not None and plan["digest"] == approval.digest else None,
    }


def _seen(item: Any, reader: Reader) -> Form:
    """One finding of triage, with its text as far as it is shown."""
    form: Form = dict(item)
    sha256 = form.get("sha256")
    kept = reader.evidence(sha256) if sha256 else None
    if kept is not None:
        text = kept[1].decode("utf-8", "replace")
        form["path"] = f"{EVIDENCE}{sha256}"
        form["text"] = text[-MAX_EVIDENCE_CHARS:]
        form["text_cut"] = len(text) > MAX_EVIDENCE_CHARS
    return form
