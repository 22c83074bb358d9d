"""Fails with a clear sentence when uvicorn or websockets no longer has a name that `uvicorn_websockets.py` uses."""

import asyncio
import inspect
from importlib.metadata import version

import pytest
from uvicorn import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.server import ServerProtocol

METHODS = {  # the overridden ones, and those that are called; with their parameters
    "connection_lost": ["exc"],
    "connection_made": ["transport"],
    "data_received": ["data"],
    "receive": [],
    "send": ["message"],
    "handle_connect": ["event"],
    "send_keepalive_ping": [],
    "keepalive_timeout": [],
    "handle_ping": [],
    "handle_pong": ["event"],
    "handle_cont": ["event"],
    "send_receive_event_to_app": [],
    "shutdown": [],
    "handle_parser_exception": [],
}
ATTRIBUTES = (
    "close_sent",
    "conn",
    "curr_msg_data_type",
    "frames",
    "handshake_complete",
    "loop",
    "ping_timeout",
    "pong_timer",
    "queue",
    "transport",
    "writable",
)
CALLED_BY = {  # where uvicorn must call an overridden method, or the override has no effect
    "handle_connect": "handle_events",
    "handle_ping": "handle_events",
    "handle_pong": "handle_events",
    "handle_cont": "handle_events",
    "send_receive_event_to_app": "handle_text",
    "send_keepalive_ping": "schedule_ping",
    "keepalive_timeout": "send_keepalive_ping",
}


def check(library: str, *, exists: bool, name: str) -> None:
    assert exists, (
        f"{library} {version(library)} has no {name}, which transport/uvicorn_websockets.py uses. "
        f"Adapt it, or bound {library}."
    )


@pytest.mark.parametrize("name", METHODS)
def test_uvicorn_has_the_methods(name: str) -> None:
    method = getattr(WebSocketsSansIOProtocol, name, None)
    exists = method is not None and list(inspect.signature(method).parameters) == ["self", *METHODS[name]]
    check("uvicorn", exists=exists, name=f"WebSocketsSansIOProtocol.{name}({', '.join(METHODS[name])})")


@pytest.mark.parametrize("name", CALLED_BY)
def test_uvicorn_calls_the_overridden_methods(name: str) -> None:
    caller = getattr(WebSocketsSansIOProtocol, CALLED_BY[name], None)
    exists = caller is not None and f"self.{name}" in inspect.getsource(caller)
    check("uvicorn", exists=exists, name=f"call of {name} in WebSocketsSansIOProtocol.{CALLED_BY[name]}")


async def test_uvicorn_has_the_attributes() -> None:
    config = Config("unused:app", interface="asgi3")
    config.loaded = True
    config.loaded_app = None
    protocol = WebSocketsSansIOProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    for name in ATTRIBUTES:
        check("uvicorn", exists=hasattr(protocol, name), name=f"WebSocketsSansIOProtocol().{name}")
    check("uvicorn", exists=isinstance(protocol.conn, ServerProtocol), name="ServerProtocol as its conn")


def test_uvicorn_gives_websockets_a_scope_with_extensions() -> None:
    exists = '"extensions": {' in inspect.getsource(WebSocketsSansIOProtocol.handle_connect)
    check("uvicorn", exists=exists, name='"extensions" in the scope of WebSocketsSansIOProtocol.handle_connect')


@pytest.mark.parametrize("name", ["fail", "data_to_send"])
def test_websockets_has_the_methods(name: str) -> None:
    check("websockets", exists=callable(getattr(ServerProtocol, name, None)), name=f"ServerProtocol.{name}")
