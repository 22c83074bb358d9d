"""Each mistake in REDIS_URL is one sentence that names the option and shows nothing that may be secret."""

from pathlib import Path

import pytest

from services.errors import StartupError
from services.realtime.redis_url import parse_redis_url

SECRET = "hush-4711"  # noqa: S105  # a password that must not be shown
ENCODED = "must be percent-encoded"


def rejection(url: str) -> str:
    with pytest.raises(StartupError) as rejected:
        parse_redis_url(url)
    message = str(rejected.value)
    assert message.startswith("REDIS_URL ")
    assert message.endswith(".")
    assert "\n" not in message
    assert SECRET not in repr(rejected.value)
    return message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "must start with redis://, rediss:// (TLS) or unix://."),
        ("localhost:6379", "must start with redis://, rediss:// (TLS) or unix://."),
        (f":{SECRET}@localhost", "must start with redis://"),
        (f"http://:{SECRET}@localhost", "must start with redis://, rediss:// (TLS) or unix://, not http://."),
        ("valkey://localhost", "not valkey://."),
        (f"redis+sentinel://:{SECRET}@localhost/mymaster", "Sentinel, which is not supported"),
        ("sentinel://a:26379,b:26379/primary", "Sentinel, which is not supported"),
        ("redis+cluster://localhost", "set it to redis:// and one node"),
        (f"redis://:{SECRET}@a:6379,b:6379", "has several hosts"),
        (f" redis://:{SECRET}@localhost", "contains white space"),
        (f"redis://:{SECRET} @localhost", "contains white space"),
        (f"redis://:{SECRET}@localhost\n", "contains white space"),
        (f"redis://:{SECRET}@localhost:port", "has no valid port"),
        ("redis://localhost:0", "has no valid port"),
        ("redis://localhost:70000", "has no valid port"),
        (f"redis://:{SECRET}/2@localhost", ENCODED),
        (f"redis://:1#{SECRET}@localhost", ENCODED),
        (f"redis://:1?{SECRET}@localhost", ENCODED),
        (f"redis://:[{SECRET}@localhost", ENCODED),
        (f"redis://:{SECRET}%@localhost", ENCODED),
        (f"redis://:{SECRET}%zz@localhost", ENCODED),
        (f"redis://:{SECRET}/x", ENCODED),
        ("redis://localhost/x", "has no valid database number"),
        ("redis://localhost/1/2", "has no valid database number"),
        ("redis://localhost/-1", "has no valid database number"),
        ("redis://localhost/%31x", "has no valid database number"),
        ("redis://localhost?db=x", "has no valid database number"),
        ("redis://localhost/1?db=2", "has two database numbers"),
        ("unix://run/redis.sock", "must have three slashes"),
        (f"unix://:{SECRET}@", "must have three slashes"),
        (f"redis://localhost?socket_timeout=99&password={SECRET}", "has the option socket_timeout, which is not supp"),
        ("redis://localhost?protocol=3", "has the option protocol, which is not supported: remove it."),
        ("redis://localhost?max_connections=9", "has the option max_connections, which is not supported"),
        (
            f"redis://localhost?pasword={SECRET}",
            "has the option pasword, which is not supported: the nearest one is pass",
        ),
        (
            "rediss://localhost?ssl_ca_cert=/x",
            "has the option ssl_ca_cert, which is not supported: the nearest one is ssl",
        ),
        ("rediss://localhost?ssl_nonsense=1", "has the option ssl_nonsense"),
        (f"redis://localhost?{SECRET}", "has an option, which is not supported"),
        ("redis://localhost?db", "has the option db without a value"),
        ("redis://localhost?db=1&db=1", "has the option db twice"),
        ("redis://localhost?ssl_ca_certs=/no/tls", "has the option ssl_ca_certs, but TLS needs rediss://."),
        ("rediss://localhost?ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs, which must be none, optional or required."),
        ("rediss://localhost?ssl_check_hostname=maybe", "ssl_check_hostname, which must be true or false."),
        ("rediss://localhost?ssl_ca_certs=/nowhere", "has the option ssl_ca_certs, which can't be used: No such file"),
        ("rediss://localhost?ssl_ca_path=/nowhere", "option ssl_ca_path, which can't be used: it is not a directory"),
        (
            "rediss://localhost?ssl_certfile=/nowhere&ssl_keyfile=/x",
            "option ssl_certfile with ssl_keyfile, which can't",
        ),
        ("rediss://localhost?ssl_ciphers=none", "has the option ssl_ciphers, which can't be used"),
        ("rediss://localhost?ssl_min_version=1.2", "has the option ssl_min_version, which can't be used"),
    ],
)
def test_a_mistake_is_one_sentence(url: str, words: str) -> None:
    assert words in rejection(url)


def test_a_file_that_is_no_certificate_is_named_by_its_option(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    assert "has the option ssl_ca_certs, which can't be used" in rejection(f"rediss://x?ssl_ca_certs={tmp_path}/key")
    assert "has the option ssl_certfile, which can't be used" in rejection(f"rediss://x?ssl_certfile={tmp_path}/key")


@pytest.mark.parametrize(
    ("url", "display_name", "prefix"),
    [
        ("redis://localhost", "localhost:6379", b"rendercast:0:"),
        ("REDIS://localhost/", "localhost:6379", b"rendercast:0:"),
        ("redis:///3", "localhost:6379", b"rendercast:3:"),
        ("redis://u:p%40%2F@[::1]:1/2", "[::1]:1", b"rendercast:2:"),
        ("redis://:p@ss@host", "host:6379", b"rendercast:0:"),
        ("redis://host?db=4", "host:6379", b"rendercast:4:"),
        ("rediss://host/1?ssl_cert_reqs=none&ssl_check_hostname=false", "host:6379", b"rendercast:1:"),
        ("rediss://host?ssl_check_hostname=False&ssl_min_version=772", "host:6379", b"rendercast:0:"),
        ("unix://:p@/run/redis.sock?db=1", "/run/redis.sock", b"rendercast:1:"),
    ],
)
def test_a_valid_url_is_parsed(url: str, display_name: str, prefix: bytes) -> None:
    address = parse_redis_url(url)
    assert (address.display_name, address.prefix) == (display_name, prefix)
    address.new_connection()
