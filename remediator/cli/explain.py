"""`remediator explain`: what would be done about an alert, and why, without doing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remediator.cli.client import Client, connection_options, read_token
from remediator.cli.options import output_option
from remediator.cli.output import Output, moment, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from remediator.model.explain import Explanation

LONGEST_FILE = 2_000_000
"""Bytes."""
NEAREST = 5
"""Rules that do not match that are told unless all are asked for."""
MOST = 10
"""Alerts of a file that the daemon is asked about."""

_OVERALL = {
    "allow": "it would act now",
    "needs_approval": "it would ask people first",
    "hold": "it would wait",
    "deny": "it would not act",
    "no_rule": "nothing would be done",
    "at_work": "its run is at work",
    "over": "nothing is left to decide",
    "unknown": "the rule that is marked is used",
}
_RECORDED = ("overall", "decisive", "rule", "action", "reason", "detail", "severity", "outcome")
"""What is shown of a recorded decision, in this order, as far as it is there."""


@click.command(short_help="Tell what would be done about an alert, and why.")
@click.argument("labels", metavar="[NAME=VALUE]...", nargs=-1)
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="JSON: an alert, a webhook's body, or a list of Alertmanager's API; - for standard input.",
)
@click.option("--live", metavar="ALERTS", help="Alerts in Alertmanager: a fingerprint, or matchers.")
@click.option("--incident", type=click.IntRange(min=1), metavar="ID", help="The alerts of an incident.")
@click.option("--all", "every", is_flag=True, help="Tell of all rules that do not match.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ask no daemon, but tell what this configuration and its rules alone say.",
)
@connection_options
@output_option
def explain(
    url: str,
    token_file: Path | None,
    output: str,
    config: Path | None,
    labels: tuple[str, ...],
    file: Path | None,
    live: str | None,
    incident: int | None,
    every: bool,
) -> None:
    """Tell what the daemon would do now about an alert, and why. Nothing is done, and nothing written.

    The alert is given by its labels (alertname=Down service=app), or by one of the options. One that the
    daemon does not know is taken as if it had just begun to fire.

    \b
    Exit codes:
      0  it was explained, whatever would be done
      1  refused: there is no such alert or incident, or a file cannot be read or has mistakes
      2  the command was used wrongly
      3  no daemon answers
    """  # noqa: D301 - click wants the control character itself
    if sum((bool(labels), file is not None, live is not None, incident is not None)) != 1:
        raise click.UsageError("give the alert's labels, or one of --file, --live and --incident")
    alerts: list[dict[str, Any]] | None = None
    if labels:
        alerts = [{"labels": _labels(labels)}]
    elif file is not None:
        alerts = _alerts(file)
    out = Output(as_json=output == "json")
    if config is not None:
        if alerts is None:
            raise click.UsageError("--live and --incident need the daemon; leave --config out")
        _offline(out, config, alerts[:MOST], every)
        return
    client = Client(url, read_token(token_file))
    first = alerts[:MOST] if alerts else None
    told = client.post("/api/v1/explain", alerts=first, live=live, incident=incident, all=every)
    if out.as_json:
        out.json(told)
        return
    if incident is not None:
        _recorded(out, incident, told["recorded"])
    for number, explanation in enumerate(told["explanations"]):
        if number or incident is not None:
            out.line()
        _show(out, explanation)
    shown, found = len(told["explanations"]), max(told["found"], len(alerts or ()))
    if found > shown:
        out.note(f"These are the first {shown} of {found} alerts.")


def _offline(out: Output, config: Path, alerts: Sequence[dict[str, Any]], every: bool) -> None:
    from remediator.assembly import explain_offline
    from remediator.clock import SystemClock
    from remediator.model.explain import AskedAlert
    from remediator.reading.problems import InputError

    asked = [AskedAlert(labels=alert["labels"]) for alert in alerts]
    try:
        found = explain_offline(config, asked, SystemClock(), None if every else NEAREST)
    except InputError as error:
        raise click.ClickException(str(error)) from None
    told = [_by_rules(one) for one in found]
    if out.as_json:
        out.json({"explanations": told})
        return
    for number, explanation in enumerate(told):
        if number:
            out.line()
        _show(out, explanation)
        if explanation["overall"] == "unknown":
            out.line("Only the daemon knows the target, the plan, the guardrails and what is under way.")


def _by_rules(one: Explanation) -> dict[str, Any]:
    """What can be known without a daemon, as the API would name it."""
    from dataclasses import asdict

    known = ("labels", "fingerprint", "rules", "rules_version", "rule", "rule_version", "severity", "type")
    whole = asdict(one)
    return {key: whole[key] for key in (*known, "classified_by", "service", "overall", "detail")}


def _labels(written: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for pair in written:
        name, sign, value = pair.partition("=")
        if not sign or not name or name[-1] in "!~" or value.startswith("~"):
            raise click.UsageError(f"a label is given as NAME=VALUE, not as {pair!r}")
        if not _is_text(pair):
            raise click.UsageError(f"a label is UTF-8 text, which {pair!r} is not")
        if name in labels:
            raise click.UsageError(f"the label {name} is given twice")
        labels[name] = value
    return labels


def _alerts(file: Path) -> list[dict[str, Any]]:
    """The alerts in a file: one alert, a webhook's body with many, or a list of them."""
    try:
        with click.open_file(str(file), "rb") as opened:
            content = opened.read(LONGEST_FILE + 1)
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be read: {error.strerror}") from None
    if len(content) > LONGEST_FILE:
        raise click.ClickException(f"{file}: holds more than {LONGEST_FILE} bytes; give fewer alerts")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{file}: this is not JSON: {error}") from None
    found = value.get("alerts", [value]) if isinstance(value, dict) else value
    if not isinstance(found, list) or not found:
        raise click.ClickException(f"{file}: expected an alert with `labels`, or a list of alerts")
    firing = [(number, one) for number, one in enumerate(found, 1) if not _resolved(one)]
    if not firing:
        raise click.ClickException(f"{file}: all of its alerts are resolved; only one that fires is acted on")
    if len(firing) < len(found):
        click.echo(f"Left out, for they are resolved: {len(found) - len(firing)} of its alerts.", err=True)
    return [_alert(file, number, alert) for number, alert in firing]


