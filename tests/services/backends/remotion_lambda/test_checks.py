"""A worker that can't render reports at its start what to fix."""

import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.backends.remotion_lambda.aws import AwsAccess
from services.backends.remotion_lambda.deployment import read_deployment
from services.backends.remotion_lambda.startup_checks import require_site
from services.errors import StartupError
from services.settings import default_settings, load_settings
from tests.support.lambda_faults import Fault
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import ERROR_RESPONSES, S3Fault
from tests.support.waiting import wait_until

NO_OUTPUTS = default_settings().outputs
SITE = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/sites/x/index.html"
DEPLOYED: dict[str, object] = {"remotion_lambda_function_name": FUNCTION, "remotion_serve_url": SITE}


async def rejected(farm: Farm, **changes: object) -> str:
    with pytest.raises(StartupError) as rejected:
        async with farm.open(**changes):  # type: ignore[arg-type]
            pass
    return str(rejected.value)


async def test_a_deployment_is_checked_once(farm: Farm) -> None:
    async with farm.open():
        pass
    assert dict(farm.function.invocations) == {"info": 1}
    assert farm.storage.count("HEAD") == 1


async def test_a_process_that_starts_no_renders_opens_and_logs_errors(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    farm.function.go_offline()
    farm.storage.fail(S3Fault.ACCESS_DENIED)
    async with farm.open(check=False):
        await wait_until(lambda: "s3:ListBucket" in caplog.text)  # in the background
    assert farm.function.starts == []


async def test_a_throttled_function_does_not_prevent_the_start(farm: Farm) -> None:
    farm.function.fault(Fault.THROTTLED, kind="info")
    async with farm.open():
        pass
    farm.function.fault(Fault.THROTTLED, kind="info")
    assert "can't be reached" in await rejected(farm, function=None, version="")


async def test_missing_resources_are_reported_with_their_setting(farm: Farm) -> None:
    assert "REMOTION_LAMBDA_FUNCTION_NAME" in await rejected(farm, function_name="remotion-render-none")
    assert "REMOTION_BUCKET_NAME" in await rejected(farm, bucket="remotionlambda-useast1-none")
    assert "REMOTION_SERVE_URL returns 404" in await rejected(farm, serve_url=f"{farm.bucket.url}/{BUCKET}/none")
    assert "REMOTION_VERSION" in await rejected(farm, version="4.0.1")


async def test_a_reachable_or_unreachable_site_does_not_prevent_the_start(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    site = web.Application()
    site.router.add_get("/index.html", _page)
    async with TestServer(site) as server, farm.open(serve_url=str(server.make_url("/index.html"))):
        assert "REMOTION_SERVE_URL" not in caplog.text
    async with farm.open(serve_url="http://127.0.0.1:1/"):
        assert "REMOTION_SERVE_URL can't be reached from this machine (ClientConnectorError)" in caplog.text


async def test_a_site_that_does_not_respond_is_logged_with_the_kind_of_error(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.01)) as http:
            await require_site(f"http://127.0.0.1:{silent.getsockname()[1]}/", http)
    assert "REMOTION_SERVE_URL can't be reached from this machine (TimeoutError)" in caplog.text


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<html>")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault.ACCESS_DENIED, "lambda:InvokeFunction"),
        (Fault.EXPIRED_TOKEN, "REMOTION_AWS_ACCESS_KEY_ID"),
        (Fault.SERVICE_ERROR, "can't be reached"),
        (Fault.CRASHED, "does not report its version"),
        (Fault.REJECTED, "does not report its version"),
    ],
)
async def test_a_failed_version_request_is_reported_with_its_reason(farm: Farm, fault: Fault, sentence: str) -> None:
    farm.function.fault(fault, kind="info")
    assert sentence in await rejected(farm)


async def test_a_missing_permission_of_storage_is_reported(farm: Farm) -> None:
    farm.storage.fail(S3Fault.ACCESS_DENIED)
    assert "s3:ListBucket" in await rejected(farm)


async def test_a_bucket_that_rejects_the_acl_of_videos_is_reported_with_its_setting(farm: Farm) -> None:
    farm.disable_acls()
    assert "set REMOTION_PRIVACY=no-acl" in await rejected(farm)
    async with farm.open(privacy="no-acl"):
        pass


async def test_a_missing_permission_to_set_acls_does_not_prevent_the_start(farm: Farm) -> None:
    farm.storage.acl_error = ERROR_RESPONSES[S3Fault.ACCESS_DENIED]
    async with farm.open():
        pass


async def test_a_missing_permission_to_store_posters_is_logged(farm: Farm, caplog: pytest.LogCaptureFixture) -> None:
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="PUT")
    async with farm.open():
        assert "grant s3:PutObject on rendercast/*" in caplog.text


