"""A client for GraphQL over SSE and multipart subscriptions that shares no code with the server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.support.api_client import TEST_TIMEOUT_S, Client

EVENT_STREAM = "text/event-stream"
MULTIPART = 'multipart/mixed;boundary=graphql;subscriptionSpec="1.0",application/json'  # as Apollo Client sends it


class HttpStream:
    """The messages of one response: SSE blocks without their final blank line, or the bodies of parts."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._is_multipart = response.headers["content-type"].startswith("multipart/mixed")
        self._pieces = response.aiter_text()
        self._buffer = ""
        self.is_at_end = False

    async def message(self) -> str | None:
        """Return the next message, also a keep-alive; None at the end of the response. Skips multipart's preamble."""
        separator = "\r\n--graphql" if self._is_multipart else "\n\n"
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while separator not in self._buffer:
                try:
                    self._buffer += await anext(self._pieces)
                except StopAsyncIteration:
                    self.is_at_end = True
                    return None
        message, _, self._buffer = self._buffer.partition(separator)
        if not self._is_multipart:
            return message
        return message.partition("\r\n\r\n")[2] or await self.message()

    async def messages(self) -> AsyncIterator[str]:
        """Yield the messages to the end of the response."""
        while (message := await self.message()) is not None:
            yield message

    async def result(self) -> dict[str, Any] | None:
        """Return the next result; None if the operation is complete, or the response has ended without that."""
        async for message in self.messages():
            if message.startswith("event: next\ndata: "):
                found: dict[str, Any] = json.loads(message.removeprefix("event: next\ndata: "))
                return found
            if message == "event: complete\ndata:":
                return None
            if self._is_multipart and message != "{}":
                part: dict[str, Any] = json.loads(message)
                return part["payload"] or part
        return None

    async def next(self) -> Any:
        """Return the value of the root field of the next result."""
        result = await self.result()
        assert result is not None
        assert "errors" not in result, result
        (value,) = result["data"].values()
        return value

    async def rest(self) -> list[dict[str, Any]]:
        """Return all values until the operation completes."""
        values = []
        while (result := await self.result()) is not None:
            assert "errors" not in result, result
            values.extend(result["data"].values())
        return values


@asynccontextmanager
async def open_http_stream(
    client: Client, document: str, *, accept: str = EVENT_STREAM, **variables: object
) -> AsyncIterator[HttpStream]:
    """Send an operation by POST, and open its response as a stream."""
    headers = {"Accept": accept, **client.headers}
    body = {"query": document, "variables": variables}
    async with client.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        yield HttpStream(response)
