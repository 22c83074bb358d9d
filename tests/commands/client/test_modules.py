"""The client commands' modules without a server: documents, options, responses, texts."""

import pytest
import typer
from graphql import parse, validate

from commands.client import documents
from commands.client.errors import CommandError
from commands.client.options import read_server
from commands.client.responses import read_quota, read_render
from commands.client.views import printable, size
from resolvers.schema import build_schema

OPERATIONS = {name: text for name, text in vars(documents).items() if name.isupper() and name != "RENDER"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_valid_for_the_schema(name: str) -> None:
    assert validate(build_schema().core_schema, parse(OPERATIONS[name])) == []


@pytest.mark.parametrize(
    ("url", "endpoint", "websocket"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/graphql", "ws://127.0.0.1:8000/graphql"),
        ("https://example.org/", "https://example.org/graphql", "wss://example.org/graphql"),
        (
            "https://example.org/videos/graphql",
            "https://example.org/videos/graphql",
            "wss://example.org/videos/graphql",
        ),
        (" http://[::1]:8000 ", "http://[::1]:8000/graphql", "ws://[::1]:8000/graphql"),
    ],
)
def test_server_urls_are_derived_from_the_option(url: str, endpoint: str, websocket: str) -> None:
    server = read_server(url, " token\n")
    assert (server.endpoint, server.websocket, server.token) == (endpoint, websocket, "token")


@pytest.mark.parametrize("url", ["", "example.org", "http://", "http://host:port", "https://host/?q", "http://a@b"])
def test_an_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_server(url, None)


def test_a_token_sent_unencrypted_to_another_machine_is_detected() -> None:
    assert read_server("http://example.org", "token").sends_token_unencrypted
    assert not read_server("https://example.org", "token").sends_token_unencrypted
    assert not read_server("http://localhost:1", "token").sends_token_unencrypted
    assert not read_server("http://example.org", None).sends_token_unencrypted


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (10**16, "10000.0 TB")],
)
def test_sizes_have_decimal_units(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b]0;b\x07\u202ec\nd") == "a�]0;b��c\nd"


@pytest.mark.parametrize("response", [{}, {"id": 1}, {"limit": "many"}])
def test_an_unexpected_response_raises_a_command_error(response: dict[str, object]) -> None:
    for read in (read_render, read_quota):
        with pytest.raises(CommandError, match="unexpected format"):
            read(response)
