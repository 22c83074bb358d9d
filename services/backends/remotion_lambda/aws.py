"""boto3: clients built once, whose calls run in threads of their own, so that they never hold up anything else."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import boto3
from botocore import UNSIGNED
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
)

from services.backends.remotion_lambda.faults import AwsError, Meaning, fault, no_address, no_credentials
from services.errors import StartupError
from services.models import Download
from services.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

CONNECTIONS = 16  # and threads, to Lambda and to S3 each: how many calls are under way at once
CONNECT_TIMEOUT_S = 5
STORAGE_TIMEOUT_S = 5
STORAGE_TRIES = 2
CREDENTIALS_INTERVAL_S = 60

_NEVER_SENT = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    ProxyConnectionError,
)
# RuntimeError is what boto3 raises if even renewed credentials have expired.
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, RuntimeError)

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccess:
    """How AWS is reached. Without a key, boto3's usual chain is asked for credentials."""

    region: str
    access_key_id: str | None = None
    secret_access_key: str | None = None
    start_timeout_s: float = 30  # a cold start of the function takes some seconds, its own work one or two


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a function answered; `crashed` if it was not the function's own code that did."""

    body: bytes
    crashed: bool


@dataclass(frozen=True, slots=True)
class _Signer:
    """Credentials, and until when they are good at least."""

    credentials: ReadOnlyCredentials
    expires_at: datetime | None


