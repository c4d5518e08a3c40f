"""WHAT the daemon talks about: plain data, no input or output, and nothing of ours imported.

Every other package may import this one. The words are those of docs/architecture.md.
"""
