"""HTTP request headers by name."""

from collections.abc import Collection


class RequestHeaders(dict[bytes, bytes]):
    """A request's headers by lower-case name, for lookups in constant time.

    The values of a repeated header are joined by commas (RFC 9110, section 5.3).
    """

    def __init__(self, headers: Collection[tuple[bytes, bytes]]) -> None:
        super().__init__(headers)
        if len(self) == len(headers):  # no repeated header: nearly always
            return
        self.clear()
        for name, value in headers:
            self[name] = b"%b, %b" % (self[name], value) if name in self else value

    def value(self, name: bytes) -> str:
        """Return the header's value, empty if it is missing."""
        return self.get(name, b"").decode("latin-1")
