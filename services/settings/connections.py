"""Limits on connections."""

from pydantic import Field

from services.settings.base import SettingsGroup


class ConnectionSettings(SettingsGroup):
    """Limits on connections, and WebSocket pings."""

    max_connections: int = Field(
        10_000,
        ge=10,
        le=1_000_000,
        description="Maximum number of connections. Lower if the process cannot open that many files.",
    )
    max_connections_per_address: int = Field(
        1000, ge=1, le=100_000, description="Maximum number of connections from one IP address."
    )
    max_connections_per_user: int = Field(
        20, ge=1, le=100_000, description="Maximum number of WebSockets and of streams over HTTP of one user, together."
    )
    max_operations_per_connection: int = Field(
        50, ge=1, le=10_000, description="Maximum number of concurrent operations on one WebSocket connection."
    )
    connection_init_timeout_s: float = Field(
        15,
        gt=0,
        le=300,
        description="Maximum time from opening a WebSocket to its `connection_init`, and to the check of its token, in "
        "seconds.",
    )
    ping_interval_s: float = Field(
        7,  # proxies with a read timeout of 10 s are common
        gt=0,
        le=300,
        description="Interval of WebSocket pings, in seconds. A client that sends no pong for three intervals is "
        "disconnected.",
    )
