"""What the commands say and ask, without a server."""

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
def test_every_operation_is_one_the_schema_knows(name: str) -> None:
    assert validate(build_schema()._schema, parse(OPERATIONS[name])) == []


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
def test_a_server_is_named_by_its_address(url: str, endpoint: str, websocket: str) -> None:
    server = read_server(url, " token\n")
    assert (server.endpoint, server.websocket, server.token) == (endpoint, websocket, "token")


@pytest.mark.parametrize("url", ["", "example.org", "http://", "http://host:port", "https://host/?q", "http://a@b"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_server(url, None)


def test_a_token_that_others_can_read_on_the_way_is_noticed() -> None:
    assert read_server("http://example.org", "token").is_careless
    assert not read_server("https://example.org", "token").is_careless
    assert not read_server("http://localhost:1", "token").is_careless
    assert not read_server("http://example.org", None).is_careless


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (10**16, "10000.0 TB")],
)
def test_sizes_are_told_in_units(size_bytes: int, words: str) -> None:
    assert size(size_bytes) == words


def test_no_text_of_a_servers_steers_the_terminal() -> None:
    assert printable("a\x1b]0;b\x07\u202ec\nd") == "a�]0;b��c\nd"


@pytest.mark.parametrize("answer", [{}, {"id": 1}, {"limit": "many"}])
def test_an_answer_of_another_kind_is_a_fault_and_no_traceback(answer: dict[str, object]) -> None:
    for read in (read_render, read_quota):
        with pytest.raises(CommandError, match="another version"):
            read(answer)
