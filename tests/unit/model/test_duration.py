from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from remediator.model.duration import Duration, format_duration, parse_duration


class Holder(BaseModel):
    wait: Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("2d", 172_800),
        ("1w1d", 691_200),
        ("1y", 31_536_000),
    ],
)
def test_reads(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-5m", "5 m", "5m\n", "30m1h", "5m5m", "5M", "\u0665m", "1e3s", "9" * 40 + "y"]
)
def test_refuses_and_says_how(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_what_is_written_reads_back_to_the_millisecond(length: timedelta) -> None:
    assert abs(parse_duration(format_duration(length)) - length) <= timedelta(milliseconds=0.5)


def test_a_model_reads_text_and_writes_it_back() -> None:
    holder = Holder.model_validate({"wait": "90m"})
    assert holder.wait == timedelta(minutes=90)
    assert holder.model_dump(mode="json") == {"wait": "1h30m"}


@pytest.mark.parametrize("value", [5, 5.0, None, True, ["5m"]])
def test_a_model_refuses_what_has_no_unit(value: object) -> None:
    with pytest.raises(ValidationError, match="such as 10m"):
        Holder.model_validate({"wait": value})


@pytest.mark.parametrize(
    ("value", "fits"),
    [("10m", True), ("1h30m", True), ("0", True), (0, True)]
    + [(value, False) for value in ("", "10", 10, "30m1h", None)],
)
def test_the_schema_takes_what_the_reader_takes(value: object, fits: bool) -> None:
    # A file's bare `0` is a number to what holds it against the schema, and text to the reader.
    schema = Draft202012Validator(Holder.model_json_schema())
    assert schema.is_valid({"wait": value}) is fits
