"""A real Docker engine behind the face `remediator.world.base.Engine`."""

from remediator.world.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
