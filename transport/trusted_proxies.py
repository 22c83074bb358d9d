"""Recognises the addresses of trusted proxies.

Uses `_TrustedHosts` of uvicorn's proxy headers middleware, a private name, so that the connection limits trust exactly
the proxies whose `X-Forwarded-For` uvicorn trusts. Written for uvicorn 0.54; checked by
tests/transport/test_uvicorn_http_private_names.py.
"""

import logging
from collections.abc import Callable, Iterable

from uvicorn.middleware.proxy_headers import _TrustedHosts

MAX_WARNINGS = 10  # any client can send the header

log = logging.getLogger(__name__)

IsTrusted = Callable[[str], bool]


def trusted_proxies(addresses: str) -> IsTrusted:
    """Return a predicate: whether an address is in `addresses`, a comma-separated list of addresses and networks."""
    return _TrustedHosts(addresses).__contains__


class ForwardedForCheck:
    """Warns of proxies whose `X-Forwarded-For` is ignored: all their clients share the limits of one address."""

    def __init__(self, is_trusted: IsTrusted) -> None:
        self._is_trusted = is_trusted
        self._warned: set[str] = set()

    def check(self, address: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Log a warning if a request from this address has the header and the address is not trusted; once each."""
        if len(self._warned) >= MAX_WARNINGS or address in self._warned:
            return
        if not any(name == b"x-forwarded-for" for name, _ in headers) or self._is_trusted(address):
            return
        self._warned.add(address)
        log.warning(
            "ignored the X-Forwarded-For of a request from %s; if that is your proxy, add it to "
            "RENDERCAST_TRUSTED_PROXIES, or all its clients count as one address",
            address,
        )
