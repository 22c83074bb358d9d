"""`rendercast doctor` on real servers, with and without errors."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from commands.doctor.checks import check_settings, diagnose
from commands.doctor.mongo_checks import compare_clocks
from commands.doctor.report import Result
from commands.doctor.role import Role
from services.backends.remotion_lambda.checks import unsupported
from services.errors import StartupError
from tests.commands.conftest import Run
from tests.security.issuer import open_issuer
from tests.support import tokens
from tests.support.fake_clock import START_OF_TIME
from tests.support.lambda_faults import Fault
from tests.support.lambda_server import FUNCTION
from tests.support.redis_server import RedisServer
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault
from tests.support.server_process import free_port
from tests.support.webhook_receiver import SECRET

ON_LAMBDA = ["Lambda function", "S3 bucket", "S3 writing", "S3 reading", "S3 privacy", "S3 deleting", "Remotion site"]
OPEN_TO_ALL = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    ],
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty folder, without settings."""
    for name in os.environ:
        if name.startswith(("RENDERCAST_", "MONGODB_", "REDIS_", "REMOTION_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lambda_settings(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure an existing function, bucket and site."""
    farm.bucket.put(BUCKET, "sites/x/index.html", b"<html>")
    monkeypatch.setenv("RENDERCAST_RENDERER", "lambda")
    monkeypatch.setenv("REMOTION_LAMBDA_FUNCTION_NAME", FUNCTION)
    monkeypatch.setenv("REMOTION_BUCKET_NAME", BUCKET)
    monkeypatch.setenv("REMOTION_AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("REMOTION_AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
async def site(lambda_settings: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BaseTestServer]:
    """Serve the site."""
    del lambda_settings

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>")

    app = web.Application()
    app.router.add_get("/index.html", page)
    async with TestServer(app) as server:
        monkeypatch.setenv("REMOTION_SERVE_URL", str(server.make_url("/index.html")))
        yield server


async def found(role: Role | None = None) -> Mapping[str, str]:
    """Return the results by check, with the sentence if it is WRONG."""
    findings = await diagnose(role)
    results: dict[str, str] = {}
    for finding in findings:
        words = f"{finding.result} {finding.sentence}" if finding.result == "WRONG" else str(finding.result)
        results[finding.check] = f"{results[finding.check]}\n{words}" if finding.check in results else words
    return results


@pytest.mark.slow
def test_a_new_folder_is_ok_and_unneeded_checks_are_skipped(run: Run) -> None:
    ended = run("doctor", "--json")
    results = {each["check"]: each["result"] for each in map(json.loads, ended.stdout.splitlines())}
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (results["settings"], results["data folder"], results["MongoDB"]) == ("OK", "OK", "SKIPPED")
    assert len(results) == 7 + 8 + 2


@pytest.mark.slow
def test_wrong_settings_are_reported_with_a_fix(run: Run) -> None:
    ended = run("doctor", RENDERCAST_QUOTA_LIMT="9", REMOTION_TIMEOUT_S="5", RENDERCAST_PORT="http")
    lines = [line.split(maxsplit=2) for line in ended.stdout.decode().splitlines()]
    wrong = [words for result, check, words in lines if (result, check) == ("WRONG", "settings")]
    assert ended.returncode == 1
    assert {words.split()[0] for words in wrong[:2]} == {"RENDERCAST_PORT", "REMOTION_TIMEOUT_S"}
    assert wrong[2] == "RENDERCAST_QUOTA_LIMT is not a setting; did you mean RENDERCAST_QUOTA_LIMIT?"
    assert ended.stdout.decode().splitlines()[3].split()[:3] == ["OK", "data", "folder"]
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


async def test_a_working_deployment_on_lambda_is_ok(site: BaseTestServer, farm: Farm) -> None:
    del site
    results = await found()
    assert {name: results[name] for name in ["AWS access", *ON_LAMBDA]} == dict.fromkeys(
        ["AWS access", *ON_LAMBDA], "OK"
    )
    assert farm.bucket.keys(BUCKET, "renders/rendercast-doctor") == []
    assert farm.bucket.keys(BUCKET, "rendercast/rendercast-doctor") == []


async def test_the_minimum_permissions_of_a_worker_suffice_for_a_worker(site: BaseTestServer, farm: Farm) -> None:
    del site
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="PUT", containing="/rendercast/")
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="POST", containing="delete")
    results = await found(Role.WORKER)
    assert {name: results[name] for name in ON_LAMBDA} == {**dict.fromkeys(ON_LAMBDA, "OK"), "S3 deleting": "SKIPPED"}
    assert "s3:DeleteObject" in (await found())["S3 deleting"]


async def test_the_minimum_permissions_of_the_api_suffice_for_the_api(site: BaseTestServer, farm: Farm) -> None:
    del site
    farm.function.fault(Fault.ACCESS_DENIED, kind="info", times=9)
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="PUT")
    results = await found(Role.SERVE)
    assert [name for name in ON_LAMBDA if results[name].startswith("WRONG")] == []
    everything = await found()
    assert "lambda:InvokeFunction" in everything["Lambda function"]
    assert "s3:PutObject" in everything["S3 writing"]
    assert everything["S3 bucket"] == everything["S3 reading"] == everything["Remotion site"] == "OK"


async def test_each_error_on_lambda_is_reported_separately(
    site: BaseTestServer, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.close()
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="HEAD")
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="GET")
    monkeypatch.setenv("REMOTION_LAMBDA_FUNCTION_NAME", FUNCTION.replace("527", "526"))
    results = await found()
    assert "REMOTION_LAMBDA_FUNCTION_NAME" in results["Lambda function"]
    assert "s3:ListBucket" in results["S3 bucket"]
    assert results["S3 writing"] == "OK"
    assert "s3:GetObject" in results["S3 reading"]
    assert "REMOTION_SERVE_URL can't be reached" in results["Remotion site"]


async def test_a_public_bucket_is_reported(site: BaseTestServer, farm: Farm) -> None:
    del site
    farm.bucket._request("PUT", f"/{BUCKET}?policy", json.dumps(OPEN_TO_ALL).encode())
    try:
        assert "replace the bucket's policy" in (await found())["S3 privacy"]
    finally:
        farm.bucket._request("DELETE", f"/{BUCKET}?policy")
    assert (await found())["S3 privacy"] == "OK"


@pytest.mark.parametrize("version", ["4.0.515", "4.0.527", "4.0.600", "4.0.528-alpha1"])
def test_versions_that_can_cancel_are_supported(version: str) -> None:
    assert unsupported(version) is None


@pytest.mark.parametrize(("version", "words"), [("4.0.514", "cancelled"), ("3.3.101", "cancelled"), ("4.1.0", "built")])
def test_unsupported_versions_are_reported(version: str, words: str) -> None:
    assert words in (unsupported(version) or "")


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
