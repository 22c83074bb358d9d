"""The addresses of servers."""

import pytest
from rendercast.client.addresses import is_local, read_address


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
def test_the_addresses_of_a_server_are_derived_from_its_url(url: str, endpoint: str, websocket: str) -> None:
    address = read_address(url)
    assert (address.endpoint, address.websocket) == (endpoint, websocket)


@pytest.mark.parametrize(
    "url", ["", "example.org", "http://a..b", f"http://{'a' * 64}", "http://x:99999", "http://x?y"]
)
def test_a_url_of_no_server_is_invalid(url: str) -> None:
    with pytest.raises(ValueError, match="It must look like"):
        read_address(url)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.2", "https://[::1]/graphql"])
def test_loopback_is_local(url: str) -> None:
    assert is_local(url)
    assert not is_local("http://example.org")
