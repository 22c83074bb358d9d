"""Which names and addresses are this machine, to itself alone."""

from contextlib import suppress
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether the host, a name or an address, is reached from this machine only."""
    with suppress(ValueError):
        return host == "localhost" or ip_address(host).is_loopback
    return False
