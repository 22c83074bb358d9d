"""The messages and close codes of graphql-transport-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from resolvers.json_text import read_json
from transport.operation_request import OperationRequest

SUBPROTOCOL = "graphql-transport-ws"

Payload = dict[str, Any] | None
OperationId = Annotated[str, Field(min_length=1, max_length=256)]


class CloseCode(IntEnum):
    """Close codes that the server sends."""

    TRY_AGAIN_LATER = 1013  # https://www.iana.org/assignments/websocket/websocket.xml
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_REQUESTS = 4429


class ConnectionInit(BaseModel):
    """Client to server: the first message, which authenticates the user."""

    type: Literal["connection_init"]
    payload: Payload = None


class Ping(BaseModel):
    """Either direction, at any time; the receiver replies with a pong."""

    type: Literal["ping"]
    payload: Payload = None


class Pong(BaseModel):
    """Either direction, at any time."""

    type: Literal["pong"]
    payload: Payload = None


class Subscribe(BaseModel):
    """Client to server: start a query, mutation or subscription."""

    type: Literal["subscribe"]
    id: OperationId
    payload: OperationRequest


class Complete(BaseModel):
    """Server to client: the operation has ended. Client to server: stop the operation."""

    type: Literal["complete"]
    id: OperationId


ClientMessage = ConnectionInit | Ping | Pong | Subscribe | Complete
_ADAPTER: TypeAdapter[ClientMessage] = TypeAdapter(Annotated[ClientMessage, Field(discriminator="type")])


def parse_message(text: str) -> ClientMessage:
    """Parse a client's message. Raises `ValueError` if it isn't one."""
    return _ADAPTER.validate_python(read_json(text))
