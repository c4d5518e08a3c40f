"""The first figures: what the daemon costs, beside a bare limit that does the unavoidable and nothing else.

`python -m tests.bench` measures and prints; it judges nothing by itself, because a machine's figures
are only worth something next to another figure of the same machine and minute.
"""
