"""The log of rejected tokens: it says why, without the token, and has few lines."""

import logging
from typing import Any

import pytest

from auth.rejection_log import MAX_LINES_PER_WINDOW, WINDOW_S, RejectionLog
from tests.security.conftest import Site
from tests.security.issuer import Issuer
from tests.support.api_client import LIST

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Ticks:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "web"}, "its claim aud is 'web', expected 'rendercast'"),
        ({"aud": None, "azp": "rendercast"}, "its claim aud is None, expected 'rendercast'; its claim azp has that"),
        ({"iss": "https://other.test"}, "its claim iss is 'https://other.test', expected 'http://127.0.0.1:"),
        ({"sub": ""}, "its claim sub is '', expected 1 to 255 printable characters"),
        (
            {"nbf": 32_503_680_000},
            "its claim nbf is 32503680000 (3000-01-01T00:00:00+00:00), expected a time",
        ),
        ({"aud": "a\nb" * 1000}, r"its claim aud is 'a\nba\nb"),
    ],
)
async def test_the_log_has_the_claim_with_its_value_and_the_expected_one(
    site: Site, issuer: Issuer, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], reason: str
) -> None:
    token = issuer.token(**{"sub": "ann", **changes})
    error = await site.client(token).error(LIST)
    assert error["message"] == "Your sign-in is not valid here. Sign in again."
    [line] = [record.getMessage() for record in caplog.records if record.name == "auth.rejection_log"]
    assert line.startswith(f"a token was rejected: {reason}")
    assert len(line) < 500
    assert not any(part in caplog.text for part in token.split("."))


async def test_an_expired_token_is_logged_at_level_debug_only(
    site: Site, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert "expired" in (await site.client(issuer.token(exp=1_700_000_000)).error(LIST))["message"]
    assert "rejected" not in caplog.text


async def test_the_log_has_each_reason_once_and_few_lines_per_minute(caplog: pytest.LogCaptureFixture) -> None:
    ticks = Ticks()
    rejections = RejectionLog(ticks)
    for _ in range(3):
        for number in range(MAX_LINES_PER_WINDOW + 5):
            rejections.add(f"reason {number}")
    assert len(caplog.records) == MAX_LINES_PER_WINDOW
    ticks.now_s = WINDOW_S
    rejections.add("reason 0")
    assert [record.getMessage() for record in caplog.records[MAX_LINES_PER_WINDOW:]] == [
        "15 more tokens were rejected for other reasons",
        "a token was rejected: reason 0",
    ]
