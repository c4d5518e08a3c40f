"""REACH: clients for Docker, Alertmanager, Prometheus and named commands.

Each has a face in `remediator.world.base`; checks and actions know only the faces. What cannot be
read raises WorldError, so that nobody mistakes silence for an answer.
"""
