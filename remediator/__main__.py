"""`python -m remediator` is the same as `remediator`."""

from remediator.cli import main

main()
