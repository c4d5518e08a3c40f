"""The parameters of actions and checks: one base for their models, and one way to read them."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from remediator.model.words import Json, Reason
from remediator.model.world import TargetError


class Params(BaseModel):
    """What a rule may say to a verb. A key that is not known is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


P = TypeVar("P", bound=BaseModel)

MARKS = ("{{", "{%", "{#")
"""Text with one of these in it is a template, of which only labels make a value."""


def is_template(text: str) -> bool:
    """Whether a text is more than itself."""
    return any(mark in text for mark in MARKS)


def read_params(model: type[P], params: Mapping[str, Json]) -> P:
    """Parameters as `model`. TargetError (INVALID_PARAMS) names the first that does not fit.

    Rules are checked when they are loaded, so this only happens to a stored plan of another version.
    """
    try:
        return model.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "parameters"
        raise TargetError(Reason.INVALID_PARAMS, f"{place}: {first['msg']}") from None
