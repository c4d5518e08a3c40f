"""What the lists of the API take as their query: filters, and which page."""

from pydantic import Field

from remediator.model.words import ApprovalStatus, IncidentStatus, RunStatus
from remediator.web.body import Asked

MAX_PAGE = 500
"""Entries of a list that one answer holds at most."""
MAX_ID = 2**63 - 1


class Page(Asked):
    """Newest first; `before` is the id of the last entry seen."""

    before: int | None = Field(None, ge=1, le=MAX_ID)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class Incidents(Page):
    """Of the list of incidents."""

    status: IncidentStatus | None = None
    service: str | None = None


class Runs(Page):
    """Of the list of runs."""

    incident: int | None = Field(None, ge=1, le=MAX_ID)
    status: RunStatus | None = None
    service: str | None = None


class Approvals(Page):
    """Of the list of approvals."""

    status: ApprovalStatus | None = None


class Events(Asked):
    """Of the record: oldest first; `after` is the seq of the last event seen."""

    chain: str | None = Field(None, pattern=r"^(system|incident:[1-9][0-9]{0,17})$")
    after: int = Field(0, ge=0, le=MAX_ID)
    limit: int = Field(100, ge=1, le=MAX_PAGE)
