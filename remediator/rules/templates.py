"""Templates over an alert's labels: compiled when a file is loaded, so that only a label can be missing.

The language is a small part of Jinja's: text, labels, and a few filters. It has no calls, no attributes, no
loops and no conditions, in a sandbox besides, because half of what it works on comes from outside.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from remediator.model.params import MARKS, is_template
from remediator.model.words import Json

LONGEST = 500
"""Characters of a template."""
FILTERS = ("default", "lower", "trim", "upper")

_ALLOWED = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Concat, nodes.Filter)


class TemplateError(ValueError):
    """A template that cannot be used: what is wrong, and how many characters into its text."""

    def __init__(self, message: str, offset: int = 0) -> None:
        self.message = message
        self.offset = offset
        super().__init__(message)


class MissingError(Exception):
    """A label that the template needs is missing or empty, so there is no result."""


class _Environment(ImmutableSandboxedEnvironment):
    """A label is looked up by its name, and by nothing else: `labels.items` is the label `items`."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        try:
            return obj[argument]
        except KeyError:
            return self.undefined(name=argument)


_ENVIRONMENT = _Environment(undefined=StrictUndefined, autoescape=False)
_ENVIRONMENT.filters = {name: _ENVIRONMENT.filters[name] for name in FILTERS}
_ENVIRONMENT.globals = {}
_ENVIRONMENT.tests = {}


class Template:
    """A text with labels in it."""

    def __init__(self, text: str) -> None:
        """TemplateError if it cannot be used, whatever the labels."""
        self.text = text
        if len(text) > LONGEST:
            raise TemplateError(f"a template has at most {LONGEST} characters; this has {len(text)}")
        begin = min(place for mark in MARKS if (place := text.find(mark)) >= 0)
        try:
            parsed = _ENVIRONMENT.parse(text)
            for message, word in _objections(parsed):
                raise TemplateError(message, max(begin, text.find(word, begin)) if word else begin)
            if not any(parsed.find_all((nodes.Getattr, nodes.Getitem))):
                raise TemplateError("a template names a label, such as {{ labels.job }}", begin)
            self._template = _ENVIRONMENT.from_string(parsed)
        except TemplateSyntaxError as error:
            raise TemplateError(f"not a template: {error.message}", begin) from None
        except RecursionError:
            raise TemplateError("this template is nested too deeply", begin) from None

    def render(self, labels: Mapping[str, str]) -> str:
        """The text for an alert with these labels. MissingError if they give none; empty is missing."""
        try:
            text = self._template.render(labels={name: value for name, value in labels.items() if value})
        except UndefinedError as error:
            raise MissingError(_told(error)) from None
        if not text.strip():
            raise MissingError("the result is empty")
        return text


def templates_in(value: Json, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The templates among parameters, each with where it stands."""
    if isinstance(value, str) and is_template(value):
        yield at, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from templates_in(inner, (*at, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from templates_in(inner, (*at, index))


def fill(value: Json, labels: Mapping[str, str]) -> Json:
    """Parameters with every template in them rendered. MissingError names the template."""
    if isinstance(value, str) and is_template(value):
        try:
            return Template(value).render(labels)
        except MissingError as missing:
            raise MissingError(f"`{value}`: {missing}") from None
    if isinstance(value, Mapping):
        return {key: fill(inner, labels) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fill(inner, labels) for inner in value]
    return value


def _told(error: UndefinedError) -> str:
    name = (error.message or "").removesuffix(" is undefined").strip("'")
    return f"the alert has no label `{name}`"


def _objections(node: nodes.Node) -> Iterator[tuple[str, str]]:
    """What a template may not hold, each with the word in the text that it is about."""
    match node:
        case nodes.Filter(name=name) if name not in FILTERS:
            yield f"there is no filter `{name}` here; there are {_listed(FILTERS)}", name
        case nodes.Filter(name=name) if node.kwargs or len(node.args) != (name == "default"):
            given = "one text to use instead" if name == "default" else "nothing"
            yield f"the filter `{name}` is given {given}", name
        case nodes.Const(value=value) if not isinstance(value, str):
            yield f"only text may stand here, not `{value}`", str(value)
        case nodes.Getattr(node=nodes.Name(name="labels")):
            return
        case nodes.Getitem(node=nodes.Name(name="labels"), arg=nodes.Const(value=str())):
            return
        case nodes.Name(name="labels"):
            yield "name one label, such as `labels.job` or `labels['job']`", "labels"
        case nodes.Name(name=name):
            yield f"`{name}` is not known here; there is only `labels`", name
        case nodes.Call():
            yield "nothing can be called in a template", ""
        case nodes.Getattr(attr=attribute):
            yield "a label is text, and has no attributes", attribute
        case node if isinstance(node, _ALLOWED):
            yield from _inside(node)
        case _:
            yield (
                f"only text, labels and filters may stand in a template, no `{type(node).__name__.lower()}`",
                "",
            )


def _inside(node: nodes.Node) -> Iterator[tuple[str, str]]:
    for child in node.iter_child_nodes():
        yield from _objections(child)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)
