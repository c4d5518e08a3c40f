from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from remediator.model.rule import Budget
from remediator.reading.fields import BudgetText, Name, Positive, Share, Size

WHAT = {"name": Name, "positive": Positive, "budget": BudgetText, "size": Size, "share": Share}


def value(kind: str, text: str) -> Any:
    return TypeAdapter(WHAT[kind]).validate_python(text)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("name", "robo-rlhf.app_1", "robo-rlhf.app_1"),
        ("positive", "1h30m", timedelta(minutes=90)),
        ("budget", "3/1h", Budget(count=3, window=timedelta(hours=1))),
        ("budget", "12/1d12h", Budget(count=12, window=timedelta(hours=36))),
        ("size", "1024", 1024),
        ("size", "5MB", 5_000_000),
        ("size", "5 MB", 5_000_000),
        ("size", "64KiB", 65_536),
        ("size", "1GiB", 1024**3),
        ("size", "0", 0),
        ("share", "2", "2"),
        ("share", "50%", "50%"),
        ("share", "100%", "100%"),
    ],
)
def test_what_people_write_is_read(kind: str, text: str, expected: object) -> None:
    assert value(kind, text) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("name", text) for text in ("", "-a", "a b", "a\n", "ä", "a/b", "x" * 101)),
        *(("positive", text) for text in ("0", "0s", "10", "-5m", "5 m", "m")),
        *(("budget", text) for text in ("3", "0/1h", "-1/1h", "3/0s", "3/1", "3 / 1h", "3/1h\n", "٣/1h")),
        *(("size", text) for text in ("", "-1", "5 XB", "1.5MB", "MB", "5m")),
        *(("share", text) for text in ("", "101%", "-1", "50 %", "half")),
    ],
)
def test_what_is_none_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValidationError):
        value(kind, text)