def _resolved(alert: Any) -> bool:
    return isinstance(alert, dict) and alert.get("status") == "resolved"


def _alert(file: Path, number: int, alert: Any) -> dict[str, Any]:
    labels = alert.get("labels") if isinstance(alert, dict) else None
    if not isinstance(labels, dict) or not labels or not all(isinstance(v, str) for v in labels.values()):
        raise click.ClickException(f"{file}: alert {number} has no `labels` whose values are text")
    if not all(_is_text(part) for pair in labels.items() for part in pair):
        raise click.ClickException(f"{file}: alert {number} has a label that is not valid Unicode text")
    starts_at = alert.get("startsAt")
    return {"labels": labels, **({"starts_at": starts_at} if isinstance(starts_at, str) else {})}


def _is_text(written: str) -> bool:
    """Whether it holds no half of a surrogate pair, which bytes that are not UTF-8 and JSON can leave."""
    return not any("\ud800" <= char <= "\udfff" for char in written)


def _recorded(out: Output, incident: int, events: Iterable[dict[str, Any]]) -> None:
    out.line(f"What was decided about incident {incident}", style="bold")
    out.table(("TIME (UTC)", "WHAT", "WHY"), ((moment(e["at"]), e["kind"], _why(e["data"])) for e in events))


def _why(data: dict[str, Any]) -> str:
    if data.get("overall") == "allow":  # then none of them decided
        data = {**data, "decisive": None}
    told = [f"{key} {plain(data[key])}" for key in _RECORDED if data.get(key) not in (None, "")]
    return "; ".join(told)


def _show(out: Output, told: dict[str, Any]) -> None:
    out.line(f"Alert {told['labels'].get('alertname', told['fingerprint'])}", style="bold")
    out.fields(
        (
            ("Labels", "\n".join(f"{name}={value}" for name, value in sorted(told["labels"].items()))),
            ("State", _state(told)),
            ("Severity", f"{told['severity']}, by {told['classified_by']}"),
            ("Type", told["type"]),
            ("Service", told["service"] or "none"),
            ("Target", told.get("target")),
            ("Incident", told["incident"] or "a new one" if "incident" in told else None),
            ("Run", f"{told['run']}, {told['run_status']}" if told.get("run") else None),
        )
    )
    show_rules(out, told["rules"], told["rule"])
    if told.get("action"):
        _plan(out, told)
    if told.get("guardrails"):
        out.heading("Guardrails, as they are now")
        rows = ((v["guardrail"], v["verdict"], _objection(v)) for v in told["guardrails"])
        out.table(("GUARDRAIL", "VERDICT", "WHY"), rows)
    reason = told.get("reason")
    why = ": ".join(str(part) for part in (reason, told["detail"]) if part and part != "ok")
    out.heading(f"Now {_OVERALL.get(told['overall'], told['overall'])}" + (f" ({why})" if why else ""))


def _state(told: dict[str, Any]) -> str | None:
    if "known" not in told:
        return None
    known = "it is open here" if told["known"] == "open" else "taken as if it began to fire now"
    if told["alertmanager"] != "none":
        known += f"; Alertmanager says: {told['alertmanager']}"
    return known


def _objection(verdict: dict[str, Any]) -> str:
    reason = "" if verdict["reason"] == "ok" else verdict["reason"]
    until = f"until {moment(verdict['until'])} UTC" if verdict.get("until") else ""
    return "; ".join(part for part in (reason, verdict["detail"], until) if part)


def _plan(out: Output, told: dict[str, Any]) -> None:
    out.heading(f"Step {told['step'] + 1}: {told['action']}")
    params = "\n".join(f"{name}: {plain(value)}" for name, value in told["params"].items())
    plan = told["plan"]
    out.fields(
        (
            ("Parameters", params),
            ("Plan", plan["summary"] if plan else "none"),
            ("Digest", plan["digest"] if plan else None),
        )
    )
    if plan:
        rows = ((o["kind"], o["object_name"], o["object_id"][:12]) for o in plan["operations"])
        out.table(("OPERATION", "OBJECT", "ID"), rows)


def show_rules(out: Output, rules: dict[str, Any], used: str | None) -> None:
    """Which rules match, which is used, and by what the nearest others do not."""
    out.heading(f"Rules ({rules['total']})")
    rows = [
        (rule["name"], "used" if rule["name"] == used else "matches, but comes later", rule["source"])
        for rule in rules["matched"]
    ]
    rows += [(rule["name"], _unmet(rule["unmet"]), rule["source"]) for rule in rules["missed"]]
    if rows:
        out.table(("RULE", "MATCHES?", "WHERE"), rows)
    others = rules["missed_total"] - len(rules["missed"])
    if others:
        out.line(f"{others} more do not match; --all shows them.")


def _unmet(unmet: Iterable[dict[str, Any]]) -> str:
    return "no: " + "; ".join(
        f"{one['matcher']}, but "
        + ("there is no such label" if one["value"] is None else f'it is "{one["value"]}"')
        for one in unmet
    )
