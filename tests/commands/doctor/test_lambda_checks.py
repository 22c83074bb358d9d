"""`rendercast doctor` on a function and a bucket, with and without errors."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from commands.doctor.checks import diagnose
from commands.doctor.lambda_checks import DEPENDENT_CHECKS
from commands.doctor.role import Role
from services.backends.remotion_lambda.checks import unsupported
from tests.commands.doctor.conftest import found
from tests.support.lambda_compositions import SITE_WITHOUT_HELPER
from tests.support.lambda_faults import Fault
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import ERROR_RESPONSES, S3Fault

pytestmark = pytest.mark.slow

NO_QUEUE = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 120}
OPEN_TO_ALL = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    ],
}


@pytest.fixture(autouse=True)
def lambda_settings(nothing_set: None, farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure an existing function, bucket and site."""
    del nothing_set
    farm.bucket.put(BUCKET, "sites/x/index.html", b"<html>")
    farm.function.event_invoke_config = NO_QUEUE
    monkeypatch.setenv("RENDERCAST_RENDERER", "lambda")
    monkeypatch.setenv("REMOTION_LAMBDA_FUNCTION_NAME", FUNCTION)
    monkeypatch.setenv("REMOTION_BUCKET_NAME", BUCKET)
    monkeypatch.setenv("REMOTION_AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("REMOTION_AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture(autouse=True)
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


def configure(farm: Farm, setting: str, body: str) -> None:
    """Set a setting of the bucket, or delete it if there is no body."""
    farm.bucket._request("PUT" if body else "DELETE", f"/{BUCKET}?{setting}", body.encode())


async def test_a_working_deployment_is_ok_and_nothing_is_left_in_the_bucket(farm: Farm) -> None:
    before = farm.bucket.keys(BUCKET)
    results = await found()
    assert {name: results[name] for name in ["AWS access", *DEPENDENT_CHECKS]} == dict.fromkeys(
        ["AWS access", *DEPENDENT_CHECKS], "OK"
    )
    assert farm.bucket.keys(BUCKET) == before


async def test_nothing_is_left_in_the_bucket_after_errors(farm: Farm) -> None:
    before = farm.bucket.keys(BUCKET)
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="HEAD")
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="GET", containing="/renders/")
    await diagnose(Role.WORKER)
    assert farm.bucket.keys(BUCKET) == before


async def test_the_minimum_permissions_of_the_api_suffice_for_the_api(farm: Farm) -> None:
    farm.function.fault(Fault.ACCESS_DENIED, kind="info", times=9)
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="PUT")
    results = await found(Role.SERVE)
    assert [name for name in DEPENDENT_CHECKS if results[name].startswith("WRONG")] == []
    everything = await found()
    assert "lambda:InvokeFunction" in everything["Lambda function"]
    assert "s3:PutObject" in everything["S3 writing"]
    assert everything["S3 bucket"] == everything["S3 reading"] == everything["Remotion site"] == "OK"


async def test_a_worker_that_may_not_store_videos_or_delete_test_objects_is_reported(farm: Farm) -> None:
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="PUT", containing="/rendercast/")
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="POST", containing="delete")
    results = await found(Role.WORKER)
    assert "grant s3:PutObject" in results["S3 videos"]
    assert "rendercast/*" in results["S3 videos"]
    assert results["S3 ACL"] == "SKIPPED"
    assert results["S3 deleting"] == "WARNING"
    assert "s3:DeleteObject" in (await found())["S3 deleting"]


