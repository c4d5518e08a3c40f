"""A service named by an alert's labels: what a template gives, and that it gives nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.model.rule import Rule
from remediator.rules.templates import LONGEST, MissingError, Template, TemplateError
from tests.unit.rules.given import load, minimal, rule_file

LABELS = {"job": "Api", "env": "prod", "items": "seven", "a-b": "dash", "empty": ""}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ labels.job }}", "Api"),
        ("{{labels['job']}}", "Api"),
        ("{{ labels['a-b'] }}", "dash"),
        ("{{ labels.job | lower }}-{{ labels.env }}", "api-prod"),
        ("{{ labels.job ~ '-' ~ labels.env | upper }}", "Api-PROD"),
        ("{{ labels.team | default('core') }}", "core"),
        ("{{ labels.empty | default(labels.env) }}", "prod"),
        ("{{ labels.items }}", "seven"),
        ("{{ labels.job }}{# a comment #}", "Api"),
        ("{{ '{{' }}{{ labels.job }}", "{{Api"),
    ],
)
def test_labels_are_put_into_the_text(text: str, result: str) -> None:
    assert Template(text).render(LABELS) == result


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ labels.team }}", "the alert has no label `team`"),
        ("app-{{ labels.team }}", "the alert has no label `team`"),
        ("app-{{ labels.empty }}", "the alert has no label `empty`"),
        ("{{ labels.team | lower }}", "the alert has no label `team`"),
        ("{{ labels.team ~ labels.env }}", "the alert has no label `team`"),
        ("{{ labels.keys }}", "the alert has no label `keys`"),
        ("{{ labels.__class__ }}", "the alert has no label `__class__`"),
        ("{{ labels.team | default('') }}", "the result is empty"),
    ],
)
def test_what_is_missing_is_never_empty_text(text: str, says: str) -> None:
    with pytest.raises(MissingError) as caught:
        Template(text).render(LABELS)
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["{{ labels.job }}", "{{ labels.job | default('x') }}"])
def test_what_a_label_says_is_only_text(text: str) -> None:
    assert Template(text).render({"job": "{{ labels.env }}<&>"}) == "{{ labels.env }}<&>"


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 240 + "labels.a" + ")" * 240 + " }}",
        "{{ labels.a }}" + "x" * LONGEST,
        "{{ labels.a() }}",
        "{{ labels.get('a') }}",
        "{{ ''.__class__ }}",
        "{{ labels.a.b }}",
        "{{ labels.a['b'] }}",
        "{{ labels.a | upper('b') }}",
        "{{ labels.a | default }}",
        "{{ labels.a | default('b', true) }}",
        "{{ self }}",
        "{{ range(9) }}",
        "{% set x = 'a' %}{{ x }}",
        "{% import 'os' as os %}",
        "{% if labels.a %}x{% endif %}",
        "{{ 5 }}",
        "{% raw %}x",
        "}} {{",
        "{%",
        "{#",
        "{# nothing #}",
        "{{ 'always-this' }}",
    ],
)
def test_more_than_text_labels_and_filters_is_refused(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(text)
    assert 0 <= caught.value.offset <= len(text)


@given(st.text(alphabet="{}%#|.()'[]~ labels_xdefault\n", max_size=60))
def test_any_text_is_a_template_or_refused_and_any_template_gives_text_or_says_what_is_missing(
    rest: str,
) -> None:
    try:
        template = Template("{{" + rest)
        assert template.render({"x": "1", "labels": "2"}).strip()
    except (TemplateError, MissingError):
        pass


# In a rule


def applied(folder: Path, service: str, labels: dict[str, str]) -> Rule:
    rule = f'{{name: r, match: [alertname=Down], service: "{service}", steps: [restart: ]}}'
    found = load(rule_file(folder, rule)).match({"alertname": "Down", **labels})
    assert found is not None
    return found.rule


def test_the_rule_that_an_alert_calls_for_names_the_alerts_service(tmp_path: Path) -> None:
    rule = applied(tmp_path, "app-{{ labels.job }}", {"job": "web"})
    assert (rule.service, rule.no_service) == ("app-web", None)


def test_a_missing_label_is_told_and_nothing_else_names_a_service(tmp_path: Path) -> None:
    rule = applied(tmp_path, "app-{{ labels.job }}", {"service": "other"})
    assert rule.service is None
    assert rule.no_service == (
        "the template `app-{{ labels.job }}` names no service: the alert has no label `job`"
    )


def test_found_by_its_name_the_rule_is_for_any_service(tmp_path: Path) -> None:
    rules = load(
        rule_file(tmp_path, '{name: r, match: [a=b], service: "{{ labels.job }}", steps: [restart: ]}')
    )
    rule = rules.find("r")
    assert rule is not None
    assert (rule.service, rule.service_template, rule.no_service) == (None, "{{ labels.job }}", None)


def test_another_template_is_another_version(tmp_path: Path) -> None:
    one, two, none = (
        load(rule_file(tmp_path, f"{{name: r, match: [a=b], {service}steps: [restart: ]}}")).version
        for service in ('service: "{{ labels.x }}", ', 'service: "{{ labels.y }}", ', "")
    )
    assert len({one, two, none}) == 3


def test_what_is_applied_is_the_version_that_is_found_by_name(tmp_path: Path) -> None:
    rules = load(
        rule_file(tmp_path, '{name: r, match: [a=b], service: "{{ labels.job }}", steps: [restart: ]}')
    )
    found, rule = rules.match({"a": "b", "job": "web"}), rules.find("r")
    assert found is not None
    assert rule is not None
    assert found.rule.version == rule.version


def test_a_rule_without_a_template_is_the_same_for_every_alert(tmp_path: Path) -> None:
    rules = load(rule_file(tmp_path, minimal()))
    assert rules.match({}) is rules.rules[0]
