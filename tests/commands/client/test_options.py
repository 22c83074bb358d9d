"""The server that the options select."""

import pytest
import typer

from commands.client.options import read_server


def test_the_server_is_the_one_of_the_url_and_the_token() -> None:
    server = read_server("https://example.org/videos/graphql", " token\n")
    assert (server.url, server.token) == ("https://example.org/videos", "token")


@pytest.mark.parametrize("url", ["", "example.org", "http://", "http://host:port", "https://host/?q", "http://a@b"])
def test_an_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_server(url, None)


def test_a_token_sent_unencrypted_to_another_machine_is_detected() -> None:
    assert read_server("http://example.org", "token").sends_token_unencrypted
    assert not read_server("https://example.org", "token").sends_token_unencrypted
    assert not read_server("http://localhost:1", "token").sends_token_unencrypted
    assert not read_server("http://example.org", None).sends_token_unencrypted