async def test_each_error_is_reported_separately(
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


async def test_a_bucket_without_acls_is_reported_with_its_setting(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    farm.disable_acls()
    assert "set REMOTION_PRIVACY=no-acl" in (await found())["S3 ACL"]
    monkeypatch.setenv("REMOTION_PRIVACY", "no-acl")
    assert (await found())["S3 ACL"] == "OK"


async def test_a_missing_permission_to_set_an_acl_skips_only_that_check(farm: Farm) -> None:
    farm.storage.acl_error = ERROR_RESPONSES[S3Fault.ACCESS_DENIED]
    results = await found()
    assert results["S3 ACL"] == "SKIPPED"
    assert results["S3 videos"] == results["S3 privacy"] == "OK"


async def test_a_storage_that_ignores_ranges_is_reported(farm: Farm) -> None:
    farm.storage.ignored_headers.add("range")
    assert "206" in (await found())["S3 reading"]


async def test_a_storage_that_ignores_conditions_is_reported(farm: Farm) -> None:
    farm.storage.ignored_headers.add("if-none-match")
    assert "If-None-Match" in (await found())["S3 videos"]


async def test_a_public_bucket_is_reported(farm: Farm) -> None:
    configure(farm, "policy", json.dumps(OPEN_TO_ALL))
    try:
        assert "replace the bucket's policy" in (await found())["S3 privacy"]
    finally:
        configure(farm, "policy", "")
    assert (await found())["S3 privacy"] == "OK"


async def test_launches_that_lambda_may_run_hours_later_are_a_warning(farm: Farm) -> None:
    farm.function.event_invoke_config = None
    assert (await found(Role.WORKER))["Lambda queue"] == "WARNING"


async def test_hints_that_may_not_be_read_are_skipped_with_the_permission(farm: Farm) -> None:
    farm.function.fault(Fault.ACCESS_DENIED, kind="event-invoke-config")
    for setting in ("versioning", "encryption"):
        farm.storage.fail(S3Fault.ACCESS_DENIED, method="GET", containing=f"?{setting}")
    sentences = {each.check: f"{each.result} {each.sentence}" for each in await diagnose(None)}
    assert "SKIPPED" in sentences["Lambda queue"]
    assert "lambda:GetFunctionEventInvokeConfig" in sentences["Lambda queue"]
    assert "s3:GetBucketVersioning" in sentences["S3 versions"]
    assert "s3:GetEncryptionConfiguration" in sentences["S3 encryption"]


@pytest.mark.parametrize("version", ["4.0.515", "4.0.527", "4.0.600", "4.0.528-alpha1"])
def test_versions_that_can_cancel_are_supported(version: str) -> None:
    assert unsupported(version) is None


@pytest.mark.parametrize(("version", "words"), [("4.0.514", "cancelled"), ("3.3.101", "cancelled"), ("4.1.0", "built")])
def test_unsupported_versions_are_reported(version: str, words: str) -> None:
    assert words in (unsupported(version) or "")


async def test_compositions_are_counted(farm: Farm) -> None:
    assert "5 compositions can be rendered, 2 with a schema of their props." in await sentence("Remotion compositions")
    farm.function.site = SITE_WITHOUT_HELPER
    assert (await found())["Remotion compositions"] == "WARNING"
    assert "the helper `withRendercast`" in await sentence("Remotion compositions")


async def sentence(check: str) -> str:
    return next(finding.sentence for finding in await diagnose(None) if finding.check == check)


async def test_compositions_that_can_not_be_read_are_reported(farm: Farm) -> None:
    farm.function.fault(Fault.REJECTED, kind="compositions", message="net::ERR_NAME_NOT_RESOLVED at http://x/sites/x/")
    assert "SITE_UNREACHABLE" in (await found())["Remotion compositions"]


async def test_outputs_in_another_storage_are_checked(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    farm.bucket.make_bucket("doctor-outputs")
    monkeypatch.setenv("RENDERCAST_OUTPUT_ENDPOINT", farm.bucket.url)
    monkeypatch.setenv("RENDERCAST_OUTPUT_BUCKET", "doctor-outputs")
    monkeypatch.setenv("RENDERCAST_OUTPUT_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("RENDERCAST_OUTPUT_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("RENDERCAST_OUTPUT_PATH_STYLE", "true")
    results = await found()
    skipped = {name for name in DEPENDENT_CHECKS if results[name] != "OK"}
    assert (skipped, results["S3 versions"]) == ({"S3 versions"}, "SKIPPED")
    assert f"Outputs are stored in doctor-outputs at {farm.bucket.url}." in await sentence("S3 videos")
    assert farm.bucket.keys("doctor-outputs") == []
    monkeypatch.setenv("RENDERCAST_OUTPUT_BUCKET", "nothing-here")
    assert "RENDERCAST_OUTPUT_BUCKET" in (await found())["S3 bucket"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RENDERCAST_OUTPUT_BUCKET": "outputs"}, "RENDERCAST_OUTPUT_ENDPOINT is not set"),
        ({"REMOTION_FRAMES_PER_LAMBDA": "20", "REMOTION_CONCURRENCY": "2"}, "exclude each other"),
    ],
)
async def test_settings_that_contradict_each_other_are_reported(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert words in (await found())["AWS access"]


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("REMOTION_FRAMES_PER_LAMBDA", "4", "must be a whole number from 5 to 100000"),
        ("REMOTION_CONCURRENCY", "201", "must be a whole number from 1 to 200"),
        ("REMOTION_DELETE_AFTER", "2-days", "must be 1-day, 3-days, 7-days or 30-days"),
        ("RENDERCAST_OUTPUT_ENDPOINT", "r2.example", "must start with http:// or https://"),
    ],
)
async def test_values_out_of_range_are_reported(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert f"{variable} {words}" in await sentence("settings")
