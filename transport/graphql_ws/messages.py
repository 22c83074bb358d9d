"""The messages of graphql-transport-ws, and its close codes.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from services.json_text import read_json

SUBPROTOCOL = "graphql-transport-ws"

Payload = dict[str, Any] | None
OperationId = Annotated[str, Field(min_length=1, max_length=256)]


class CloseCode(IntEnum):
    """Why the server ends a connection."""

    TRY_AGAIN_LATER = 1013  # https://www.iana.org/assignments/websocket/websocket.xml
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY = 4429


class ConnectionInit(BaseModel):
    """Client to server, first of all: who is there."""

    type: Literal["connection_init"]
    payload: Payload = None


class Ping(BaseModel):
    """Either way, at any time; answered by a pong."""

    type: Literal["ping"]
    payload: Payload = None


class Pong(BaseModel):
    """Either way, at any time."""

    type: Literal["pong"]
    payload: Payload = None


class Request(BaseModel):
    """What an operation asks for."""

    query: str
    variables: Payload = None
    operationName: str | None = None  # noqa: N815  # the protocol's name
    extensions: Payload = None


class Subscribe(BaseModel):
    """Client to server: begin an operation of any kind."""

    type: Literal["subscribe"]
    id: OperationId
    payload: Request


class Complete(BaseModel):
    """Either way: an operation has ended, or shall."""

    type: Literal["complete"]
    id: OperationId


Message = ConnectionInit | Ping | Pong | Subscribe | Complete
_MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def read_message(text: str) -> Message:
    """Return the message a client sent. Raises `ValueError` for anything else."""
    return _MESSAGE.validate_python(read_json(text))
