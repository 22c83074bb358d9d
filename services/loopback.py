"""Loopback host names and addresses."""

from contextlib import suppress
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether the host, a name or an address, can be reached from this machine only."""
    with suppress(ValueError):
        return host == "localhost" or ip_address(host).is_loopback
    return False
