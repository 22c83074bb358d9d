"""uvicorn's undocumented names that transport/ uses. After an upgrade, a failing test says which name is gone."""

import asyncio
import inspect

import pytest
import uvicorn
from uvicorn.middleware import proxy_headers
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

OVERRIDDEN = {
    "connection_lost",
    "connection_made",
    "data_received",
    "on_body",
    "on_headers_complete",
    "on_message_begin",
    "on_message_complete",
    "on_response_complete",
    "pause_writing",
    "resume_writing",
    "shutdown",
}
READ = {
    "_unset_keepalive_if_required",
    "app_state",
    "client",
    "config",
    "connections",
    "cycle",
    "flow",
    "headers",
    "logger",
    "loop",
    "parser",
    "pipeline",
    "server_state",
    "transport",
}


async def application(scope: object, receive: object, send: object) -> None:
    del scope, receive, send


@pytest.fixture
async def protocol() -> HttpToolsProtocol:
    return HttpToolsProtocol(uvicorn.Config(application, log_config=None), ServerState(), {})


def require(owner: str, thing: object, *names: str, user: str = "transport/uvicorn_http.py") -> None:
    missing = [f"{owner}.{name}" for name in names if not hasattr(thing, name)]
    assert not missing, f"{user} uses what uvicorn {uvicorn.__version__} no longer has: {', '.join(missing)}"


async def test_the_http_protocol_has_the_methods_and_attributes_that_we_use(protocol: HttpToolsProtocol) -> None:
    require("HttpToolsProtocol", protocol, *sorted(OVERRIDDEN | READ))
    require("HttpRequestParser", protocol.parser, "get_http_version", "get_method", "should_upgrade")
    require("FlowControl", FlowControl, "pause_reading")


async def test_a_request_has_the_attributes_that_we_use() -> None:
    given = dict.fromkeys(inspect.signature(RequestResponseCycle).parameters)
    cycle = RequestResponseCycle(**given)  # type: ignore[arg-type]  # it only stores them
    names = ("disconnected", "keep_alive", "message_event", "response_complete", "response_started")
    require("RequestResponseCycle", cycle, *names)
    assert not cycle.response_complete


async def test_the_http_protocol_has_the_url_once_a_head_was_parsed(protocol: HttpToolsProtocol) -> None:
    protocol.on_message_begin()
    require("HttpToolsProtocol", protocol, "url")


async def test_the_http_protocol_is_an_asyncio_protocol_whose_reads_can_be_bounded(protocol: HttpToolsProtocol) -> None:
    assert isinstance(protocol, asyncio.Protocol)
    for name in ("get_buffer", "buffer_updated"):
        assert not hasattr(protocol, name), f"uvicorn's own {name} would be used instead of that of BoundedReads"


def test_trusted_hosts_contain_addresses_and_networks() -> None:
    require("proxy_headers", proxy_headers, "_TrustedHosts", user="transport/trusted_proxies.py")
    trusted = proxy_headers._TrustedHosts("192.0.2.1,2001:db8::/32")
    addresses = ("192.0.2.1", "2001:db8::1", "192.0.2.2")
    assert [address in trusted for address in addresses] == [True, True, False], "_TrustedHosts has another meaning"
