"""JSON responses of `/graphql`."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from resolvers.json_text import write_json
from transport.graphql_request import BadRequest
from transport.media_types import MediaType


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """A JSON response."""

    body: bytes
    status: HTTPStatus
    media_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the response."""
        headers = [
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", b"%b; charset=utf-8" % self.media_type.encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def error_response(error: BadRequest, media_type: MediaType = MediaType.JSON) -> JsonResponse:
    """Return the response to a request that is not executed."""
    content = {"errors": [{"message": error.message, "extensions": {"code": error.code}}]}
    return JsonResponse(write_json(content), error.status, media_type, error.headers)
