"""`rendercast doctor` on real servers, with and without errors."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from commands.doctor.checks import check_settings
from commands.doctor.mongo_checks import compare_clocks
from commands.doctor.report import Result
from commands.doctor.role import Role
from services.errors import StartupError
from tests.commands.conftest import Run
from tests.commands.doctor.conftest import found
from tests.security.issuer import open_issuer
from tests.support import tokens
from tests.support.fake_clock import START_OF_TIME
from tests.support.redis_server import RedisServer
from tests.support.server_process import free_port
from tests.support.webhook_receiver import SECRET


@pytest.mark.slow
def test_a_new_folder_is_ok_and_unneeded_checks_are_skipped(run: Run) -> None:
    ended = run("doctor", "--json")
    results = {each["check"]: each["result"] for each in map(json.loads, ended.stdout.splitlines())}
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (results["settings"], results["data folder"], results["MongoDB"]) == ("OK", "OK", "SKIPPED")
    assert "WRONG" not in results.values()


@pytest.mark.slow
def test_wrong_settings_are_reported_with_a_fix(run: Run) -> None:
    ended = run("doctor", RENDERCAST_QUOTA_LIMT="9", REMOTION_TIMEOUT_S="5", RENDERCAST_PORT="http")
    lines = [line.split(maxsplit=2) for line in ended.stdout.decode().splitlines()]
    wrong = [words for result, check, words in lines if (result, check) == ("WRONG", "settings")]
    assert ended.returncode == 1
    assert {words.split()[0] for words in wrong[:2]} == {"RENDERCAST_PORT", "REMOTION_TIMEOUT_S"}
    assert wrong[2] == "RENDERCAST_QUOTA_LIMT is not a setting; did you mean RENDERCAST_QUOTA_LIMIT?"
    assert ended.stdout.decode().splitlines()[3].split()[:3] == ["OK", "data", "folder"]
    assert "SKIPPED" not in {result for result, *_ in lines}
    assert re.fullmatch(
        r"rendercast \d.+, Python 3\.\d+\.\w+: \d OK, 3 WRONG, \d+ SKIPPED \(--all lists them\)",
        ended.stdout.decode().splitlines()[-1],
    )
    listed = run("doctor", "--all").stdout.decode()
    assert "\nSKIPPED  MongoDB " in listed
    assert "\x1b" not in listed
    assert run("doctor", "--role", "cook").returncode == 2


def test_a_misspelt_setting_in_the_file_is_found(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RENDERCAST_PROT=1\nRENDERCAST_TOKEN=x\nRENDERCAST_PORT=9\n")
    settings, (finding,) = check_settings(None)
    assert (settings.server.port, finding.sentence) == (
        9,
        "RENDERCAST_PROT is not a setting; did you mean RENDERCAST_PORT?",
    )


async def test_settings_that_a_command_needs_are_required() -> None:
    worker, serve = await found(Role.WORKER), await found(Role.SERVE)
    for name in ("MongoDB", "Redis", "AWS access"):
        assert worker[name].startswith("WRONG"), name
        assert serve[name].startswith("WRONG"), name
    assert worker["users' tokens"] == "SKIPPED"
    assert "RENDERCAST_JWT_ISSUER" in serve["users' tokens"]
    dev = await found(Role.DEV)
    assert {name: words for name, words in dev.items() if words.startswith("WRONG")} == {}


async def test_an_unusable_data_folder_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_DATA_DIR", "/proc/nowhere")
    assert "RENDERCAST_DATA_DIR" in (await found())["data folder"]


@pytest.mark.slow
async def test_a_working_mongodb_and_redis_are_ok(
    mongo_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = RedisServer(tmp_path)
    redis.start()
    try:
        monkeypatch.setenv("MONGODB_URL", mongo_url)
        monkeypatch.setenv("REDIS_URL", redis.url)
        monkeypatch.setenv("RENDERCAST_RENDERER", "text")
        monkeypatch.setenv("RENDERCAST_JWT_SECRET", tokens.SECRET)
        results = await found(Role.SERVE)
        for name in ("MongoDB", "MongoDB indexes", "MongoDB clock", "Redis", "users' tokens", "data folder"):
            assert results[name] == "OK", name
        redis.command("ACL", "SETUSER", "default", "-publish")
        assert "doesn't permit" in (await found())["Redis"]
        redis.command("ACL", "SETUSER", "default", "+publish", "-subscribe")
        assert "rendercast:*" in (await found())["Redis"]
    finally:
        redis.stop()


async def test_an_unavailable_mongodb_and_redis_affect_no_other_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URL", f"mongodb://me:secret@127.0.0.1:{free_port()}/?timeoutMS=500")
    monkeypatch.setenv("REDIS_URL", f"redis://:secret@127.0.0.1:{free_port()}")
    monkeypatch.setenv("RENDERCAST_JWT_SECRET", tokens.SECRET)
    monkeypatch.setenv("RENDERCAST_RENDERER", "text")
    results = await found()
    assert "correct MONGODB_URL" in results["MongoDB"]
    assert results["MongoDB clock"] == "SKIPPED"
    assert "can't be reached" in results["Redis"]
    assert "secret" not in results["MongoDB"] + results["Redis"]
    assert (results["data folder"], results["users' tokens"]) == ("OK", "OK")


@pytest.mark.parametrize("seconds", [-3600, -11, 11, 3600])
def test_a_wrong_clock_of_mongodb_is_reported(seconds: int) -> None:
    assert compare_clocks(START_OF_TIME, START_OF_TIME + timedelta(seconds=9)).endswith("differ by 9.0 s.")
    with pytest.raises(StartupError, match="NTP"):
        compare_clocks(START_OF_TIME, START_OF_TIME + timedelta(seconds=seconds))


async def test_an_issuers_keys_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_issuer() as issuer:
        monkeypatch.setenv("RENDERCAST_JWT_ISSUER", issuer.url)
        assert (await found(Role.SERVE))["users' tokens"] == "OK"
        monkeypatch.setenv("RENDERCAST_JWT_ALGORITHMS", "PS512")
        issuer.keys = []
        assert "RENDERCAST_JWT_ALGORITHMS" in (await found(Role.SERVE))["users' tokens"]
    assert "RENDERCAST_JWT_ISSUER" in (await found(Role.SERVE))["users' tokens"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "SKIPPED"),
        ({"URL": "https://127.0.0.1/x"}, "WRONG RENDERCAST_WEBHOOK_URL is set, but RENDERCAST_WEBHOOK_SECRET is not"),
        (
            {"URL": "https://127.0.0.1/hunter2", "SECRET": SECRET},
            "WRONG RENDERCAST_WEBHOOK_URL can't be used: 127.0.0.1",
        ),
        ({"URL": "https://localhost/", "SECRET": SECRET, "NETWORKS": "10.0.0.0/8"}, "is not allowed"),
        ({"URL": "https://hooks.invalid/", "SECRET": SECRET}, "the host name can't be resolved"),
        ({"URL": "http://localhost/", "SECRET": SECRET, "NETWORKS": "127.0.0.0/8,::1"}, "OK"),
    ],
)
async def test_webhooks_that_can_not_be_sent_are_reported(
    settings: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"RENDERCAST_WEBHOOK_{name}", value)
    result = (await found())["webhooks"]
    assert words in result
    assert "hunter2" not in result


def test_an_ignored_variable_and_an_unknown_address_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_HOST", "::")
    monkeypatch.setenv("RENDERCAST_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("PORT", "9000")
    settings, findings = check_settings(Role.SERVE)
    assert settings.server.port == 9000
    assert [finding.result for finding in findings] == [Result.WARNING, Result.WARNING]
    assert [finding.result for finding in check_settings(Role.WORKER)[1]] == [Result.WARNING]
