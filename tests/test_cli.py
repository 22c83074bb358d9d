"""The command line in this process; `tests/end_to_end` runs it as a process."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner, Result

import cli
from commands.server.serve import listen_for_clients
from resolvers.schema import build_schema
from services.errors import StartupError
from services.settings import CHECKOUT, load_settings

SECRET = "a-secret-for-tests-of-sufficient-length"  # noqa: S105
TIMES = ["", "0s", "1", "h", "1w", "1.5h", "-1h", "1 h", "1000000s", "１h"]

Rejection = Callable[..., str]

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # rejected, never listened on
PUBLIC_HOSTS = [ANY_ADDRESS, "::", "192.0.2.1", "2001:db8::1", "example.org", "127.0.0.1.example.org"]


@pytest.fixture
def rejection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rejection:
    """Run `rendercast dev` in an empty folder and return its error message."""

    def run(*arguments: str, **settings: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["rendercast", "dev", *arguments])
        for name, value in settings.items():
            monkeypatch.setenv(f"RENDERCAST_{name.upper()}", value)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, str)
        assert list(tmp_path.iterdir()) == []
        return ended.value.code

    return run


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quota_limit", "abc"),
        ("quota_limit", "0"),
        ("quota_window_s", "-1"),
        ("port", "99999"),
        ("port", "http"),
        ("text_width", "1281"),
        ("text_height", "10000"),
        ("public_url", "example.org/path"),
        ("log_level", "loud"),
        ("lease_s", "nan"),
        ("acquire_interval_s", "inf"),
        ("check_interval_s", "0"),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line_with_its_name(rejection: Rejection, name: str, value: str) -> None:
    message = rejection(**{name: value})
    assert message.startswith(f"rendercast: RENDERCAST_{name.upper()} ")
    assert "\n" not in message


def test_each_invalid_setting_has_a_line(rejection: Rejection) -> None:
    lines = rejection("--port", "-1", quota_limit="abc", log_level="loud").removeprefix("rendercast: ").splitlines()
    assert {line.split()[0] for line in lines} == {
        "RENDERCAST_PORT",
        "RENDERCAST_LOG_LEVEL",
        "RENDERCAST_QUOTA_LIMIT",
    }


@pytest.mark.parametrize("host", PUBLIC_HOSTS)
def test_a_public_address_is_rejected(rejection: Rejection, host: str) -> None:
    message = rejection("--host", host, "--port", "0")
    assert "is not loopback" in message
    assert "\n" not in message


def test_a_public_address_is_rejected_as_a_setting_too(rejection: Rejection) -> None:
    assert "is not loopback" in rejection(host=ANY_ADDRESS, port="0")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_connections_send_without_delay(host: str) -> None:
    with (
        listen_for_clients(load_settings(host=host, port=0).server) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_the_unspecified_ipv6_address_accepts_ipv4_too() -> None:
    with listen_for_clients(load_settings(host="::", port=0).server) as listener:
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, listener.getsockname()[1])), listener.accept()[0]:
                pass


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.1"])  # the latter is reserved for documentation
def test_a_host_that_is_not_one_of_this_machine_is_reported(host: str) -> None:
    sentence = rf"^Can't listen on {re.escape(host)}:1: .*\. Correct RENDERCAST_HOST\.$"
    with pytest.raises(StartupError, match=sentence):
        listen_for_clients(load_settings(host=host, port=1).server)


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartupError, match=f"127.0.0.1:{port}: Address already in use"):
            listen_for_clients(load_settings(host="127.0.0.1", port=port).server)


def test_an_error_message_cannot_control_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StartupError("The site reports: \x1b]0;title\x07no.\nTry again.")

    monkeypatch.setattr(cli, "cli", fail)
    with pytest.raises(SystemExit, match=r"^rendercast: The site reports: �]0;title�no.\nTry again.$"):
        cli.main()


def token(*arguments: str, **settings: str) -> Result:
    """Run `rendercast token` with these settings."""
    return CliRunner().invoke(cli.cli, ["token", *arguments], env={f"RENDERCAST_{n}": v for n, v in settings.items()})


@pytest.mark.parametrize(("text", "lifetime_s"), [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000)])
def test_a_token_has_the_requested_lifetime(text: str, lifetime_s: int) -> None:
    made = token("ann", "--expires-in", text, JWT_SECRET=SECRET, JWT_AUDIENCE="an API")
    claims = jwt.decode(made.output.strip(), SECRET, ["HS256"], audience="an API", issuer="rendercast")
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("ann", lifetime_s)


def test_a_token_has_the_requested_scopes() -> None:
    made = token("ann", "--scope", "openid renders:all", JWT_SECRET=SECRET)
    assert jwt.decode(made.output.strip(), SECRET, ["HS256"], audience="rendercast")["scope"] == "openid renders:all"


@pytest.mark.parametrize("arguments", [[""], ["a" * 256], ["ann\n"], *(["ann", "--expires-in", t] for t in TIMES)])
def test_a_token_without_a_subject_or_a_lifetime_is_rejected(arguments: list[str]) -> None:
    rejected = token(*arguments, JWT_SECRET=SECRET)
    assert isinstance(rejected.exception, StartupError)
    assert rejected.output == ""


@pytest.mark.parametrize(
    ("secret", "message"),
    [("", "JWT_SECRET is not set"), ("hush", "JWT_SECRET is too short: 4 ")],
)
def test_a_token_needs_a_secret_of_sufficient_length(secret: str, message: str) -> None:
    rejected = token("ann", JWT_SECRET=secret)
    assert isinstance(rejected.exception, StartupError)
    assert message in str(rejected.exception)
    assert "hush" not in str(rejected.exception)


@pytest.mark.parametrize("algorithms", ["none", "HS384", "RS256,", "RS257", " "])
def test_only_known_signature_algorithms_are_accepted(algorithms: str) -> None:
    with pytest.raises(StartupError):
        load_settings(jwt_algorithms=algorithms)
    assert load_settings(jwt_algorithms="RS256,PS512,EdDSA").auth.jwt_algorithms == "RS256,PS512,EdDSA"


def test_the_schema_is_printed_or_written_to_a_file(tmp_path: Path) -> None:
    expected = build_schema().as_str() + "\n"
    assert CliRunner().invoke(cli.cli, ["export-schema"]).output == expected
    assert CliRunner().invoke(cli.cli, ["export-schema", str(tmp_path / "out")]).output == ""
    assert (tmp_path / "out").read_text(encoding="utf-8") == expected


CLIENT_COMMANDS = ["render", "watch", "download", "list", "cancel", "quota", "compositions"]
COMMANDS = [*CLIENT_COMMANDS, "dev", "serve", "worker", "doctor", "token"]
GROUPS = [["compositions", "list"], ["compositions", "show"], ["compositions", "refresh"], ["webhooks", "list"]]


def test_the_printed_version_is_the_one_of_the_package() -> None:
    shown = CliRunner().invoke(cli.cli, ["--version"])
    command = [sys.executable, "-m", "hatchling", "metadata", "version"]
    built = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True, text=True)
    assert (shown.exit_code, shown.output) == (0, f"rendercast {built.stdout}")


def test_every_command_has_a_help_text() -> None:
    shown = CliRunner().invoke(cli.cli, ["--help"])
    assert shown.exit_code == 0
    for command in [*COMMANDS, "export-schema"]:
        assert command in shown.output
        assert CliRunner().invoke(cli.cli, [command, "--help"]).exit_code == 0


@pytest.mark.parametrize("command", [*([each] for each in CLIENT_COMMANDS), ["doctor"], *GROUPS], ids=" ".join)
def test_help_has_an_example_in_one_line(command: list[str]) -> None:
    shown = CliRunner().invoke(cli.cli, [*command, "--help"], env={"COLUMNS": "80"}).output
    assert re.search(rf"^ +rendercast {command[0]}\b", shown, re.MULTILINE)


def test_help_lists_the_exit_codes() -> None:
    shown = " ".join(CliRunner().invoke(cli.cli, ["render", "--help"]).output.split())
    for code in (
        "0 success",
        "1 the render failed",
        "2 wrong usage",
        "3 the server",
        "4 quota exceeded",
        "130 Ctrl-C",
    ):
        assert code in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = CliRunner().invoke(cli.cli, ["--show-completion", shell], prog_name="rendercast")
    assert (shown.exit_code, "rendercast" in shown.output) == (0, True)
    variables = {
        "COMP_WORDS": "rendercast render --style ",
        "COMP_CWORD": "3",
        "_TYPER_COMPLETE_ARGS": "rendercast render --style ",
    }
    environment = {"_RENDERCAST_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **variables}
    assert "typewriter" in CliRunner().invoke(cli.cli, [], env=environment, prog_name="rendercast").output


def test_the_help_lists_commands_and_options_in_sections() -> None:
    runner = CliRunner(env={"COLUMNS": "200"})
    commands = runner.invoke(cli.cli, ["--help"]).output
    client, server = commands.split("Client commands:\n")[1].split("Server commands:\n")
    assert {"render", "list", "compositions"} <= {line.split()[0] for line in client.splitlines() if line}
    assert "  watch         Show the progress of a render until it ends.\n" in client
    assert {"dev", "worker", "webhooks"} <= {line.split()[0] for line in server.splitlines() if line}
    options = runner.invoke(cli.cli, ["render", "--help"]).output
    assert "Arguments:\n  TEXT  Text to render; `-` reads standard input.\n" in options
    sections = [line for line in options.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert [name.split(" (")[0] for name in sections] == [
        *("Arguments:", "Options:", "Composition:"),
        *("Text", "Output:", "Server:"),
    ]
    assert '    rendercast render "Hello" --json | jq -r .progress\n' in options
