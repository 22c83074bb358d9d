"""The format of log lines, and the ids they contain."""

import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from datetime import datetime, timedelta

import pytest

from commands.server.logs import JsonFormatter, TextFormatter, log_setting_warnings
from services.observability import log_context
from services.settings import load_settings

RENDER = "01m817gzatj1v633w9kvyqtevh"
USER = "https://issuer.example ann"
PSEUDONYM = "eb4c85dbf066"


@pytest.fixture(autouse=True)
def ids() -> Iterator[None]:
    """Reset the ids after each test."""
    tokens = [
        (variable, variable.set(""))
        for variable in (log_context.request_id, log_context.user_id, log_context.render_id)
    ]
    yield
    for variable, token in tokens:
        variable.reset(token)


def record(message: str = "it is %s", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("somewhere").makeRecord(
        "somewhere", logging.WARNING, __file__, 1, message, args or ("so",), None, extra=extra
    )
    if "Error" in message:
        error = ValueError("first\nsecond")
        made.exc_info = (ValueError, error, error.__traceback__)
    return made


def as_json(made: logging.LogRecord) -> dict[str, str]:
    line = JsonFormatter().format(made)
    assert line.isascii()
    assert "\n" not in line
    written: dict[str, str] = json.loads(line)
    return written


def test_a_json_line_has_time_level_logger_and_message() -> None:
    written = as_json(record())
    time = datetime.fromisoformat(written.pop("time"))
    assert time.utcoffset() == timedelta(0)
    assert written == {"level": "warning", "logger": "somewhere", "message": "it is so"}


def test_lines_have_the_current_ids() -> None:
    log_context.start_request("a-request")
    log_context.user_id.set(USER)
    log_context.render_id.set(RENDER)
    written = as_json(record(error_id="0123"))
    ids = {"request_id": "a-request", "render_id": RENDER, "user_id": PSEUDONYM}
    assert {name: written[name] for name in ids} == ids
    assert written["error_id"] == "0123"
    assert (
        TextFormatter()
        .format(record())
        .endswith(f" somewhere: it is so [request_id=a-request render_id={RENDER} user_id={PSEUDONYM}]")
    )


def test_users_are_logged_as_pseudonyms() -> None:
    log_context.user_id.set(USER)
    for formatter in (JsonFormatter(), TextFormatter()):
        assert "ann" not in formatter.format(record())


def test_a_traceback_is_part_of_the_record() -> None:
    assert "ValueError: first\nsecond" in as_json(record("an Error %s"))["exception"]
    assert "ValueError: first\nsecond" in TextFormatter().format(record("an Error %s"))


@pytest.mark.parametrize("text", ["two\nlines", "\N{LINE SEPARATOR}", "\ud800", "\x1b[31m", "Ünspeakable"])
def test_any_message_is_one_line_that_can_be_parsed(text: str) -> None:
    assert as_json(record("%s", text))["message"] == text


def test_the_next_request_on_a_connection_does_not_inherit_the_user() -> None:
    log_context.start_request("first")
    log_context.user_id.set(USER)
    copy_context().run(log_context.start_request, "second")
    assert log_context.current_ids() == {"request_id": "first", "user_id": PSEUDONYM}
    log_context.start_request("third")
    assert log_context.current_ids() == {"request_id": "third"}


def test_probable_mistakes_in_settings_are_logged_once_at_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RENDERCAST_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("RENDERCAST_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("RENDERCAST_QUOTA_LIMT", "9")
    log_setting_warnings(load_settings(host="::"), serves=True)
    misspelt, ignored, address = caplog.messages
    assert "did you mean RENDERCAST_QUOTA_LIMIT?" in misspelt
    assert "enableServiceLinks: false" in ignored
    assert "RENDERCAST_PUBLIC_URL" in address
