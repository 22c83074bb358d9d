"""Renders in regions whose hosts answer only for their own buckets, as those of S3 do."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from services.backends.remotion_lambda.aws import AwsAccess
from services.errors import StartupError
from services.models import RenderStatus
from tests.support.aws_hosts import AwsHosts, running_aws_hosts
from tests.support.lambda_runs import ANN, running_worker
from tests.support.lambda_server import LambdaServer
from tests.support.memory_bucket import MemoryBucket
from tests.support.remotion_farm import BUCKET, DEPLOYMENT, Farm, FastClock
from tests.support.s3_regions import RegionalS3
from tests.support.s3_server import FaultyS3, S3Server

pytestmark = pytest.mark.slow  # clients of boto3 for each region

SUFFIXES = {"eu-central-1": "amazonaws.com", "ap-east-1": "amazonaws.com", "cn-north-1": "amazonaws.com.cn"}


@contextmanager
def running_region(region: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Farm, AwsHosts]]:
    """Serve a function and a bucket in a region under the names that AWS gives them."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    clock, bucket = FastClock(1), RegionalS3({BUCKET: region})
    access = AwsAccess(region=region, access_key_id="key", secret_access_key="secret")  # noqa: S106
    with (
        LambdaServer(bucket, seconds_per_render=0.2) as function,
        running_aws_hosts(folder, monkeypatch, s3=bucket, functions={region: function}) as hosts,
    ):
        deployment = replace(DEPLOYMENT, access=access, posters=False)
        storage = FaultyS3(cast("S3Server", MemoryBucket()))  # is not started: no request gets there
        stored = cast("S3Server", bucket)
        yield Farm(function=function, bucket=stored, storage=storage, clock=clock, deployment=deployment), hosts


@pytest.mark.parametrize("region", SUFFIXES)
async def test_a_render_starts_is_polled_and_can_be_downloaded(
    region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_region(region, tmp_path, monkeypatch) as (farm, hosts):
        async with running_worker(farm, tmp_path) as run:
            done = await run.end(await run.start())
            assert (done.status, done.attempt, done.failure) == (RenderStatus.COMPLETE, 1, None)
            _, download = await run.services.renders.download(ANN, done.id)
            assert download.url.startswith(f"https://{BUCKET}.s3.{region}.{SUFFIXES[region]}/rendercast/")
            response = await asyncio.to_thread(hosts.get, download.url)
            assert response.content == farm.bucket.get(BUCKET, f"rendercast/{done.id}-1.mp4")
    assert {(host, status) for host, _, status in hosts.s3.requests if status >= 300} <= {
        (f"{BUCKET}.s3.{region}.{SUFFIXES[region]}", 304)
    }


@pytest.mark.parametrize("bucket_region", ["eu-central-1", "ap-east-1"])
async def test_a_bucket_in_another_region_than_the_function_is_rejected_at_the_start(
    bucket_region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_region("us-east-1", tmp_path, monkeypatch) as (farm, hosts):
        hosts.s3.buckets[BUCKET] = bucket_region
        with pytest.raises(StartupError) as rejected:
            async with farm.open():
                pass
    assert f"The bucket {BUCKET} is in {bucket_region}, not in the function's region us-east-1" in str(rejected.value)
    assert "REMOTION_AWS_REGION" in str(rejected.value)
