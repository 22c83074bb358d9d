"""A relay between the studio and its server, which holds some of the page's queries."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Page, WebSocketRoute

from tests.support.api_client import TEST_TIMEOUT_S


@dataclass(kw_only=True)
class Relay:
    """Relays the messages of a page. Holds those with this text until they are released or answered by an error."""

    text: str
    is_open: bool = False
    held: list[dict[str, Any]] = field(default_factory=list)
    _page: Page | None = None
    _page_side: WebSocketRoute | None = None
    _server_side: WebSocketRoute | None = None

    async def listen(self, page: Page) -> None:
        """Relay the WebSockets that the page opens from now on."""
        self._page = page
        await page.route_web_socket("**/graphql", self._connect)

    async def hold(self, number: int) -> list[dict[str, Any]]:
        """Wait until at least so many messages are held, and return all that the page has sent by then."""
        assert self._page is not None
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while len(self.held) < number:  # noqa: ASYNC110  # in the background
                await asyncio.sleep(0.01)
        await self._page.evaluate("0")  # returns after the messages that the page sent at the same time
        return self.held

    def release(self) -> None:
        """Send the held messages, and hold no more."""
        self.is_open = True
        for message in self.held:
            self._send(json.dumps(message))

    def fail(self, sentence: str) -> None:
        """Answer the held queries with an error."""
        assert self._page_side is not None
        for message in self.held:
            error = {"id": message["id"], "type": "error", "payload": [{"message": sentence}]}
            self._page_side.send(json.dumps(error))
        self.held.clear()

    def _connect(self, page_side: WebSocketRoute) -> None:
        self._page_side, self._server_side = page_side, page_side.connect_to_server()
        page_side.on_message(self._receive)

    def _receive(self, message: str | bytes) -> None:
        if self.is_open or self.text not in str(message):
            self._send(message)
        else:
            self.held.append(json.loads(message))

    def _send(self, message: str | bytes) -> None:
        assert self._server_side is not None
        self._server_side.send(message)
