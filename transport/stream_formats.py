"""The formats of responses with several GraphQL results.

- GraphQL over SSE, distinct connections mode: https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
- Multipart subscriptions: https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from graphql import GraphQLError

from resolvers.execution.fast_path import Framing
from resolvers.json_text import write_json
from transport.media_types import MediaType

PART_START = b"\r\ncontent-type: application/json\r\n\r\n"
PART_END = b"\r\n--graphql"  # the next boundary, since clients read a part only when they have received that
SERVER_STOPS = GraphQLError("The server restarts. Subscribe again.", extensions={"code": "SERVICE_UNAVAILABLE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFormat:
    """The bytes of a response: `opening`, results in `framing` with `keep_alive` between them, and `completion`.

    `interruption` is the framing of a list of errors for which the server ends an operation that it has executed.
    `shutdown` replaces the completion on shutdown: clients should subscribe again.
    """

    content_type: bytes
    opening: bytes
    framing: Framing
    keep_alive: bytes
    completion: bytes
    interruption: Framing
    shutdown: bytes

    def failure(self, errors: Iterable[GraphQLError]) -> bytes:
        """Return the result of an operation that was not executed."""
        return self.framing.frame(write_json({"errors": _formatted(errors)}))

    def interrupted(self, errors: Iterable[GraphQLError]) -> bytes:
        """Return the message with the errors for which the server ends the operation."""
        return self.interruption.frame(write_json(_formatted(errors)))


def _formatted(errors: Iterable[GraphQLError]) -> list[object]:
    return [error.formatted for error in errors]


# Browsers' `EventSource` dispatches `complete` only if it has a line of data.
EVENT_STREAM = StreamFormat(
    content_type=b"text/event-stream; charset=utf-8",
    opening=b":\n\n",
    framing=Framing(b"event: next\ndata: ", b"\n\n"),
    keep_alive=b":\n\n",
    completion=b"event: complete\ndata:\n\n",
    interruption=Framing(b'event: next\ndata: {"errors":', b"}\n\n"),
    shutdown=b"",  # clients reconnect if the response ends without `complete`
)
# Errors beside the payload are about the connection, and end it.
_PART_OF_ERRORS = Framing(PART_START + b'{"payload":null,"errors":', b"}" + PART_END)
MULTIPART = StreamFormat(
    content_type=b'multipart/mixed; boundary=graphql; subscriptionSpec="1.0"',
    opening=PART_END,
    framing=Framing(PART_START + b'{"payload":', b"}" + PART_END),
    keep_alive=PART_START + b"{}" + PART_END,
    completion=b"--\r\n",
    interruption=_PART_OF_ERRORS,
    shutdown=_PART_OF_ERRORS.frame(write_json([SERVER_STOPS.formatted])) + b"--\r\n",
)
FORMATS: Mapping[MediaType, StreamFormat] = MappingProxyType(
    {MediaType.EVENT_STREAM: EVENT_STREAM, MediaType.MULTIPART: MULTIPART}
)