@pytest.mark.parametrize("deletable", [True, False])
async def test_the_test_object_of_a_start_is_deleted_or_replaced_by_the_next(
    farm: Farm,
    deletable: bool,  # noqa: FBT001
) -> None:
    if not deletable:
        farm.storage.fail(S3Fault.ACCESS_DENIED, method="POST", containing="delete")
    before = set(farm.bucket.keys(BUCKET))
    for _ in range(2):
        async with farm.open():
            pass
    left = set(farm.bucket.keys(BUCKET)) - before
    assert left == (set() if deletable else {"rendercast/rendercast-doctor-start"})
    farm.bucket.delete(BUCKET, "rendercast/rendercast-doctor-start")


async def test_a_rejection_without_a_reason_is_reported_with_all_possible_causes(farm: Farm) -> None:
    """A response to HEAD has no body."""
    farm.storage.fail(S3Fault.EXPIRED_TOKEN, method="HEAD")
    sentence = await rejected(farm)
    assert "REMOTION_AWS_ACCESS_KEY_ID" in sentence
    assert "REMOTION_AWS_REGION" in sentence


async def test_a_region_that_does_not_exist_is_reported_with_its_setting(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://lambda.mars-1.invalid")
    assert "REMOTION_AWS_REGION" in await rejected(farm)


async def test_an_unreachable_function_is_reported_with_its_host(farm: Farm) -> None:
    farm.function.go_offline()
    assert farm.function.url in await rejected(farm)


async def test_missing_credentials_are_reported_with_their_setting(
    farm: Farm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "REMOTION_AWS_ACCESS_KEY_ID" in await rejected(farm, access=AwsAccess(region="us-east-1"))


@pytest.mark.parametrize(
    "url",
    [
        SITE,
        f"https://s3.us-east-1.amazonaws.com/{BUCKET}/sites/x/index.html",
        f"https://{BUCKET}.s3.amazonaws.com/sites/x",
    ],
)
def test_the_bucket_is_the_one_of_the_site(url: str) -> None:
    settings = load_settings(**{**DEPLOYED, "remotion_serve_url": url})
    deployment = read_deployment(settings.remotion, NO_OUTPUTS)
    assert (deployment.bucket, deployment.version) == (BUCKET, "4.0.527")
    assert deployment.function is not None
    assert deployment.function.memory_mb == 2048


def test_the_bucket_may_be_another() -> None:
    settings = load_settings(
        **{**DEPLOYED, "remotion_serve_url": "https://site.example/"}, remotion_bucket_name="videos-of-mine"
    )
    assert read_deployment(settings.remotion, NO_OUTPUTS).bucket == "videos-of-mine"


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({}, "REMOTION_LAMBDA_FUNCTION_NAME"),
        ({"remotion_lambda_function_name": FUNCTION}, "REMOTION_SERVE_URL"),
        ({**DEPLOYED, "remotion_serve_url": "https://site.example/"}, "REMOTION_BUCKET_NAME"),
    ],
)
def test_a_missing_setting_is_named(settings: dict[str, object], variable: str) -> None:
    with pytest.raises(StartupError, match=f"{variable} is not set"):
        read_deployment(load_settings(**settings).remotion, NO_OUTPUTS)


@pytest.mark.parametrize("name", ["remotion_aws_access_key_id", "remotion_aws_secret_access_key"])
def test_half_a_key_is_rejected(name: str) -> None:
    with pytest.raises(StartupError, match="belong together"):
        read_deployment(load_settings(**DEPLOYED, **{name: "half"}).remotion, NO_OUTPUTS)


def test_a_line_break_after_a_key_is_removed() -> None:
    keys = {"remotion_aws_access_key_id": "AKIA\n", "remotion_aws_secret_access_key": "secret\r\n"}
    access = read_deployment(load_settings(**DEPLOYED, **keys).remotion, NO_OUTPUTS).access
    assert (access.access_key_id, access.secret_access_key) == ("AKIA", "secret")


def test_a_function_may_be_named_with_its_latest_version() -> None:
    latest = {**DEPLOYED, "remotion_lambda_function_name": f"{FUNCTION}:$LATEST"}
    assert read_deployment(load_settings(**latest).remotion, NO_OUTPUTS).version == "4.0.527"


def test_a_function_of_another_name_is_described_by_settings() -> None:
    named = {**DEPLOYED, "remotion_lambda_function_name": "my-function"}
    assert read_deployment(load_settings(**named).remotion, NO_OUTPUTS).function is None
    described = load_settings(**named, remotion_version="4.0.530", remotion_memory_mb=3008, remotion_timeout_s=240)
    deployment = read_deployment(described.remotion, NO_OUTPUTS)
    assert deployment.function is not None
    assert (deployment.version, deployment.function.memory_mb) == ("4.0.530", 3008)
