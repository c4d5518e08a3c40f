"""FRONT of the daemon: the webhook receiver and the JSON API, over the engine's `Desk`.

Nothing is decided here. A handler finds out who calls, checks the form of what is asked, asks the
desk, and writes down the answer.
"""
