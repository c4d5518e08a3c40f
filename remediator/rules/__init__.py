"""WHICH remediation an alert calls for: rule files, read whole or refused whole, and matched by labels.

Knows actions and checks only by the names and parameter models that it is given.
"""
