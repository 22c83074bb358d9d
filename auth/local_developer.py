"""Authentication of `rendercast dev`, which has one user."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from services.errors import Unauthenticated
from services.loopback import is_loopback
from services.models import Caller, Identity
from services.settings import ServerSettings, variable

MAX_LOGGED_HOST = 100  # characters
MAX_LOGGED_HOSTS = 100

log = logging.getLogger(__name__)


class LocalDeveloper:
    """Identifies every caller as the one user of a server that only this machine can reach.

    Rejects requests for another host name. Another site can make its own name resolve to this machine (DNS rebinding);
    the browser then treats requests from its pages as same-origin.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._host_names = {"localhost", urlsplit(settings.base_url).hostname}
        self._logged: set[str] = set()

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:  # noqa: ARG002
        """Return the user's identity. Raises `Unauthenticated` if the Host header names another host."""
        for host in connection.headers.getlist("host"):
            name = _host_name(host)
            if name not in self._host_names and not is_loopback(name):
                self._log_rejection(host[:MAX_LOGGED_HOST])
                raise Unauthenticated("This server can't be used under this host name. Use localhost.")
        return Identity(caller=Caller(id="local-developer"))

    def _log_rejection(self, host: str) -> None:
        """Log a rejected host once, and only some of them: any page in the browser can send requests."""
        if host not in self._logged and len(self._logged) < MAX_LOGGED_HOSTS:
            self._logged.add(host)
            setting = variable("public_url")
            log.warning("rejected a request for the host %r; set %s to allow another name", host, setting)


def _host_name(host: str) -> str:
    """Return the name in a Host header, without the port; empty if it has other parts of a URL."""
    with suppress(ValueError):
        parts = urlsplit(f"//{host}")
        if parts.netloc == host and "@" not in host:
            return parts.hostname or ""
    return ""
