"""The boto3 clients of Lambda and S3, built once. Calls run in dedicated threads and never block the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.exceptions import BotoCoreError

from services.errors import StartupError
from services.storage.aws_errors import AwsError
from services.storage.s3 import ObjectStorage
from services.storage.s3_clients import MAX_CONCURRENT_CALLS, client_config, new_s3_clients

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccess:
    """The region, credentials and timeouts of AWS. Without a key, boto3's usual credential chain is used."""

    region: str
    access_key_id: str | None = None
    secret_access_key: str | None = None
    start_timeout_s: float = 30  # a cold start of the function takes some seconds, its work one or two
    work_timeout_s: float = 45  # the same, with a still or all compositions; less than the worker's `MAX_LAUNCH_S`


@dataclass(frozen=True, slots=True)
class Invocation:
    """The response of a function; `crashed` if it is not from the function's own code."""

    body: bytes
    crashed: bool


class Aws(ObjectStorage):
    """Lambda and S3 of one region. Open it with `open_aws`; every method raises `AwsError`.

    Requests to Lambda are never repeated. Invocations that only start a render, those that wait for the function's
    work, and calls of S3 have separate threads, so that slow ones don't block the others.
    """

    def __init__(self, access: AwsAccess) -> None:
        session = boto3.Session(
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            region_name=access.region,
        )
        super().__init__(session, new_s3_clients(session), region=access.region)
        self._lambda = new_lambda_client(session, timeout_s=access.start_timeout_s)
        self._patient_lambda = new_lambda_client(session, timeout_s=access.work_timeout_s)
        self._start_threads = ThreadPoolExecutor(MAX_CONCURRENT_CALLS, thread_name_prefix="lambda")
        self._work_threads = ThreadPoolExecutor(MAX_CONCURRENT_CALLS, thread_name_prefix="lambda-work")

    def close(self) -> None:
        """End the threads, without waiting for running calls."""
        super().close()
        for threads in (self._start_threads, self._work_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def invoke(self, function: str, payload: bytes) -> Invocation:
        """Invoke the function once and return its response, which it sends within some seconds."""
        return await self._call(self._start_threads, "Invoke", lambda: _invoke(self._lambda, function, payload))

    async def invoke_and_wait(self, function: str, payload: bytes) -> Invocation:
        """Invoke the function once, and wait up to `work_timeout_s` while it works; return its response."""
        return await self._call(self._work_threads, "Invoke", lambda: _invoke(self._patient_lambda, function, payload))

    async def read_setting(self, operation: str, call: Callable[["LambdaClient", "S3Client"], T]) -> T:
        """Return the result of `call`, which reads a setting of the function or the bucket."""
        return await self._call(self._s3_threads, operation, lambda: call(self._lambda, self._s3))


def new_lambda_client(session: boto3.Session, *, timeout_s: float) -> "LambdaClient":
    """Return a client that never repeats a request: one that timed out may have started a render already."""
    return session.client("lambda", config=client_config(timeout_s, tries=1))


@asynccontextmanager
async def open_aws(access: AwsAccess) -> AsyncIterator[Aws]:
    """Open the clients, built in a thread because that blocks; on exit, end their threads. Raises `StartupError`."""
    try:
        aws = await asyncio.to_thread(Aws, access)
    except AwsError as error:
        reason = f": {error}" if error.remedy is None else f". {error.remedy.sentence} ({error})"
        raise StartupError(f"AWS can't be used{reason}") from error
    except (BotoCoreError, ValueError) as error:
        hint = "" if isinstance(error, BotoCoreError) else "; correct the variables AWS_ENDPOINT_URL…"
        raise StartupError(f"AWS can't be used: {error}{hint}") from error
    try:
        yield aws
    finally:
        aws.close()


def _invoke(client: "LambdaClient", function: str, payload: bytes) -> Invocation:
    response = client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
    return Invocation(body=response["Payload"].read(), crashed="FunctionError" in response)
