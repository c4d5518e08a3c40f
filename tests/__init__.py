"""The tests. A package, so that nobody else's top-level ``tests`` can stand in its way."""