class Aws:
    """Lambda and S3 of one region. Open it with `open_aws`; every method raises `AwsError`.

    Nothing is sent twice to Lambda, and nothing at all before there are credentials to sign it with. No call takes
    longer than about half a minute. Starts, which take long, hold up no call of storage.
    """

    def __init__(self, access: AwsAccess) -> None:
        session = boto3.Session(
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            region_name=access.region,
        )
        found = session.get_credentials()
        if found is None:
            raise StartupError(
                "There are no AWS credentials: set REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY."
            )
        self._invoking = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="lambda")
        self._storing = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="s3")
        self._credentials: Credentials = found
        # Sent once: what boto3 tries again after a timeout may have started a render already.
        self._lambda: LambdaClient = session.client("lambda", config=_config(access.start_timeout_s, tries=1))
        storage = _config(STORAGE_TIMEOUT_S, tries=STORAGE_TRIES)
        self._s3: S3Client = session.client("s3", config=storage.merge(Config(signature_version="s3v4")))
        # Asked only where things are: it never signs, so it never waits for credentials.
        self._plain: S3Client = session.client("s3", config=storage.merge(Config(signature_version=UNSIGNED)))
        self._region = access.region
        self._signer = self._obtain_signer()
        self._addresses: dict[str, str] = {}

    def close(self) -> None:
        """End the threads; what they are doing is not waited for."""
        for threads in (self._invoking, self._storing):
            threads.shutdown(wait=False, cancel_futures=True)

    async def refresh_credentials(self) -> None:
        """Take over the credentials that boto3 has now; it renews those that expire some minutes before."""
        await self._call(self._storing, "", lambda: None)

    def sign(self, bucket: str, key: str, *, now: datetime, expires_in: timedelta) -> Download:
        """Return a URL from which the object can be got, until `expires_in` or the credentials are over."""
        request = AWSRequest(method="GET", url=self.address(bucket) + quote(key, safe="/~"))
        expires_s = int(expires_in.total_seconds())
        signer = self._signer
        S3SigV4QueryAuth(signer.credentials, "s3", self._region, expires=expires_s).add_auth(request)
        ends = now.replace(microsecond=0) + timedelta(seconds=expires_s)
        return Download(url=str(request.url), expires_at=min(ends, signer.expires_at or ends))

    def address(self, bucket: str) -> str:
        """Return what the URLs of a bucket's objects begin with."""
        if bucket not in self._addresses:
            url = self._plain.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "key"})
            self._addresses[bucket] = url.removesuffix("key")
        return self._addresses[bucket]

    async def invoke(self, function: str, payload: bytes) -> Invocation:
        """Call the function once and wait for its answer."""
        return await self._call(self._invoking, "Invoke", lambda: self._invoke(function, payload))

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store an object."""
        await self._call(
            self._storing,
            "PutObject",
            lambda: self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json"),
        )

    async def size(self, bucket: str, key: str) -> int | None:
        """Return the size of an object in bytes; None if it is not there."""
        try:
            head = await self._call(self._storing, "HeadObject", lambda: self._s3.head_object(Bucket=bucket, Key=key))
        except AwsError as error:
            if error.meaning is Meaning.ABSENT:
                return None
            raise
        return head["ContentLength"]

    async def require_bucket(self, bucket: str) -> None:
        """Return if the bucket is there and may be listed."""
        try:
            await self._call(self._storing, "HeadBucket", lambda: self._s3.head_bucket(Bucket=bucket))
        except AwsError as error:
            if error.meaning is Meaning.ABSENT:
                raise fault("HeadBucket", code="NoSuchBucket", status=404, detail=bucket) from error
            raise

    async def delete_all(self, bucket: str, prefix: str) -> None:
        """Remove all objects whose keys begin so."""
        await self._call(self._storing, "ListObjectsV2", lambda: self._delete_all(bucket, prefix))

    def _invoke(self, function: str, payload: bytes) -> Invocation:
        answer = self._lambda.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
        return Invocation(body=answer["Payload"].read(), crashed="FunctionError" in answer)

    def _delete_all(self, bucket: str, prefix: str) -> None:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            found: list[ObjectIdentifierTypeDef] = [{"Key": item["Key"]} for item in page.get("Contents", [])]
            if found:
                deleted = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})
                for error in deleted.get("Errors", []):
                    raise fault("DeleteObjects", code=error["Code"], status=HTTPStatus.OK, detail=error["Key"])

    async def _call(self, threads: ThreadPoolExecutor, operation: str, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, lambda: self._ask(operation, call))

    def _ask(self, operation: str, call: Callable[[], T]) -> T:
        """Return what the call does. Whatever else comes of it is told as an `AwsError`."""
        self._signer = self._obtain_signer()
        try:
            return call()
        except ClientError as error:
            raise _meaning(error) from error
        except _NEVER_SENT as error:
            raise _never_sent(operation, error) from error
        except Exception as error:  # urllib3's own pass through boto3 while it reads an answer
            raise AwsError(f"{operation}: {error}", Meaning.UNKNOWN) from error

    def _obtain_signer(self) -> _Signer:
        """Return the credentials of now, renewed if that is due."""
        try:
            self._credentials.get_frozen_credentials()
            # botocore tells the end of a session nowhere else. Read before the keys, which another thread may renew
            # meanwhile, it is never later than theirs.
            expires_at: datetime | None = getattr(self._credentials, "_expiry_time", None)
            return _Signer(self._credentials.get_frozen_credentials(), expires_at)
        except _NO_CREDENTIALS as error:
            raise no_credentials(str(error)) from error
        except Exception as error:  # whatever it is, of all the places that boto3 asks
            raise AwsError(f"no credentials: {type(error).__name__}: {error}", Meaning.NEVER_SENT) from error


@asynccontextmanager
async def open_aws(access: AwsAccess) -> AsyncIterator[Aws]:
    """Build the clients, which takes a moment, and later end their threads. Raises `StartupError`."""
    try:
        aws = await asyncio.to_thread(Aws, access)
    except AwsError as error:
        reason = f"{error}" if error.remedy is None else f"{error.remedy.sentence} ({error})"
        raise StartupError(f"AWS can't be used. {reason}") from error
    except BotoCoreError as error:
        raise StartupError(f"AWS can't be used: {error}") from error
    try:
        yield aws
    finally:
        aws.close()


async def keep_access(aws: Aws, *, clock: Clock, unchecked: str | None) -> None:
    """Renew the credentials for ever; tell first of a bucket that nobody has looked for, if it can't be served from."""
    if unchecked is not None:
        await _or_tell(aws.require_bucket(unchecked))
    while True:
        await clock.sleep(CREDENTIALS_INTERVAL_S)
        await _or_tell(aws.refresh_credentials())


async def _or_tell(call: Awaitable[None]) -> None:
    try:
        await call
    except AwsError as error:
        problem = "AWS can't be reached" if error.remedy is None else error.remedy.sentence
        log.error("%s (%s)", problem, error)  # noqa: TRY400  # the sentence is enough


def _config(timeout_s: float, *, tries: int) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=timeout_s,
        retries={"total_max_attempts": tries, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
        s3={"us_east_1_regional_endpoint": "regional"},
    )


def _never_sent(operation: str, error: BotoCoreError) -> AwsError:
    described = f"{operation}: {error}"
    # boto3 keeps the error of urllib3, which came of this one if the host's name has no address.
    if isinstance(getattr(error.kwargs.get("error"), "__context__", None), socket.gaierror):
        return no_address(described)
    return AwsError(described, Meaning.NEVER_SENT)


def _meaning(error: ClientError) -> AwsError:
    described = error.response.get("Error", {})
    return fault(
        error.operation_name,
        code=described.get("Code", ""),
        status=error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
        detail=described.get("Message", ""),
    )
