"""What a command prints of the errors of the API, and its exit code."""

import pytest
from rendercast.client import IdempotencyKeyReused, RendercastError, RenderNotFound, ServerUnreachable, Unauthenticated

from commands.client.errors import CommandError, details_of, exit_code_of, message_of
from commands.client.options import Server
from tests.support.client_renders import render_of


@pytest.mark.parametrize(
    ("token", "hint"),
    [("a", "Check RENDERCAST_TOKEN."), (None, "Set RENDERCAST_TOKEN to your token for this server.")],
)
def test_a_rejected_token_is_reported_with_the_variable(token: str | None, hint: str) -> None:
    error = Unauthenticated("Sign in to do this.")
    assert message_of(error, Server(url="http://example.org", token=token)) == f"Sign in to do this. {hint}"
    assert (error.code, exit_code_of(error)) == ("UNAUTHENTICATED", 1)


@pytest.mark.parametrize(
    ("error", "code", "details"),
    [
        (ServerUnreachable("No."), 3, {}),
        (RenderNotFound({"message": "No."}), 1, {}),
        (IdempotencyKeyReused({"message": "No.", "render": render_of("GIF").raw}), 1, {"renderId": "a"}),
        (CommandError("No.", code="NOT_IN_TIME", exit_code=3, renderId="a"), 3, {"renderId": "a"}),
    ],
)
def test_an_error_has_an_exit_code_and_details(error: RendercastError, code: int, details: dict[str, object]) -> None:
    assert (exit_code_of(error), details_of(error), str(error)) == (code, details, "No.")
