"""Limits on connections."""

from pydantic import Field

from services.settings.base import SettingsGroup


class ConnectionSettings(SettingsGroup):
    """Limits on connections, and WebSocket pings."""

    max_connections: int = Field(
        10_000,
        ge=10,
        le=1_000_000,
        description="Maximum number of connections. Reduced at startup if the process cannot open that many files.",
    )
    max_connections_per_address: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Maximum number of connections from one IPv4 address, or one /64 network of IPv6. Those from "
        "trusted proxies count only towards `RENDERCAST_MAX_CONNECTIONS`.",
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
        description="Maximum time from opening a WebSocket until it is authenticated, in seconds.",
    )
    ping_interval_s: float = Field(
        7,  # proxies with a read timeout of 10 s are common
        gt=0,
        le=300,
        description="Interval of WebSocket pings, in seconds. A client that sends no pong for three intervals is "
        "disconnected.",
    )
