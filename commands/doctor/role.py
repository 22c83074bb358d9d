"""The commands that `rendercast doctor --role` can check the settings for."""

from enum import StrEnum


class Role(StrEnum):
    """A server command. Its checks require everything that the command needs."""

    DEV = "dev"
    SERVE = "serve"
    WORKER = "worker"
