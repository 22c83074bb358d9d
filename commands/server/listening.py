"""Sockets on which a server listens."""

import errno
import socket

from services.errors import StartupError


def listen(host: str, port: int, *, purpose: str, setting: str, remedy: str) -> socket.socket:
    """Return a socket that listens on an address. `::` accepts IPv4 too. Of a name's addresses, IPv4 is preferred.

    Raises `StartupError`, a sentence with `purpose` ("serve metrics") and then `remedy`, for a port that is in use; for
    a host that is not one of this machine, with the name of its `setting`.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        is_dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, dualstack_ipv6=is_dual)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            remedy = f"Correct {setting}."
        raise StartupError(f"Can't {purpose} on {host}:{port}: {error.strerror}. {remedy}") from error
