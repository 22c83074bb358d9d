"""Each invalid value is one sentence that names the variable and the faulty item, and no regular expression."""

from typing import get_args

import pytest

from services.settings import FIELDS, variable
from services.settings.groups import is_secret
from services.settings.sentences import describe_number, sentence
from tests.services.settings.conftest import Rejection

SECRET = "hush-4711"  # noqa: S105  # a value that must not be shown


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RENDERCAST_PORT", "http", "must be a whole number from 0 to 65535, not 'http'."),
        (
            "RENDERCAST_PORT",
            "tcp://example.org:80",
            "must be a whole number from 0 to 65535, not 'tcp://example.org:80'.",
        ),
        ("RENDERCAST_PORT", "65536", "must be a whole number from 0 to 65535, not '65536'."),
        ("RENDERCAST_PORT", "-1", "must be a whole number from 0 to 65535, not '-1'."),
        ("RENDERCAST_PORT", "80.5", "must be a whole number from 0 to 65535, not '80.5'."),
        ("RENDERCAST_QUOTA_LIMIT", "0", "must be a whole number from 1 to 2147483647, not '0'."),
        ("RENDERCAST_QUEUE_TIMEOUT_S", "9" * 22, "must be a whole number from 1 to 31536000, not '9999"),
        ("RENDERCAST_TEXT_WIDTH", "641", "must be an even number from 16 to 3840, not '641'."),
        ("RENDERCAST_LOCAL_WIDTH", "641", "must be an even number from 16 to 3840, not '641'."),
        ("RENDERCAST_LEASE_S", "nan", "must be a number from 1 to 600, not 'nan'."),
        ("RENDERCAST_LEASE_S", "inf", "must be a number from 1 to 600, not 'inf'."),
        ("RENDERCAST_PING_INTERVAL_S", "0", "must be a number above 0 and at most 300, not '0'."),
        ("RENDERCAST_STUDIO", "ture", "must be true or false, not 'ture'."),
        ("RENDERCAST_INTROSPECTION", "all", "must be true, false or public, not 'all'."),
        ("RENDERCAST_RENDERER", "gpu", "must be lambda, node or text, not 'gpu'."),
        ("RENDERCAST_LOG_LEVEL", "loud", "must be debug, info, warning or error, not 'loud'."),
        ("RENDERCAST_LOG_LEVEL", "a\nb", "must be debug, info, warning or error, not 'a\\nb'."),
        ("RENDERCAST_JWT_SECRET", "x", "is too short: 1 character, at least 32 needed."),
        ("REMOTION_WEBHOOK_SECRET", SECRET, "is too short: 9 characters, at least 16 needed."),
        ("RENDERCAST_HOST", "fe80::1%eth0", "has a zone, which URLs can't contain: 'fe80::1%eth0'"),
        ("RENDERCAST_HOST", "0.0.0.0:80", "is not an IP address or a host name: '0.0.0.0:80'"),
        ("RENDERCAST_HOST", "a..b", "is not an IP address or a host name: 'a..b'"),
        ("RENDERCAST_METRICS_HOST", "a" * 64, "is not an IP address or a host name: 'aaaa"),
        ("RENDERCAST_WEBHOOK_URL", "https://a..b", "has no valid host and port."),
        ("RENDERCAST_HOST", "http://localhost", "is not an IP address or a host name: 'http://localhost'"),
        ("RENDERCAST_METRICS_HOST", "[::1", "is not an IP address or a host name: '[::1'"),
        ("RENDERCAST_PUBLIC_URL", "videos.example", "must start with http:// or https://: 'videos.example'."),
        ("RENDERCAST_PUBLIC_URL", f"https://me:{SECRET}@x", "contains a user name or a password: remove it."),
        ("RENDERCAST_PUBLIC_URL", "https://x:99999", "has no valid host and port: 'https://x:99999'."),
        ("RENDERCAST_ALLOWED_ORIGINS", "https://a, https://b/x", "has the item 'https://b/x'"),
        ("RENDERCAST_ALLOWED_ORIGINS", "https://a,*", "has the item '*'"),
        ("RENDERCAST_TRUSTED_PROXIES", "::1,10.0.0.1/8", "has the item '10.0.0.1/8'"),
        ("RENDERCAST_TRUSTED_PROXIES", "proxy", "has the item 'proxy'"),
        ("RENDERCAST_TRUSTED_PROXIES", "127.0.0.1, *", "has '*' beside other items: '127.0.0.1, *'"),
        ("RENDERCAST_JWT_ALGORITHMS", "RS256,none", "has the item 'none', which is not one of RS256"),
        ("RENDERCAST_JWT_ISSUER", "https://x?y", "has a query or a fragment"),
        ("RENDERCAST_JWT_JWKS_URL", "keys", "must start with http:// or https://: 'keys'."),
        ("RENDERCAST_OPERATOR_SCOPE", "a b", "contains ' ', which one scope can't contain."),
        ("RENDERCAST_WEBHOOK_URL", f"ftp://{SECRET}", "must start with http:// or https://."),
        ("RENDERCAST_WEBHOOK_URL", f"https://x/#{SECRET}", "has a fragment"),
        ("REMOTION_VERSION", "4.0.527 or later", "is not valid: '4.0.527 or later'"),
        ("REMOTION_BUCKET_NAME", "A", "is not valid: 'A'"),
    ],
)
def test_an_invalid_value_is_one_sentence(name: str, value: str, words: str, rejection: Rejection) -> None:
    message = rejection(**{name: value})
    assert message.startswith(f"{name} {words}")
    assert message.endswith(".")
    assert "\n" not in message
    assert "^" not in message
    assert SECRET not in message


def test_every_number_has_a_largest_and_a_smallest_value() -> None:
    numbers = [
        describe_number(field)
        for field in FIELDS.values()
        if {int, float} & {field.annotation, *get_args(field.annotation)}
    ]
    assert numbers
    assert [words for words in numbers if " to " not in words and " at most " not in words] == []


@pytest.mark.parametrize("kind", ["string_pattern_mismatch", "string_type", "a kind of a later pydantic"])
def test_no_kind_of_error_shows_a_secret_or_a_pattern(kind: str) -> None:
    for name in FIELDS:
        words = sentence(name, variable(name), kind=kind, value=SECRET, context={"pattern": "^x$"})
        assert words.startswith(variable(name))
        assert "^" not in words
        assert (SECRET in words) is not is_secret(name)


def test_a_long_value_is_shortened(rejection: Rejection) -> None:
    assert len(rejection(RENDERCAST_PORT="9" * 100_000)) < 200
