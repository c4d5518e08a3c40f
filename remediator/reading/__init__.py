"""READING what people write: YAML files into typed values, with every mistake told at its place.

Shared by the configuration and the rules. `problems` says what is wrong and where, `yamlfile` reads
the text, `typed` holds it against pydantic models.
"""
