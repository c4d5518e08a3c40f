"""The lab: a real Docker Engine, real Prometheus and Alertmanager, and a small service to break.

Everything here prepares or drives real software, so that integration tests, the demo and the benchmarks
meet what an operator meets. Nothing in the daemon imports it.
"""
