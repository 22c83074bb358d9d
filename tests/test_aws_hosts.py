"""The local AWS host names answer as the regions of S3 do."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ProxyConnectionError
from mypy_boto3_s3 import S3Client

from tests.support.aws_hosts import AwsHosts, running_aws_hosts
from tests.support.s3_regions import RegionalS3

FRANKFURT, HONG_KONG, BEIJING, VIRGINIA = "eu-central-1", "ap-east-1", "cn-north-1", "us-east-1"
BUCKETS = {"frankfurt": FRANKFURT, "hong-kong": HONG_KONG, "beijing": BEIJING, "virginia": VIRGINIA}
ONCE = Config(
    retries={"total_max_attempts": 1}, s3={"addressing_style": "virtual"}, signature_version="s3v4", read_timeout=30
)


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsHosts]:
    with running_aws_hosts(tmp_path, monkeypatch, s3=RegionalS3(BUCKETS), functions={}) as running:
        yield running


@pytest.fixture
def client(hosts: AwsHosts) -> Iterator[S3Client]:
    hosts.s3.put("frankfurt", "a", b"A")
    session = boto3.Session("key", "secret", region_name=FRANKFURT)
    with closing(session.client("s3", config=ONCE)) as opened:
        yield opened


def scope(region: str) -> str:
    return f"X-Amz-Credential=key/20260101/{region}/s3/aws4_request"


def test_a_bucket_is_served_on_the_host_names_of_its_region(hosts: AwsHosts, client: S3Client) -> None:
    assert client.get_object(Bucket="frankfurt", Key="a")["Body"].read() == b"A"
    assert client.head_bucket(Bucket="frankfurt")["BucketRegion"] == FRANKFURT
    url = client.generate_presigned_url("get_object", Params={"Bucket": "frankfurt", "Key": "a"})
    assert url.startswith("https://frankfurt.s3.eu-central-1.amazonaws.com/a?")
    assert hosts.get(url).content == b"A"
    path_style = f"https://s3.eu-central-1.amazonaws.com/frankfurt/a?{scope(FRANKFURT)}"
    assert hosts.get(path_style).content == b"A"
    assert hosts.get(f"https://virginia.s3.amazonaws.com/a?{scope(VIRGINIA)}").status_code == 404


@pytest.mark.parametrize(
    ("host", "region", "status", "code"),
    [
        ("frankfurt.s3.amazonaws.com", FRANKFURT, 307, "TemporaryRedirect"),
        ("frankfurt.s3.us-west-2.amazonaws.com", FRANKFURT, 301, "PermanentRedirect"),
        ("hong-kong.s3.amazonaws.com", HONG_KONG, 400, "IllegalLocationConstraintException"),
        ("hong-kong.s3.eu-central-1.amazonaws.com", HONG_KONG, 400, "IllegalLocationConstraintException"),
        ("beijing.s3.amazonaws.com", BEIJING, 404, "NoSuchBucket"),
        ("virginia.s3.eu-central-1.amazonaws.com", VIRGINIA, 301, "PermanentRedirect"),
        ("frankfurt.s3.eu-central-1.amazonaws.com", VIRGINIA, 400, "AuthorizationQueryParametersError"),
        ("virginia.s3.amazonaws.com", FRANKFURT, 400, "AuthorizationQueryParametersError"),
    ],
)
def test_another_host_name_or_signature_is_rejected(
    hosts: AwsHosts, host: str, region: str, status: int, code: str
) -> None:
    rejected = hosts.get(f"https://{host}/a?{scope(region)}")
    assert (rejected.status_code, f"<Code>{code}</Code>" in rejected.text) == (status, True)


def test_a_redirect_names_the_regional_host(hosts: AwsHosts) -> None:
    redirect = hosts.get(f"https://frankfurt.s3.amazonaws.com/a?{scope(FRANKFURT)}")
    assert redirect.headers["Location"].startswith("https://frankfurt.s3.eu-central-1.amazonaws.com/a?")
    assert "<Endpoint>frankfurt.s3.eu-central-1.amazonaws.com</Endpoint>" in redirect.text


def test_an_unsigned_request_is_rejected(hosts: AwsHosts) -> None:
    assert hosts.get("https://frankfurt.s3.eu-central-1.amazonaws.com/a").status_code == 403


def test_a_client_of_another_region_learns_the_region_of_the_bucket(hosts: AwsHosts) -> None:
    session = boto3.Session("key", "secret", region_name=VIRGINIA)
    with closing(session.client("s3", endpoint_url="https://s3.us-east-1.amazonaws.com", config=ONCE)) as client:
        with pytest.raises(ClientError) as rejected:
            client.head_bucket(Bucket="hong-kong")
        headers = rejected.value.response["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-amz-bucket-region"] == HONG_KONG
    assert ("hong-kong.s3.us-east-1.amazonaws.com", "HEAD", 400) in hosts.s3.requests


def test_host_names_outside_of_aws_or_in_the_wrong_partition_do_not_exist(hosts: AwsHosts) -> None:
    for host in ("s3.cn-north-1.amazonaws.com", "s3.eu-central-1.amazonaws.com.cn", "example.com"):
        with pytest.raises(httpx.ProxyError):
            hosts.get(f"https://{host}/")
    session = boto3.Session("key", "secret", region_name=BEIJING)
    with (
        closing(session.client("s3", endpoint_url="https://s3.cn-north-1.amazonaws.com", config=ONCE)) as client,
        pytest.raises(ProxyConnectionError),
    ):
        client.head_bucket(Bucket="beijing")
