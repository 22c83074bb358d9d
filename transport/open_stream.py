"""An ASGI extension for responses that stay open: writes without awaiting, and a notification on shutdown.

`StreamingProtocol` puts itself into the scope of each HTTP request, and `GraphQLStreams` opens the stream.
"""

import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from resolvers.execution.fast_path import TextWriter, reject_text

EXTENSION = "rendercast.open_stream"


class ShutdownListener(Protocol):
    """A callback for a shutdown, when the response must end."""

    def __call__(self) -> None:
        """Arrange that the response ends now. Must not block or raise."""
        ...


class StreamOpener(Protocol):
    """A connection whose current response can be a stream."""

    def open_stream(self, on_shutdown: ShutdownListener) -> TextWriter:
        """Prepare the connection for a response of unknown length, and return the writer of its body's chunks."""
        ...


def extensions_of(opener: StreamOpener) -> dict[str, Any]:
    """Return the extensions for the scopes of a connection's requests. They don't keep the connection alive."""
    return {EXTENSION: weakref.ref(opener)}


def open_stream(scope: Mapping[str, Any], on_shutdown: ShutdownListener) -> TextWriter:
    """Open the stream of a response that has not started; return `reject_text` if its server has no extension."""
    reference = scope.get("extensions", {}).get(EXTENSION)
    opener: StreamOpener | None = reference and reference()
    return reject_text if opener is None else opener.open_stream(on_shutdown)
