"""Limits on the number of connections: in total, per client network and per user."""

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address, IPv6Network

log = logging.getLogger(__name__)


class ConnectionLimiter:
    """Limits open connections to `max_connections` in total and `max_per_network` per client network.

    Connections from a trusted proxy belong to many clients, so they count towards the total only.
    """

    def __init__(self, *, max_connections: int, max_per_network: int, is_trusted: Callable[[str], bool]) -> None:
        self._max_connections = max_connections
        self._max_per_network = max_per_network
        self._is_trusted = is_trusted
        self._by_network: Counter[str] = Counter()
        self._total = 0

    def acquire(self, address: str) -> bool:
        """Count a connection from this address and return True; return False if a limit is reached."""
        network = client_network(address)
        is_over_limit = self._by_network[network] >= self._max_per_network and not self._is_trusted(address)
        if is_over_limit or self._total >= self._max_connections:
            return False
        self._total += 1
        self._by_network[network] += 1
        return True

    def release(self, address: str) -> None:
        """Stop counting a connection that was acquired."""
        network = client_network(address)
        self._total -= 1
        self._by_network[network] -= 1
        if not self._by_network[network]:
            del self._by_network[network]


def client_network(address: str) -> str:
    """Return the key by which connections are counted: an IPv4 address, or the /64 network of an IPv6 address.

    One client usually controls all addresses of its /64 network.
    """
    if ":" not in address:
        return address
    with suppress(ValueError):
        ip = IPv6Address(address)
        return str(ip.ipv4_mapped or IPv6Network((int(ip) >> 64 << 64, 64)))
    return address


class KeyedSlot:
    """One slot of a limit per key, such as the connections of a user: taken by `acquire`, freed by `release`.

    It is also a context manager, whose value is whether the slot was free.
    """

    __slots__ = ("_counter", "_is_counted", "_key", "_limit")

    def __init__(self, counter: Counter[str], key: str, limit: int) -> None:
        self._counter = counter
        self._key = key
        self._limit = limit
        self._is_counted = False

    def acquire(self) -> bool:
        """Count the key and return True; return False if its count has reached the limit."""
        self._is_counted = self._counter[self._key] < self._limit
        self._counter[self._key] += self._is_counted
        return self._is_counted

    def release(self) -> None:
        """Stop counting the key. Does nothing if it isn't counted."""
        if self._is_counted:
            self._is_counted = False
            self._counter[self._key] -= 1
            if not self._counter[self._key]:
                del self._counter[self._key]

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def log_too_many_connections(rejected: str, limit: int) -> None:
    """Log that a connection was rejected because its user has reached the limit."""
    setting = "RENDERCAST_MAX_CONNECTIONS_PER_USER"
    log.warning("rejected %s: its user has %d connections, the maximum (%s)", rejected, limit, setting)
