"""TELL: the ways to reach people, fed by the outbox, and the words that they are told.

Channels know the model only. When to send, and when to try again, is the outbox's business.
"""
