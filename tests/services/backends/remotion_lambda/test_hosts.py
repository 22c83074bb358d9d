"""The hosts of S3 that URLs are signed for, that progress is read from, and that boto3 uses."""

from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import boto3
import botocore.session
import pytest
from botocore.loaders import Loader, create_loader

from services.backends.remotion_lambda.aws import Aws, AwsAccess, new_lambda_client, open_aws
from services.backends.remotion_lambda.polling import ProgressReader
from services.backends.remotion_lambda.regions import known_regions
from services.clock import SystemClock
from services.errors import StartupError
from services.storage.aws_errors import AwsError
from services.storage.s3_clients import new_s3_clients
from tests.support.remotion_farm import BUCKET

pytestmark = pytest.mark.slow  # clients of boto3 for each region: 5 s of CPU time

NOW = datetime(2026, 11, 28, tzinfo=UTC)
HOUR = timedelta(hours=1)
DOTTED = "remotionlambda.videos.example"
SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-eusc": "amazonaws.eu",
}


@pytest.fixture(autouse=True)
def _no_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


class RecordingHttp:
    """An HTTP session that records URLs and sends nothing."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def get(self, url: object, **_: object) -> None:
        self.urls.append(str(url))
        raise aiohttp.ClientConnectionError


def new_aws(region: str) -> Aws:
    return Aws(AwsAccess(region=region, access_key_id="key", secret_access_key="secret"))  # noqa: S106


def aws_partition(region: str) -> str:
    return {"cn": "aws-cn", "eusc": "aws-eusc"}.get(region.partition("-")[0], "aws")


async def polled_url(aws: Aws) -> str:
    http = RecordingHttp()
    reader = ProgressReader(cast("aiohttp.ClientSession", http), aws, bucket=BUCKET, clock=SystemClock())
    with pytest.raises(AwsError):
        await reader.read("abcdefghij")
    return http.urls[0]


@pytest.fixture(scope="module")
def loader() -> Loader:
    """The loader of botocore's data, which it reads once for all regions."""
    return create_loader()


def new_session(region: str, loader: Loader) -> boto3.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", loader)
    return boto3.Session("key", "secret", region_name=region, botocore_session=core)


def addresses(region: str, loader: Loader, bucket: str = BUCKET) -> set[str]:
    """Return the base URLs of the bucket that the two clients of S3 use."""
    key = {"Bucket": bucket, "Key": "key"}
    clients = new_s3_clients(new_session(region, loader))
    return {client.generate_presigned_url("get_object", Params=key).partition("?")[0][:-3] for client in clients}


@pytest.mark.parametrize("partition", SUFFIXES)
def test_in_every_region_a_bucket_has_the_host_of_the_region(partition: str, loader: Loader) -> None:
    session = new_session("us-east-1", loader)
    assert set(session.get_available_partitions()) == set(SUFFIXES)
    for region in session.get_available_regions("s3", partition):
        assert addresses(region, loader) == {f"https://{BUCKET}.s3.{region}.{SUFFIXES[partition]}/"}


@pytest.mark.parametrize(
    "region", ["us-east-1", "eu-central-1", "ap-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"]
)
async def test_signed_urls_and_polls_use_that_host(region: str) -> None:
    aws = new_aws(region)
    host = f"{BUCKET}.s3.{region}.{SUFFIXES[aws_partition(region)]}"
    signed = aws.presign_url(BUCKET, "rendercast/a.mp4", now=NOW, expires_in=HOUR).url
    assert signed.startswith(f"https://{host}/rendercast/a.mp4?")
    assert f"%2F{region}%2Fs3%2Faws4_request" in signed
    assert urlsplit(await polled_url(aws)).hostname == host
    aws.close()


def sent_urls(region: str) -> tuple[str, str]:
    """Return the URLs to which boto3 sends requests for an object, to S3 and to Lambda."""
    session = boto3.Session("key", "secret", region_name=region)
    clients = new_s3_clients(session)[0], new_lambda_client(session, timeout_s=1)
    urls: list[str] = []

    def record(request: object, **_: object) -> None:
        urls.append(getattr(request, "url"))  # noqa: B009  # botocore has no types
        raise InterruptedError

    for client in clients:
        client.meta.events.register("before-send", record)
    with pytest.raises(InterruptedError):
        clients[0].head_object(Bucket=BUCKET, Key="rendercast/a.mp4")
    with pytest.raises(InterruptedError):
        clients[1].invoke(FunctionName="f")
    return urls[0], urls[1]


@pytest.mark.parametrize(
    ("region", "suffix"),
    [("eu-central-1", "amazonaws.com"), ("us-gov-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")],
)
def test_requests_of_boto3_use_the_same_hosts(region: str, suffix: str) -> None:
    storage, function = sent_urls(region)
    assert storage == f"https://{BUCKET}.s3.{region}.{suffix}/rendercast/a.mp4"
    assert function.startswith(f"https://lambda.{region}.{suffix}/")


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1"])
def test_a_bucket_name_with_dots_stays_in_the_path(region: str, loader: Loader) -> None:
    """The certificate of S3 is not valid for more labels in the host name."""
    suffix = "amazonaws.com.cn" if region == "cn-north-1" else "amazonaws.com"
    assert addresses(region, loader, DOTTED) == {f"https://s3.{region}.{suffix}/{DOTTED}/"}


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        (["AWS_USE_DUALSTACK_ENDPOINT"], f"https://{BUCKET}.s3.dualstack.us-gov-west-1.amazonaws.com/"),
        (["AWS_USE_FIPS_ENDPOINT"], f"https://{BUCKET}.s3-fips.us-gov-west-1.amazonaws.com/"),
        (
            ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"],
            f"https://{BUCKET}.s3-fips.dualstack.us-gov-west-1.amazonaws.com/",
        ),
    ],
)
def test_the_endpoint_variants_of_the_environment_are_used(
    monkeypatch: pytest.MonkeyPatch, loader: Loader, variables: list[str], address: str
) -> None:
    for name in variables:
        monkeypatch.setenv(name, "true")
    assert addresses("us-gov-west-1", loader) == {address}


async def test_a_variant_that_the_partition_lacks_prevents_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    with pytest.raises(StartupError, match="FIPS"):
        async with open_aws(AwsAccess(region="cn-north-1", access_key_id="key", secret_access_key="s")):  # noqa: S106
            pass


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
@pytest.mark.parametrize("url", ["http://minio:9000", "https://s3.example.com", "http://127.0.0.1:9000"])
def test_on_another_endpoint_the_bucket_is_in_the_path(
    monkeypatch: pytest.MonkeyPatch, loader: Loader, variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, url)
    assert addresses("eu-central-1", loader) == {f"{url}/{BUCKET}/"}


def test_urls_are_signed_for_another_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://minio:9000")
    aws = new_aws("eu-central-1")
    signed = aws.presign_url(BUCKET, "key", now=NOW, expires_in=HOUR).url
    assert signed.startswith(f"http://minio:9000/{BUCKET}/key?")
    aws.close()


def test_connections_are_kept_alive_by_tcp() -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    for client in (*new_s3_clients(session), new_lambda_client(session, timeout_s=30)):
        assert getattr(client.meta.config, "tcp_keepalive")  # noqa: B009  # the stubs lack it


def test_all_regions_are_known() -> None:
    assert {"us-east-1", "ap-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"} <= known_regions()
