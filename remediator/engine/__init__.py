"""WHEN things happen: the only package with tasks and timers.

`face` is what the HTTP interface may ask of it; the rest is the engine's own business.
"""
