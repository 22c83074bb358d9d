"""Recognises the addresses of trusted proxies.

Uses `_TrustedHosts` of uvicorn's proxy headers middleware, a private name, so that the connection limits trust exactly
the proxies whose `X-Forwarded-For` uvicorn trusts. Written for uvicorn 0.54; checked by
tests/transport/test_uvicorn_http_private_names.py.
"""

from collections.abc import Callable

from uvicorn.middleware.proxy_headers import _TrustedHosts


def trusted_proxies(addresses: str) -> Callable[[str], bool]:
    """Return a predicate: whether an address is in `addresses`, a comma-separated list of addresses and networks."""
    return _TrustedHosts(addresses).__contains__
