"""How many connections there are, in all and of each address."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv6Address, IPv6Network


class ConnectionLimiter:
    """Admits connections as long as there are fewer than `most`, and fewer than `most_of_address` of their address.

    Those of a trusted proxy are its clients', and count only in all.
    """

    def __init__(self, *, most: int, most_of_address: int, is_trusted: Callable[[str], bool]) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._is_trusted = is_trusted
        self._of_address: Counter[str] = Counter()
        self._all = 0

    def admit(self, address: str) -> bool:
        """Count one more connection, unless it would be one too many; return whether it is admitted."""
        whose = subscriber_of(address)
        is_too_much = self._of_address[whose] >= self._most_of_address and not self._is_trusted(address)
        if is_too_much or self._all >= self._most:
            return False
        self._all += 1
        self._of_address[whose] += 1
        return True

    def leave(self, address: str) -> None:
        """Count one less."""
        whose = subscriber_of(address)
        self._all -= 1
        self._of_address[whose] -= 1
        if not self._of_address[whose]:
            del self._of_address[whose]


def subscriber_of(address: str) -> str:
    """Return whom connections are counted for: of IPv6 the network of 64 bits that one subscriber has to themselves."""
    with suppress(ValueError):
        ip = IPv6Address(address)
        return str(ip.ipv4_mapped or IPv6Network((int(ip) >> 64 << 64, 64)))
    return address


@contextmanager
def counted(counter: Counter[str], key: str, limit: int) -> Iterator[bool]:
    """Count one more of `key` meanwhile; yield False, and count nothing, if there are as many as may be."""
    if counter[key] >= limit:
        yield False
        return
    counter[key] += 1
    try:
        yield True
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]
