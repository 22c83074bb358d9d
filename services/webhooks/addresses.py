"""The IP addresses that a webhook may be sent to: a protection against server-side request forgery."""

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

# All global unicast addresses (RFC 4291, section 2.4); IPv6 addresses that embed IPv4 ones lie outside.
GLOBAL_UNICAST = IPv6Network("2000::/3")
# Networks of IANA's special-purpose registries that some Python versions treat as global, or that tunnel to IPv4.
SPECIAL_PURPOSE = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")))


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a comma-separated list. Raises `ValueError`."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_public(address: str) -> bool:
    """Return whether the address is a public unicast one: not private, shared, special, multicast or embedding IPv4."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip not in GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in SPECIAL_PURPOSE)


def is_allowed(address: str, *, networks: Collection[Network], encrypted: bool) -> bool:
    """Return whether a webhook may be sent to the address: if public, only encrypted; else only in these networks."""
    if is_public(address):
        return encrypted
    ip = ip_address(address)
    return any(ip in network for network in networks)
