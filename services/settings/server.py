"""Settings of the HTTP server."""

import socket
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from services.settings.base import SettingsGroup
from services.settings.origins import check_origins
from services.settings.values import check_host, check_proxies, check_public_url, items


class ServerSettings(SettingsGroup):
    """Addresses, origins and proxies, and limits on HTTP requests."""

    host: Annotated[str, AfterValidator(check_host)] = Field(
        "127.0.0.1", description="Address to listen on. `::` listens on IPv4 too."
    )
    port: int = Field(
        8000, ge=0, le=65_535, description="Port to listen on. Default in `serve`: the variable `PORT`, if it is set."
    )
    public_url: Annotated[str, AfterValidator(check_public_url)] | None = Field(
        None,
        description="URL at which clients reach this server, with the path under which a proxy serves it, if any. "
        "Default: `http://HOST:PORT`. Set it if the host is `0.0.0.0` or `::`.",
    )
    allowed_origins: Annotated[str, AfterValidator(check_origins)] = Field(
        "",
        description="Other origins whose pages may call this server (CORS), separated by commas, such as "
        "`https://app.example`, `https://*.app.example` or `capacitor://localhost`. A `*` stands for one label, "
        "and in `http://localhost:*` for every port. `rendercast dev` also allows the pages of this computer.",
    )
    trusted_proxies: Annotated[str, AfterValidator(check_proxies)] = Field(
        "127.0.0.1,::1",
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` are trusted, separated by "
        "commas.",
    )
    max_body_bytes: int = Field(
        512 * 1024, ge=1024, le=64 * 1024 * 1024, description="Maximum size of a request body in bytes."
    )
    request_timeout_s: float = Field(
        15,
        gt=0,
        le=300,
        description="Maximum time for a request to arrive, in seconds. A client that does not read the next 64 KiB of "
        "a response for four times as long is disconnected.",
    )

    @property
    def origins(self) -> frozenset[str]:
        """The other origins whose pages may call this server, for `origin_pattern`."""
        return frozenset(items(self.allowed_origins))

    @property
    def listens_on_all(self) -> bool:
        """Whether the server listens on all addresses of this machine: its host is `0.0.0.0` or `::`."""
        try:
            found = socket.getaddrinfo(self.host, None, flags=socket.AI_NUMERICHOST)  # reads short forms, such as 0
        except OSError:
            return False
        return any(ip_address(address[0]).is_unspecified for *_, address in found)

    @property
    def path_prefix(self) -> str:
        """The path of the public URL, without a final slash; empty if it has none."""
        return urlsplit(self.public_url or "").path

    @property
    def base_url(self) -> str:
        """The URL at which clients reach this server, without a trailing slash. Download URLs start with it."""
        host = "127.0.0.1" if self.listens_on_all else self.host
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
