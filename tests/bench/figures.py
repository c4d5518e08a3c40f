"""A figure: what was measured on both sides in each round, and how it stands to its target."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised: of the ratio daemon / bare, or of the daemon's own value."""

    of: Literal["ratio", "daemon"]
    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether a median keeps the promise."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}{'x' if self.of == 'ratio' else ''}"


@dataclass(slots=True)
class Figure:
    """One line of the report; `bare` and `daemon` have one value for each round, in pairs."""

    name: str
    unit: str
    target: Target | None = None
    bare: list[float] = field(default_factory=list)
    daemon: list[float] = field(default_factory=list)

    def add(self, bare: float, daemon: float) -> None:
        """Take in one round."""
        self.bare.append(bare)
        self.daemon.append(daemon)

    @property
    def ratios(self) -> list[float]:
        """Daemon / bare, round by round."""
        return [d / b for b, d in zip(self.bare, self.daemon, strict=True)]

    @property
    def judged(self) -> list[float]:
        """The values that the target is about."""
        return self.daemon if self.target is not None and self.target.of == "daemon" else self.ratios

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where nothing was promised."""
        if self.target is None:
            return ""
        return "met" if self.target.met(statistics.median(self.judged)) else "MISSED"

    def told(self) -> dict[str, Any]:
        """The figure as JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "bare": self.bare,
            "daemon": self.daemon,
            "ratio": spread(self.ratios),
            "target": str(self.target) if self.target else None,
            "judged": spread(self.judged),
            "verdict": self.verdict or None,
        }


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
