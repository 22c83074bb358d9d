"""Which addresses a webhook may be sent to, so that a URL can't reach what only this network should."""

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

# All of the internet there is (RFC 4291, section 2.4); embeddings of IPv4 lie outside.
UNICAST = IPv6Network("2000::/3")
# Of IANA's special-purpose registries what not every Python knows, and what tunnels to any IPv4 address.
SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")))


def read_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list with commas between. Raises `ValueError`."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_public(address: str) -> bool:
    """Return whether the address is one of the internet's: not private, shared, special, multicast or an embedding."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip not in UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in SPECIAL)


def is_admitted(address: str, *, networks: Collection[Network], encrypted: bool) -> bool:
    """Return whether a webhook may be sent there: to these networks, and to the internet if it is encrypted."""
    if is_public(address):
        return encrypted
    ip = ip_address(address)
    return any(ip in network for network in networks)
