"""An ASGI extension with which an application writes text messages to a WebSocket without awaiting.

`WebSocketProtocol` puts its `TextWriter` into the scope, and `graphql_ws.Connection` takes it from there.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

from resolvers.execution.fast_path import TextWriter, reject_text

EXTENSION = "rendercast.text_writer"


def set_text_writer(scope: MutableMapping[str, Any], writer: TextWriter) -> None:
    """Offer the writer to the application of this WebSocket."""
    scope["extensions"][EXTENSION] = {"write": writer}


def get_text_writer(scope: Mapping[str, Any]) -> TextWriter:
    """Return the WebSocket's writer; `reject_text` if its server has none."""
    writer: TextWriter = scope.get("extensions", {}).get(EXTENSION, {}).get("write", reject_text)
    return writer
