"""Content negotiation of GraphQL responses."""

import pytest

from transport.media_types import MAX_CACHED_LENGTH, MediaType, accepts_html, negotiate

JSON, GRAPHQL_JSON = MediaType.JSON, MediaType.GRAPHQL_JSON
SSE, MULTIPART = MediaType.EVENT_STREAM, MediaType.MULTIPART
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", [JSON, GRAPHQL_JSON]),
        ("*/*", [JSON, GRAPHQL_JSON]),
        ("application/*", [JSON, GRAPHQL_JSON]),
        ("application/json", [JSON]),
        ("application/graphql-response+json", [GRAPHQL_JSON]),
        ("application/graphql-response+json, application/json;q=0.9", [GRAPHQL_JSON, JSON]),
        ("application/json;q=0.9, application/graphql-response+json", [GRAPHQL_JSON, JSON]),
        ("application/json; q=0.5 , application/graphql-response+json;q=0.25", [JSON, GRAPHQL_JSON]),
        ("application/json;q=0, */*", [GRAPHQL_JSON]),
        ("*/*;q=0.1, application/json;q=0.01", [GRAPHQL_JSON, JSON]),
        ("APPLICATION/JSON;Q=1", [JSON]),
        ("application/json;charset=utf-8", [JSON]),
        ("application/json;q=nonsense", [JSON]),
        ("application/json;q=2", [JSON]),
        ("application/json;q=nan", [JSON]),
        ("application/json;q=0.000", []),
        ("text/event-stream", [SSE]),
        ("text/event-stream, multipart/mixed", [SSE]),  # urql
        ("application/json, text/event-stream", [JSON, SSE]),
        ("application/json;q=0.9, text/event-stream", [SSE, JSON]),
        ("text/*", []),
        ("multipart/mixed", []),
        ("multipart/mixed;deferSpec=20220824, application/json", [JSON]),
        ("multipart/mixed;subscriptionSpec=2.0", []),
        ("multipart/mixed;subscriptionSpec=1.0", [MULTIPART]),
        ('multipart/mixed; boundary=graphql; subscriptionSpec="1.0", application/json', [MULTIPART, JSON]),  # Apollo
        ("application/xml", []),
        (",;,", []),
        (BROWSER, [JSON, GRAPHQL_JSON]),
        ("image/png, " * MAX_CACHED_LENGTH + "application/json", [JSON]),
    ],
)
def test_the_acceptable_types_are_in_the_order_of_preference(accept: str, expected: list[MediaType]) -> None:
    assert list(negotiate(accept)) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (BROWSER, True),
        ("TEXT/HTML", True),
        ("text/html;q=0", False),
        ("*/*", False),
        ("text/html;level=1;q=0.1", True),
    ],
)
def test_pages_are_for_clients_that_name_html(accept: str, expected: bool) -> None:  # noqa: FBT001
    assert accepts_html(accept) is expected
