"""The server that the options select."""

import pytest
import typer

from commands.client.options import read_server


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
