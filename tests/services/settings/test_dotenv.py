"""The file `.env`: a line that can't be parsed prevents the start, since its setting would be ignored."""

from pathlib import Path

import pytest

from services.errors import StartupError
from services.settings import load_settings, unknown_variables

SECRET = "hush-4711"  # noqa: S105  # a value that must not be shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("RENDERCAST_RETENTION_DAYS: 7\n", 1),
        ("RENDERCAST_RETENTION_DAYS:7\n", 1),
        ("RENDERCAST_RETENTION_DAYS:\n", 1),
        ("RENDERCAST_PORT:=9\n", 1),
        ("MONGODB_URL:mongodb://host/name?replicaSet=rs0\n", 1),
        (f"# comment\n\n\nRENDERCAST_PORT=9\n\n  RENDERCAST_JWT_SECRET: {SECRET}\nRENDERCAST_HOST=::1\n", 6),
        (f"\r\n\r\nRENDERCAST_JWT_SECRET: {SECRET}\r\n", 3),
        (f'RENDERCAST_PORT=9\nRENDERCAST_JWT_SECRET="{SECRET}\n', 2),
        (f"RENDERCAST_PORT=9\nRENDERCAST_JWT_SECRET='{SECRET}\n", 2),
        (f'RENDERCAST_QUOTA_LIMIT="3\nRENDERCAST_PORT=9\nRENDERCAST_JWT_SECRET="{SECRET}"\n', 1),
        (f'RENDERCAST_JWT_SECRET="{SECRET}"{SECRET}', 1),
        (f"RENDERCAST_JWT_SECRET {SECRET}", 1),
        (f"set RENDERCAST_JWT_SECRET={SECRET}", 1),
    ],
)
def test_a_line_that_cannot_be_parsed_is_named_without_its_value(text: str, line: int) -> None:
    Path(".env").write_bytes(text.encode())
    for read in (load_settings, lambda: list(unknown_variables())):
        with pytest.raises(StartupError) as rejected:
            read()
        assert str(rejected.value) == (
            f"The file .env can't be parsed from line {line} on: write NAME=value, "
            "and if the value starts with a quote, end it with the same one."
        )


def test_comments_empty_lines_export_and_names_without_a_value_are_accepted() -> None:
    Path(".env").write_text(
        "# RENDERCAST_PORT: 1\n\n \t\nexport RENDERCAST_PORT=9  # a comment: here\nRENDERCAST_HOST\nexport NAME\n"
        "RENDERCAST_QUOTA_LIMIT=\nRENDERCAST_TEXT_WIDTH='64' # 'quoted'\nRENDERCAST_JWT_ISSUER=https://a.example\n"
        'RENDERCAST_WEBHOOK_SECRET="two\nlines"\nrendercast_text_height = 32\nRENDERCAST_OPERATOR_SCOPE=${UNSET:-ops}'
    )
    settings = load_settings()
    assert (settings.server.port, settings.server.host, settings.renders.quota_limit) == (9, "127.0.0.1", 5)
    assert (settings.renderer.text_width, settings.renderer.text_height) == (64, 32)
    assert (settings.auth.jwt_issuer, settings.auth.operator_scope) == ("https://a.example", "ops")
    assert settings.webhooks.webhook_secret is not None
    assert settings.webhooks.webhook_secret.get_secret_value() == "two\nlines"
