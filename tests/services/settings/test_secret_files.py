"""Each secret can be read from a file."""

import os
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.settings import FIELDS, GROUPS, environment, load_settings, variable
from services.settings.environment import MAX_SECRET_BYTES
from services.settings.groups import is_secret
from tests.services.settings.conftest import Rejection

SECRET = "mongodb://user:a-secret-of-sufficient-length"  # noqa: S105
ISSUERS = '[{"issuer": "https://issuer.test"}]'
FILE = "file"
SECRETS = [name for name in FIELDS if is_secret(name)]


def loaded(name: str) -> str:
    (group,) = (group for group, fields in GROUPS.items() if name in fields.model_fields)
    value = getattr(getattr(load_settings(), group), name)
    assert isinstance(value, SecretStr)
    return value.get_secret_value()


def test_the_secrets_are_found() -> None:
    assert {variable(name) for name in SECRETS} >= {
        "MONGODB_URL",
        "REDIS_URL",
        "RENDERCAST_JWT_SECRET",
        "RENDERCAST_WEBHOOK_SECRET",
        "REMOTION_AWS_ACCESS_KEY_ID",
        "REMOTION_AWS_SECRET_ACCESS_KEY",
        "REMOTION_LICENSE_KEY",
        "REMOTION_WEBHOOK_SECRET",
    }


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_is_read_from_a_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = ISSUERS if name == "jwt_issuers" else SECRET
    Path("secret").write_text(value)
    monkeypatch.setenv(f"{variable(name)}_FILE", "secret")
    assert loaded(name) == value


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_line_end_and_a_byte_order_mark_are_not_part_of_it(
    start: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("secret").write_bytes((start + SECRET + end).encode())
    monkeypatch.setenv("REDIS_URL_FILE", "secret")
    assert loaded("redis_url") == SECRET


def test_the_name_of_the_file_can_be_in_the_file_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("secret").write_text(SECRET)
    Path(".env").write_text("REDIS_URL_FILE=secret\nREDIS_URL=\n")
    monkeypatch.setenv("MONGODB_URL_FILE", "")
    assert loaded("redis_url") == SECRET
    assert load_settings().storage.mongodb_url is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfes\0", "is not text in UTF-8"),
        (b"s\0e\0", "contains zero bytes: it must be text in UTF-8"),
        (b"s" * (MAX_SECRET_BYTES + 1), "is larger than 64 KiB"),
    ],
)
def test_an_unusable_content_is_one_sentence(content: bytes, reason: str, rejection: Rejection) -> None:
    Path("secret").write_bytes(content)
    message = rejection(REDIS_URL_FILE="secret")
    assert message == f"REDIS_URL_FILE can't be used: the file 'secret' {reason}."


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/missing", "does not exist"),
        (".", "is a directory"),
        ("link", "does not exist"),
        ("/dev/null/x", "can't be read (Not a directory)"),
        ("/dev/zero", "is larger than 64 KiB"),
        ("/" + "x" * 300, "can't be read (File name too long)"),
    ],
)
def test_an_unusable_path_is_one_sentence(path: str, reason: str, rejection: Rejection) -> None:
    Path("link").symlink_to("missing")
    assert rejection(MONGODB_URL_FILE=path) == f"MONGODB_URL_FILE can't be used: the file '{path}' {reason}."


@pytest.mark.parametrize("secret", ["redis://:hush@host", "hush", "hu/sh+4711", "hush" * 2000])
def test_a_secret_in_place_of_the_path_is_not_shown(secret: str, rejection: Rejection) -> None:
    message = rejection(REDIS_URL_FILE=secret)
    assert message.startswith("REDIS_URL_FILE can't be used: the file of that name ")
    assert "hu" not in message


def test_a_named_pipe_without_a_writer_is_one_sentence(rejection: Rejection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "READ_TIMEOUT_S", 0.1)
    os.mkfifo("pipe")
    message = rejection(REDIS_URL_FILE="pipe")
    assert message.endswith("the file 'pipe' is a pipe to which no process writes all within 0.1 s.")


def test_a_secret_can_arrive_in_parts_through_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"redis://")

    def write() -> None:
        os.write(writer, b"host\n")
        os.close(writer)

    late = threading.Thread(target=write)
    monkeypatch.setenv("REDIS_URL_FILE", f"/dev/fd/{reader}")
    late.start()
    url = load_settings().storage.redis_url
    late.join()
    os.close(reader)
    assert url is not None
    assert url.get_secret_value() == "redis://host"


def test_a_value_and_a_file_are_rejected(rejection: Rejection) -> None:
    Path(".env").write_text("REDIS_URL_FILE=secret\n")
    message = "REDIS_URL and REDIS_URL_FILE are both set: unset one of them."
    assert rejection(REDIS_URL="redis://localhost") == message


def test_the_content_is_validated_and_not_shown(rejection: Rejection) -> None:
    Path(FILE).write_text("hush\n")
    assert rejection(REMOTION_WEBHOOK_SECRET_FILE=FILE) == (
        "REMOTION_WEBHOOK_SECRET is too short: 4 characters, at least 16 needed."
    )


def test_other_settings_are_not_read_from_files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("port").write_text("9")
    monkeypatch.setenv("RENDERCAST_PORT_FILE", "port")
    assert load_settings().server.port == 8000
