"""The local S3 server and the proxy in front of it behave as S3 was observed to."""

import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from mypy_boto3_s3 import S3Client

from tests.support.memory_bucket import MemoryBucket
from tests.support.s3_server import ACLS_DISABLED, FaultyS3, S3Fault, S3Server

pytestmark = pytest.mark.slow

BUCKET = "remotionlambda-useast1-abcdefghij"
TIMEOUT_S = 30.0
SESSION = boto3.Session("key", "secret", region_name="us-east-1")
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=TIMEOUT_S)
SHORT_TIMEOUT = Config(retries={"total_max_attempts": 1}, read_timeout=0.2)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultyS3]:
    with FaultyS3(s3) as running:
        yield running


@pytest.fixture
def s3_client(proxy: FaultyS3) -> Iterator[S3Client]:
    with closing(SESSION.client("s3", endpoint_url=proxy.url, config=ONCE)) as opened:
        yield opened


def test_s3_stores_objects(s3: S3Server) -> None:
    s3.keys_per_request = 2
    names = [f"a b/&{number}" for number in range(5)]
    s3.make_bucket("many-objects")
    assert s3.get("many-objects", names[0]) is None
    for name in names:
        s3.put("many-objects", name, b"")
    assert s3.keys("many-objects", "a b/") == names
    s3.delete("many-objects", names[0])
    assert s3.keys("many-objects") == names[1:]


def test_s3_can_be_paused(tmp_path: Path) -> None:
    with S3Server(tmp_path) as server:
        server.pause()
        got = threading.Thread(target=partial(server.make_bucket, BUCKET))
        got.start()
        server.resume()
        got.join(TIMEOUT_S)
        assert server.keys(BUCKET) == []


def test_the_proxy_forwards_requests(s3_client: S3Client, proxy: FaultyS3) -> None:
    s3_client.put_object(Bucket=BUCKET, Key="passed/on", Body=b"hello")
    got = s3_client.get_object(Bucket=BUCKET, Key="passed/on")
    with closing(got["Body"]) as body:
        assert body.read() == b"hello"
    with pytest.raises(ClientError, match="Not Modified"):
        s3_client.get_object(Bucket=BUCKET, Key="passed/on", IfNoneMatch=got["ETag"])
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3_client.get_object(Bucket=BUCKET, Key="nonesuch")
    assert s3_client.head_object(Bucket=BUCKET, Key="passed/on")["ContentLength"] == 5
    assert [proxy.count("GET"), proxy.count(status=404), proxy.count("PUT", "passed")] == [3, 1, 1]


S3_CODES = [
    (S3Fault.SLOW_DOWN, "SlowDown"),
    (S3Fault.INTERNAL_ERROR, "InternalError"),
    (S3Fault.EXPIRED_TOKEN, "ExpiredToken"),
    (S3Fault.ACCESS_DENIED, "AccessDenied"),
]


@pytest.mark.parametrize(("fault", "code"), S3_CODES)
def test_the_proxy_returns_errors(s3_client: S3Client, proxy: FaultyS3, fault: S3Fault, code: str) -> None:
    proxy.fail(fault, times=1, method="GET", containing="progress.json")
    s3_client.put_object(Bucket=BUCKET, Key="renders/a/progress.json", Body=b"{}")
    with pytest.raises(ClientError, match=code):
        s3_client.get_object(Bucket=BUCKET, Key="renders/a/progress.json")
    assert s3_client.head_object(Bucket=BUCKET, Key="renders/a/progress.json")["ContentLength"] == 2


def test_the_proxy_resets_delays_and_hangs(s3_client: S3Client, proxy: FaultyS3) -> None:
    proxy.fail(S3Fault.RESET, times=1)
    with pytest.raises(ConnectionClosedError):
        s3_client.list_buckets()
    proxy.fail(S3Fault.DELAYED, times=1, seconds=0.01)
    assert s3_client.list_buckets()["Buckets"]
    proxy.fail(S3Fault.HUNG)
    short_timeout_client = SESSION.client("s3", endpoint_url=proxy.url, config=SHORT_TIMEOUT)
    with closing(short_timeout_client), pytest.raises(ReadTimeoutError):
        short_timeout_client.list_buckets()
    proxy.clear_faults()
    assert s3_client.list_buckets()["Buckets"]


def test_a_conditional_put_stores_nothing_over_an_object(s3_client: S3Client, proxy: FaultyS3) -> None:
    s3_client.put_object(Bucket=BUCKET, Key="once", Body=b"", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3_client.put_object(Bucket=BUCKET, Key="once", Body=b"x", IfNoneMatch="*")
    proxy.fail(S3Fault.CONFLICT, times=1, method="PUT")
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        s3_client.put_object(Bucket=BUCKET, Key="twice", Body=b"", IfNoneMatch="*")
    proxy.fail(S3Fault.NOT_IMPLEMENTED, times=1, method="PUT")
    with pytest.raises(ClientError, match="NotImplemented"):
        s3_client.put_object(Bucket=BUCKET, Key="twice", Body=b"", IfNoneMatch="*")


def test_a_bucket_without_acls_rejects_every_acl_but_the_owners(s3_client: S3Client, proxy: FaultyS3) -> None:
    proxy.acl_error = ACLS_DISABLED
    s3_client.put_object(Bucket=BUCKET, Key="a", Body=b"")
    s3_client.put_object(Bucket=BUCKET, Key="a", Body=b"", ACL="bucket-owner-full-control")
    with pytest.raises(ClientError, match="AccessControlListNotSupported"):
        s3_client.put_object(Bucket=BUCKET, Key="a", Body=b"", ACL="private")


def test_a_part_of_an_object_can_be_read(s3_client: S3Client) -> None:
    s3_client.put_object(Bucket=BUCKET, Key="part", Body=b"0123456789")
    assert s3_client.get_object(Bucket=BUCKET, Key="part", Range="bytes=-3")["Body"].read() == b"789"
    with MemoryBucket() as memory, closing(SESSION.client("s3", endpoint_url=memory.url, config=ONCE)) as client:
        client.put_object(Bucket=BUCKET, Key="part", Body=b"0123456789", IfNoneMatch="*")
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.put_object(Bucket=BUCKET, Key="part", Body=b"", IfNoneMatch="*")
        for requested, expected in (("bytes=2-4", b"234"), ("bytes=8-", b"89"), ("bytes=-3", b"789")):
            response = client.get_object(Bucket=BUCKET, Key="part", Range=requested)
            assert (response["Body"].read(), response["ResponseMetadata"]["HTTPStatusCode"]) == (expected, 206)
        with pytest.raises(ClientError, match="InvalidRange"):
            client.get_object(Bucket=BUCKET, Key="part", Range="bytes=10-")
