"""An alert from whose labels a rule cannot tell the service."""

from remediator.model.run import Run
from remediator.model.words import Outcome, Reason
from tests.unit.decide.case import Case, a_rule


def fired(service: str | None) -> Run:
    case = Case(a_rule(no_service="the template names no service: the alert has no label `job`"))
    case.fire(service=service)
    assert case.incident.service is None
    assert case.incident.correlation_key == "alert:a1"
    return case.run


def test_nothing_is_done_and_the_reason_is_on_the_record() -> None:
    run = fired(service=None)
    assert (run.outcome, run.reason, run.service) == (Outcome.DENIED, Reason.NO_SERVICE, "")
    assert run.detail == "the template names no service: the alert has no label `job`"


def test_a_label_named_service_does_not_stand_in_for_the_template() -> None:
    assert fired(service="other").reason is Reason.NO_SERVICE
