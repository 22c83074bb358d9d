"""WebSockets of an application that fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from services.settings import load_settings
from tests.support.api_server import serve_app


async def fail_at_once(websocket: WebSocket) -> None:
    raise RuntimeError(f"{websocket.url.path} broke")


async def fail_later(websocket: WebSocket) -> None:
    await websocket.accept()
    await fail_at_once(websocket)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[str]:
    app = Starlette(routes=[WebSocketRoute("/at-once", fail_at_once), WebSocketRoute("/later", fail_later)])
    async with serve_app(app, load_settings(data_dir=folder, port=0)) as url:
        yield url.replace("http", "ws")


async def test_a_failure_before_the_handshake_is_accepted_denies_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as url:
        with pytest.raises(InvalidStatus, match="500"):
            await connect(f"{url}/at-once", proxy=None)


async def test_a_failure_closes_an_open_websocket_with_1011(tmp_path: Path) -> None:
    async with opened(tmp_path) as url, connect(f"{url}/later", proxy=None) as websocket:
        with pytest.raises(ConnectionClosedError, match="1011"):
            await websocket.recv()
