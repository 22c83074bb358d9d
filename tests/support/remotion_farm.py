"""Remotion on AWS for tests: a function and a bucket that keep state, and the adapter that uses them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from services.backends.remotion_lambda.aws import AwsAccess
from services.backends.remotion_lambda.backend import LambdaBackend, open_lambda_backend
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.function import parse_function_name
from services.clock import SystemClock
from tests.support.certificates import Authority
from tests.support.lambda_server import FUNCTION, LambdaServer
from tests.support.s3_server import ACLS_DISABLED, FaultyS3, S3Server

BUCKET = "remotionlambda-useast1-abcdefghij"
POLL_INTERVAL = timedelta(milliseconds=50)
DEPLOYMENT = Deployment(
    function_name=FUNCTION,
    function=parse_function_name(FUNCTION),
    version="4.0.527",
    serve_url="http://127.0.0.1:1/index.html",
    composition="TextAnimation",
    bucket=BUCKET,
    capacity=100,
    poll_interval=POLL_INTERVAL,
    webhook_base_url=None,
    webhook_secret=None,
    privacy="private",
    color_space="bt709",
    image_format="png",
    license_key=None,
    posters=False,  # each takes a process
    access=AwsAccess(region="us-east-1", access_key_id="key", secret_access_key="secret"),  # noqa: S106
)


class FastClock(SystemClock):
    """A clock that is `speed` times as fast as the machine's, and that tests can hold and move ahead."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._started_at = super().now()
        self._started_s = super().monotonic()
        self._ahead = timedelta(0)
        self._held_after: timedelta | None = None

    def now(self) -> datetime:
        return self._started_at + self._elapsed() * self._speed + self._ahead

    def monotonic(self) -> float:
        return (self._elapsed() * self._speed + self._ahead).total_seconds()

    def _elapsed(self) -> timedelta:
        """Return the time since the start by the machine's clock; after `hold`, that until then."""
        return self._held_after or timedelta(seconds=super().monotonic() - self._started_s)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self._speed)

    async def wait(self, event: asyncio.Event, *, timeout_s: float) -> bool:
        return await super().wait(event, timeout_s=timeout_s / self._speed)

    def hold(self) -> None:
        """Let its time pass only by `jump` from now on; sleeps take as long as before."""
        self._held_after = self._elapsed()

    def jump(self, seconds: float) -> None:
        """Move the clock ahead by `seconds`."""
        self._ahead += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Farm:
    """A function, a bucket and the clock of both. `storage` is a proxy between the adapter and the bucket."""

    function: LambdaServer
    bucket: S3Server
    storage: FaultyS3
    clock: FastClock
    deployment: Deployment = DEPLOYMENT

    @asynccontextmanager
    async def open(self, *, check: bool = True, **changes: object) -> AsyncIterator[LambdaBackend]:
        """Open the adapter on the deployment with the changes."""
        deployment = replace(self.deployment, **changes)  # type: ignore[arg-type]
        async with open_lambda_backend(deployment, clock=self.clock, check=check) as backend:
            yield backend

    def disable_acls(self) -> None:
        """Let the bucket reject every ACL, as one with the object ownership "bucket owner enforced" does."""
        self.function.acls_disabled = True
        self.storage.acl_error = ACLS_DISABLED


def deployment_of(function_name: str, *, poll_interval: timedelta = POLL_INTERVAL) -> Deployment:
    """Return the deployment with another function, such as one with a longer timeout."""
    function = parse_function_name(function_name)
    return replace(DEPLOYMENT, function_name=function_name, function=function, poll_interval=poll_interval)


@contextmanager
def running_farm(
    bucket: S3Server,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    *,
    speed: float = 1,
    function_name: str = FUNCTION,
) -> Iterator[Farm]:
    """Start a function, and configure boto3 to use it and the bucket. Renders are polled 20 times a second."""
    clock = FastClock(speed)
    deployment = deployment_of(function_name, poll_interval=POLL_INTERVAL * speed)
    bucket.make_bucket(BUCKET)
    # The adapter loads certificates, although the farm has no TLS: the 150 default ones take 20 ms of CPU time.
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.certificate))

    def now() -> float:
        return clock.now().timestamp()

    with (
        FaultyS3(bucket, now=now) as storage,
        LambdaServer(bucket, now=now, function_name=function_name) as function,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", function.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", storage.url)
        yield Farm(function=function, bucket=bucket, storage=storage, clock=clock, deployment=deployment)
