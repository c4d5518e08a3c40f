"""What pip-audit reports, and what is made of it: found fails, unanswered does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.audit import Findings, audit, read

if TYPE_CHECKING:
    import pytest

REPORT = {
    "dependencies": [
        {"name": "rich", "version": "15.0.0", "vulns": []},
        {
            "name": "urllib3",
            "version": "2.8.0",
            "vulns": [{"id": "PYSEC-2099-1", "fix_versions": ["2.9.0"], "aliases": [], "description": ""}],
        },
        {"name": "homemade", "skip_reason": "Dependency not found on PyPI: homemade (1.0)"},
    ],
    "fixes": [],
}


def test_a_vulnerability_is_told_with_its_remedy() -> None:
    found = read(REPORT)
    assert found.vulnerable == ["urllib3 2.8.0: PYSEC-2099-1, fixed in: 2.9.0"]
    assert found.audited == 2
    assert found.unknown == ["homemade"]


def test_a_vulnerability_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert not audit("some.lock", lambda service, lockfile: read(REPORT))
    told = capsys.readouterr().out
    assert "urllib3 2.8.0: PYSEC-2099-1" in told
    assert "homemade: NOT audited" in told


def test_the_second_service_is_asked_when_the_first_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    answers = {"osv": Findings(audited=3)}
    assert audit("some.lock", lambda service, lockfile: answers.get(service))
    assert "3 packages, 0 known vulnerabilities" in capsys.readouterr().out


def test_no_service_is_said_plainly_and_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("some.lock", lambda service, lockfile: None)
    assert "NOT audited: no vulnerability service" in capsys.readouterr().out
