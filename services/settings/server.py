"""Settings of the HTTP server."""

from pydantic import Field

from services.settings.base import SettingsGroup


class ServerSettings(SettingsGroup):
    """Addresses, origins and proxies, and limits on HTTP requests."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on.")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+$",
        description="URL at which clients reach this server. Default: `http://HOST:PORT`.",
    )
    allowed_origins: str = Field(
        "",
        pattern=r"^(?:\s*https?://[^\s/?#,*@]+\s*(?:,|$))*$",
        description="Other origins whose pages may call this server (CORS), separated by commas.",
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` are trusted, separated by "
        "commas.",
    )
    max_body_bytes: int = Field(
        256 * 1024, ge=1024, le=64 * 1024 * 1024, description="Maximum size of a request body in bytes."
    )
    request_timeout_s: float = Field(15, gt=0, le=300, description="Maximum time for a request to arrive, in seconds.")

    @property
    def origins(self) -> frozenset[str]:
        """The other origins whose pages may call this server."""
        return frozenset(origin.strip() for origin in self.allowed_origins.split(",") if origin.strip())

    @property
    def base_url(self) -> str:
        """The URL at which clients reach this server, without a trailing slash. Download URLs start with it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"
