"""Subscriptions over SSE, where a proxy or firewall blocks WebSockets.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections mode.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import aiohttp

from rendercast.client.connection import Connection
from rendercast.client.errors import ServerUnreachable, UnexpectedResponse
from rendercast.client.http import stream_timeout, unreachable
from rendercast.client.reading import Json
from rendercast.client.responses import data_of, root_value
from rendercast.client.websockets import TransportBlockedError

EVENT_STREAM = "text/event-stream"


async def event_values(connection: Connection, operation: Json, *, open_timeout_s: float) -> AsyncGenerator[Any, None]:
    """Yield the values of the only root field until the operation is complete.

    Raises `TransportBlockedError` if the response is not an event stream, or if nothing arrives within
    `open_timeout_s`, as when a proxy collects the response. Raises `ServerUnreachable` when the connection is lost.
    """
    name = connection.address.name
    headers = {"Accept": EVENT_STREAM, **await connection.authorization()}
    try:
        response = await _opened(connection, operation, headers, open_timeout_s)
        async with response, aclosing(_results(response.content, open_timeout_s)) as results:
            async for result in results:
                yield root_value(data_of(result))
    except EOFError:
        raise ServerUnreachable(f"The connection to {name} was lost.", response_lost=True) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise unreachable(name, error) from error
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponse(error) from error


async def _opened(
    connection: Connection, operation: Json, headers: Mapping[str, str], timeout_s: float
) -> aiohttp.ClientResponse:
    """Return the response to a subscription, an event stream."""
    try:
        async with asyncio.timeout(timeout_s):
            response = await connection.http.post(
                connection.address.endpoint, json=operation, headers=headers, timeout=stream_timeout()
            )
    except aiohttp.ConnectionTimeoutError:
        raise
    except TimeoutError:
        raise TransportBlockedError from None
    if response.content_type == EVENT_STREAM:
        return response
    response.close()
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{connection.address.name} responded with status {response.status} to the subscription."
        raise ServerUnreachable(message, response_lost=True)
    raise TransportBlockedError


async def _results(lines: aiohttp.StreamReader, first_line_timeout_s: float) -> AsyncGenerator[Json, None]:
    """Yield the results of an event stream until it is complete. Raises `EOFError` if it ends before."""
    try:
        async with asyncio.timeout(first_line_timeout_s):
            line = await lines.readline()
    except TimeoutError:
        raise TransportBlockedError from None
    while line:
        field, _, value = line.decode().rstrip("\r\n").partition(":")
        if field == "event" and value.strip() == "complete":
            return
        if field == "data":
            result: Json = json.loads(value)
            yield result
        line = await lines.readline()
    raise EOFError
