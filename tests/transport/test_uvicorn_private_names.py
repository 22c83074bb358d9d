"""Fails with a clear sentence when uvicorn no longer has a name that `uvicorn_websockets.py` uses."""

from importlib.metadata import version

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

ATTRIBUTES = {
    Config: ("loaded_app", "ws_max_size", "ws_ping_interval", "ws_ping_timeout"),
    ServerState: ("connections", "default_headers", "tasks"),
}


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in ATTRIBUTES.items() for name in names])
def test_uvicorn_has_the_attributes(owner: type, name: str) -> None:
    config = Config("tests.transport.test_uvicorn_private_names:app", interface="asgi3", log_config=None)
    config.load()
    found = config if owner is Config else ServerState()
    assert hasattr(found, name), (
        f"uvicorn {version('uvicorn')} has no {owner.__name__}.{name}, which transport/uvicorn_websockets.py uses. "
        f"Adapt it, or bound uvicorn."
    )


async def app(scope: object, receive: object, send: object) -> None:
    """Do nothing: an application that uvicorn can load."""
