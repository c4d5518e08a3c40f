"""Fills labels into the parameters of a step, when it is planned: from the alerts that its run is there for.

What they do not give, or not all alike, or what does not fit, is no value: the run waits, and says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from remediator.model.plan import canonical
from remediator.model.words import Reason
from remediator.model.world import WorldError
from remediator.rules.templates import MissingError, fill, templates_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from remediator.actions.base import Action
    from remediator.engine.core import Core
    from remediator.model.rule import Step
    from remediator.model.run import Run
    from remediator.model.words import Json

MOST_ALERTS = 1000
"""Alerts of a run that are held against each other; with more of them nothing is filled in."""
SHOWN = 100
"""Characters of a value that a reason repeats."""


class UnfilledError(Exception):
    """A template in a step's parameters has no value, or one that does not fit."""


def reason_of(error: WorldError | UnfilledError) -> Reason:
    """Why a run is held that cannot be planned because of this."""
    return Reason.WORLD_UNREADABLE if isinstance(error, WorldError) else Reason.TEMPLATE_UNRESOLVED


async def filled(
    core: Core, run: Run, step: Step, also: Iterable[Mapping[str, str]] = ()
) -> Mapping[str, Json]:
    """The step's parameters as they are to be planned. UnfilledError tells why they cannot be.

    `also` are labels of alerts that are to count beside those that fire for the run.
    """
    if not any(templates_in(step.params)):
        return step.params
    firing = await core.store.read(
        lambda reader: reader.firing_of(run.incident_id, run.rule, MOST_ALERTS + 1)
    )
    if len(firing) > MOST_ALERTS:
        raise UnfilledError(f"more than {MOST_ALERTS:,} alerts fire for the run: too many to compare")
    given = [*(episode.labels for episode in firing), *also]
    if not given:
        raise UnfilledError("no alert fires for the run, so there are no labels")
    return _checked(core.setup.actions[step.action], _agreed(step, given))


def _agreed(step: Step, given: Iterable[Mapping[str, str]]) -> Json:
    """The parameters that all of these labels give."""
    results: dict[str, Json] = {}
    try:
        for labels in given:
            found = fill(step.params, labels)
            results[canonical(found)] = found
    except MissingError as missing:
        raise UnfilledError(str(missing)) from None
    one, *others = results.values()
    if others:
        raise UnfilledError(f"the run's alerts disagree: {_difference(step, one, others[0])}")
    return one


def _difference(step: Step, one: Json, other: Json) -> str:
    """The first template of which two alerts make different values."""
    for at, text in templates_in(step.params):
        first, second = one, other
        for part in at:
            first, second = first[part], second[part]
        if first != second:
            return f"`{text}` is `{first[:SHOWN]}` for one and `{second[:SHOWN]}` for another"
    return "they give different values"


def _checked(action: Action, params: Json) -> Mapping[str, Json]:
    """The parameters as the action takes them, with every default."""
    try:
        read = action.params.model_validate(params)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnfilledError(f"{place}: {first['msg']}, filled in: {str(first['input'])[:SHOWN]!r}") from None
    objection = action.check(read)
    if objection is not None:
        raise UnfilledError(objection)
    checked: dict[str, Json] = read.model_dump(mode="json", by_alias=True)
    return checked
