"""Spreads the closing of long-lived connections over a shutdown, so that clients do not all reconnect at once."""

from random import SystemRandom
from typing import Final

MAX_DELAY_S: Final = 4.0  # uvicorn ends all connections after `GRACE_S`
# A client that connects and subscribes again takes about 0.6 ms of CPU time: 6 % of a core for up to 400 connections,
# and more for more, because of the maximum.
DELAY_PER_CONNECTION_S: Final = 0.01


def closing_delay_s(connections: int) -> float:
    """Return a random delay for one of this many connections, in seconds: almost none if they are few."""
    return SystemRandom().uniform(0, min(MAX_DELAY_S, DELAY_PER_CONNECTION_S * connections))
