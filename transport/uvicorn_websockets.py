"""WebSockets for uvicorn, with limits on the work and memory that one client can cause, and little memory when idle.

uvicorn's own protocol parses handshakes a second time, and keeps 12 KiB per connection. It stores every fragment of a
message, and every pong that a client doesn't read. It waits without limit on a connection whose handshake is not valid,
and for a client that stopped reading, because it sends unsent data before it closes the connection.

Written for uvicorn 0.54: uses `Config.loaded_app` and the attributes of `ServerState`, which are not documented.
`tests/transport/test_uvicorn_private_names.py` checks that they exist.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState
from websockets.frames import CloseCode

from transport.closing_delay import closing_delay_s
from transport.request_head import Handshake
from transport.text_writer import set_text_writer
from transport.websocket_frames import ping_frame, text_frame
from transport.websocket_handshake import ConnectionInfo, accepting_response, denying_response, scope_of
from transport.websocket_reader import Message, WebSocketReader

CLOSE_TIMEOUT_S = 10.0  # for the client's reply to a close frame, and for reading the denial of a handshake

log = logging.getLogger("uvicorn.error")


class WebSocketProtocol(WebSocketReader):
    """One WebSocket. Aborts if the client doesn't reply to pings, even while unsent data is waiting for it."""

    __slots__ = (
        "_close_timer",
        "_config",
        "_denial",
        "_events",
        "_is_reading_paused",
        "_key",
        "_on_connection_lost",
        "_ping",
        "_ping_timer",
        "_receiver",
        "_server_state",
    )

    def __init__(self, config: Config, server_state: ServerState, *, on_connection_lost: Callable[[], None]) -> None:
        super().__init__(max_size=config.ws_max_size)
        self._close_timer: asyncio.TimerHandle | None = None
        self._config = config
        self._denial: tuple[int, Any] | None = None  # the status and headers of a response to a denied handshake
        self._events: list[Message] = [{"type": "websocket.connect"}]
        self._is_reading_paused = False
        self._on_connection_lost = on_connection_lost
        self._ping: bytes | None = None  # that the client has not replied to
        self._ping_timer: asyncio.TimerHandle | None = None
        self._receiver: asyncio.Future[None] | None = None
        self._server_state = server_state

    # the connection

    def start(self, transport: asyncio.Transport, handshake: Handshake, info: ConnectionInfo) -> None:
        """Take over the transport, and start the application."""
        self.transport = transport
        self._key = handshake.key
        transport.set_protocol(self)
        self._server_state.connections.add(self)  # type: ignore[arg-type]  # the set is of uvicorn's protocols
        scope = scope_of(handshake, info)
        set_text_writer(scope, self.write_text)
        task = asyncio.get_running_loop().create_task(self._run(scope))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the application and `on_connection_lost`."""
        del exc
        self._stop_timers()
        self.drop_parser()
        self.put_disconnect(CloseCode.NO_STATUS_RCVD if self.is_open else CloseCode.ABNORMAL_CLOSURE)
        self.is_open = False
        self._server_state.connections.discard(self)
        self.resume_writing()
        self._on_connection_lost()

    def pause_writing(self) -> None:
        """Let the application wait with `send`."""
        self.drained = asyncio.Event()

    def resume_writing(self) -> None:
        """Let the application continue to send."""
        if self.drained is not None:
            self.drained.set()
            self.drained = None

    def shutdown(self) -> None:
        """Close the connection with 1012 after `closing_delay_s`; until then it works as before.

        Abort a connection that is already closing.
        """
        if self.transport.is_closing():
            self.transport.abort()
        elif self.is_open and not self.close_sent:
            delay_s = closing_delay_s(len(self._server_state.connections))
            self._close_timer = asyncio.get_running_loop().call_later(delay_s, self._close_for_restart)
        else:
            self._send_error()
            self.transport.close()

    # the application

    async def receive(self) -> Message:
        """Return the next event. Lets other tasks run before an event that was already queued."""
        if self._events:
            await asyncio.sleep(0)
        while not self._events:
            self._receiver = asyncio.get_running_loop().create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        event = self._events.pop(0)
        if not self._events:
            self._resume_reading()
        return event

    async def send(self, message: Message) -> None:
        """Send an ASGI message. Raises `ConnectionError` if the client has disconnected."""
        text = message.get("text")
        if text is not None and self.write_text(text.encode()):
            return
        while self.drained is not None:
            await self.drained.wait()
        if self.transport.is_closing() or self.close_sent:
            raise ConnectionResetError("the client has disconnected")
        match message["type"]:
            case "websocket.accept":
                self._accept(message)
            case "websocket.send" if self.is_open:
                self.transport.write(text_frame(message["text"].encode()))
            case "websocket.close" if self.is_open:
                self._close(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")
            case "websocket.close":
                self._deny(HTTPStatus.FORBIDDEN, (), b"")
            case "websocket.http.response.start":
                self._denial = message["status"], message["headers"]
            case "websocket.http.response.body" if self._denial is not None:
                self._deny(*self._denial, message.get("body", b""))
            case other:
                raise RuntimeError(f"unexpected ASGI message {other}")

    def write_text(self, text: bytes) -> bool:
        """Write a text message and return True, or return False if it would have to wait: this is the `TextWriter`."""
        if self.close_sent or not self.is_open or self.drained is not None or self.transport.is_closing():
            return False
        self.transport.write(text_frame(text))
        return True

    async def _run(self, scope: Message) -> None:
        try:
            await self._config.loaded_app(scope, self.receive, self.send)
        except ConnectionError:
            pass
        except BaseException:
            log.exception("Exception in ASGI application\n")
            self._send_error()
        if self._close_timer is None or not self.close_sent:
            self.transport.close()

    # the handshake

    def _accept(self, message: Message) -> None:
        headers = [*self._server_state.default_headers, *message.get("headers", ())]
        self.transport.write(accepting_response(self._key, message.get("subprotocol"), headers))
        self.is_open = True
        self._start_ping_timer()

    def _deny(self, status: int, headers: Any, body: bytes) -> None:
        self.transport.write(denying_response(status, headers, body))
        self.close_sent = True
        self.put_disconnect(CloseCode.ABNORMAL_CLOSURE)
        self.transport.close()  # after the client has read all that was sent
        self._close_timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def _send_error(self) -> None:
        """Close the WebSocket with 1011, or deny its handshake with 500, unless it is closing."""
        if self.close_sent or self.transport.is_closing():
            return
        if self.is_open:
            self._close(CloseCode.INTERNAL_ERROR, "")
        else:
            self._deny(HTTPStatus.INTERNAL_SERVER_ERROR, (), b"Internal Server Error")

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame, and wait for the client's for a limited time."""
        frames = self.frame_parser()
        frames.send_close(code, reason)
        self.transport.write(b"".join(frames.data_to_send()))
        self.close_sent = True
        self.put_disconnect(code, reason)
        self._resume_reading()
        self._close_timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.transport.close)

    def _close_for_restart(self) -> None:
        if not self.transport.is_closing() and not self.close_sent:
            self._close(CloseCode.SERVICE_RESTART, "")
            self.transport.close()

    # events and timers

    def handle_pong(self, payload: bytes) -> None:
        """Send the next ping later, if the pong is the reply to the last one."""
        if self._ping is not None and payload == self._ping:
            self._ping = None
            self._start_ping_timer()

    def put(self, event: Message) -> None:
        """Pass an event to the application. Reading pauses while the application doesn't receive."""
        self._events.append(event)
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)
        elif not self._is_reading_paused and not self.transport.is_closing():
            self._is_reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_reading_paused:
            self._is_reading_paused = False
            self.transport.resume_reading()

    def put_disconnect(self, code: int, reason: str = "") -> None:
        """Notify the application of the end of the connection."""
        self._events.append({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _start_ping_timer(self) -> None:
        self._stop_ping_timer()
        if self._config.ws_ping_interval:
            self._ping_timer = asyncio.get_running_loop().call_later(self._config.ws_ping_interval, self._send_ping)

    def _send_ping(self) -> None:
        """Send a ping, and disconnect a dead or slow client whose pong does not arrive in time.

        Also on a connection that is closing, which may have data that the client does not read.
        """
        self.non_message_frames = 0
        self._ping = os.urandom(4)
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(ping_frame(self._ping))
        self._ping_timer = asyncio.get_running_loop().call_later(
            self._config.ws_ping_timeout or CLOSE_TIMEOUT_S, self.transport.abort
        )

    def _stop_ping_timer(self) -> None:
        if self._ping_timer is not None:
            self._ping_timer.cancel()
            self._ping_timer = None

    def _stop_timers(self) -> None:
        self._stop_ping_timer()
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
