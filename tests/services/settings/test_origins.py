"""Allowed origins: their forms, and the pages that they match."""

import pytest

from services.errors import StartupError
from services.settings import load_settings
from services.settings.origins import LOOPBACK_ORIGINS, origin_pattern

VALID = {
    "https://app.example": "https://app.example",
    "https://app.example/": "https://app.example",
    "HTTPS://App.Example": "https://app.example",
    "https://app.example:443": "https://app.example",
    "http://app.example:80/": "http://app.example",
    "http://app.example:8080": "http://app.example:8080",
    "https://app.example:80": "https://app.example:80",
    "http://[::1]:1": "http://[::1]:1",
    "http://localhost:5173": "http://localhost:5173",
    "http://LocalHost:*/": "http://localhost:*",
    "https://[::1]:*": "https://[::1]:*",
    "capacitor://localhost": "capacitor://localhost",
    "ionic://localhost": "ionic://localhost",
    "tauri://localhost": "tauri://localhost",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop/": "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "moz-extension://0f8fad5b-d9cb-469f-a165-70867728950e": "moz-extension://0f8fad5b-d9cb-469f-a165-70867728950e",
    "https://*.app.example": "https://*.app.example",
    "https://pr.*.app.example:8443/": "https://pr.*.app.example:8443",
}


@pytest.mark.parametrize("given", VALID)
def test_an_origin_is_stored_as_browsers_send_it(given: str) -> None:
    origins = load_settings(allowed_origins=f" {given} ,https://other.example").server.origins
    assert origins == {VALID[given], "https://other.example"}


INVALID = {
    "*": "all sites",
    "null": "such as https://app.example",
    "app.example": "such as https://app.example",
    "app.example:8080": "such as https://app.example",
    "//app.example": "such as https://app.example",
    "https://": "such as https://app.example",
    "file://": "such as https://app.example",
    "https://app.example/path": "remove '/path'",
    "https://app.example//": "remove '/'",
    "https://app.example?a": "remove '?a'",
    "https://app.example:": "remove ':'",
    "https://app.example:http": "remove ':http'",
    "https://app.example:*": "only after localhost",
    "http://*:*": "only after localhost",
    "http://localhost:5*": "remove '*'",
    "https://app.example:99999": "99999 is not a port",
    "https://app.example:0": "0 is not a port",
    "https://ann:secret@app.example": "user name",
    "https://a b": "remove ' b'",
    "https://bücher.example": "xn--bcher-kva.example",
    "https://*": "*.app.example",
    "https://*.example": "*.app.example",
    "https://*.*.app.example": "*.app.example",
    "https://pr-*.app.example": "*.app.example",
    "https://app.*": "*.app.example",
    "https://app.*.example": "*.app.example",
}


@pytest.mark.parametrize("item", INVALID)
def test_an_invalid_origin_prevents_the_start_with_a_sentence_that_names_it(item: str) -> None:
    with pytest.raises(StartupError) as rejected:
        load_settings(allowed_origins=f"https://good.example,{item}")
    message = str(rejected.value)
    assert message.startswith("RENDERCAST_ALLOWED_ORIGINS has ")
    assert INVALID[item] in message
    assert (repr(item) in message) == ("@" not in item)
    assert "good" not in message


@pytest.mark.parametrize(
    ("allowed", "origin", "is_allowed"),
    [
        ("https://app.example", "https://app.example", True),
        ("https://app.example", "http://app.example", False),
        ("https://app.example", "https://app.example:8443", False),
        ("https://app.example", "https://appxexample", False),
        ("https://app.example", "https://app.example.evil.example", False),
        ("https://app.example", "null", False),
        ("https://*.app.example", "https://pr-7.app.example", True),
        ("https://*.app.example", "https://app.example", False),
        ("https://*.app.example", "https://.app.example", False),
        ("https://*.app.example", "https://a.b.app.example", False),
        ("https://*.app.example", "https://evil.example/.app.example", False),
        ("https://*.app.example", "https://evil.example#.app.example", False),
        ("https://*.app.example", "https://a@b.app.example", False),
        ("https://*.app.example", "https://pr-7.app.example\n", False),
        ("https://*.app.example:8443", "https://x.app.example:8443", True),
        ("chrome-extension://abc,tauri://localhost", "tauri://localhost", True),
        ("chrome-extension://abc,tauri://localhost", "chrome-extension://abc", True),
        ("chrome-extension://abc,tauri://localhost", "chrome-extension://abcd", False),
        ("http://localhost:*", "http://localhost:5173", True),
        ("http://localhost:*", "http://localhost", True),
        ("http://localhost:*", "https://localhost", False),
        ("http://localhost:*", "http://localhost:", False),
        ("http://localhost:*", "http://localhost:80@evil.example", False),
        ("http://localhost:*", "http://localhost.evil.example", False),
        (LOOPBACK_ORIGINS, "http://[::1]:5173", True),
        (LOOPBACK_ORIGINS, "https://127.0.0.1:8443", True),
        (LOOPBACK_ORIGINS, "http://127.0.0.2", False),
        ("", "https://app.example", False),
        ("", "", False),
    ],
)
def test_a_page_is_allowed_if_its_origin_matches_completely(allowed: str, origin: str, *, is_allowed: bool) -> None:
    pattern = origin_pattern(load_settings(allowed_origins=allowed).server.origins)
    assert (pattern.fullmatch(origin) is not None) == is_allowed


@pytest.mark.parametrize(
    ("given", "base_url", "prefix"),
    [
        ("https://videos.example", "https://videos.example", ""),
        ("https://videos.example/", "https://videos.example", ""),
        ("https://videos.example/cast", "https://videos.example/cast", "/cast"),
        ("https://videos.example/cast/", "https://videos.example/cast", "/cast"),
        ("http://10.0.0.1:8080/a/b-c.d_e~1//", "http://10.0.0.1:8080/a/b-c.d_e~1", "/a/b-c.d_e~1"),
        ("https://Videos.Example:443/Cast", "https://videos.example/Cast", "/Cast"),
        ("http://[::1]:80", "http://[::1]", ""),
        ("http://videos.example:443", "http://videos.example:443", ""),
    ],
)
def test_the_public_url_may_have_a_path(given: str, base_url: str, prefix: str) -> None:
    server = load_settings(public_url=given).server
    assert (server.base_url, server.path_prefix) == (base_url, prefix)


@pytest.mark.parametrize(
    "given",
    [
        "videos.example/cast",
        "https://videos.example/a//b",
        "https://videos.example/a/../b",
        "https://videos.example/.",
        "https://videos.example/a%20b",
        "https://videos.example/graphql",
        "https://videos.example/files/cast",
        "https://videos.example/cast?a=1",
        "https://videos.example/cast?",
        "https://videos.example/cast#a",
        "https://ann@videos.example/cast",
    ],
)
def test_an_invalid_public_url_prevents_the_start(given: str) -> None:
    with pytest.raises(StartupError, match=r"^RENDERCAST_PUBLIC_URL "):
        load_settings(public_url=given)
