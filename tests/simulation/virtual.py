"""Virtual time for what is no test of its own: a loop from noon on, for each of many runs."""

from remediator.rehearse.time import run as virtually

__all__ = ["virtually"]
