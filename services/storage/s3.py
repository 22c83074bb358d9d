"""S3, or a storage that is compatible with it. Calls run in dedicated threads and never block the event loop."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
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

from services.errors import StartupError
from services.models import Download
from services.storage.aws_errors import (
    AwsError,
    AwsErrorKind,
    bucket_elsewhere,
    error_from_response,
    missing_credentials,
    unknown_host,
)
from services.storage.s3_clients import MAX_CONCURRENT_CALLS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef, PutObjectRequestTypeDef

_NOT_SENT_ERRORS = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    ProxyConnectionError,
)
# boto3 raises RuntimeError if renewed credentials have expired as well.
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, RuntimeError)
_NONE: Mapping[str, str] = {}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Signer:
    """Credentials and their earliest possible expiry."""

    credentials: ReadOnlyCredentials
    expires_at: datetime | None


class ObjectStorage:
    """The objects of one provider. Methods that send requests raise `AwsError`; a request takes at most half a minute.

    `clients` are one that signs requests and one that only builds URLs. Nothing is sent without valid credentials.
    """

    missing_credentials = (
        "There are no AWS credentials: set REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY."
    )

    def __init__(self, session: boto3.Session, clients: "tuple[S3Client, S3Client]", *, region: str) -> None:
        found = session.get_credentials()
        if found is None:
            raise StartupError(self.missing_credentials)
        self._credentials: Credentials = found
        self._s3, self._unsigned_s3 = clients
        self._s3_threads = ThreadPoolExecutor(MAX_CONCURRENT_CALLS, thread_name_prefix="s3")
        self._region = region
        self._signer = self._obtain_signer()
        self._addresses: dict[str, str] = {}
        self.address("bucket")  # raises an error for settings that exclude each other, such as FIPS in China

    def close(self) -> None:
        """End the threads, without waiting for running calls."""
        self._s3_threads.shutdown(wait=False, cancel_futures=True)

    async def refresh_credentials(self) -> None:
        """Load the current credentials from boto3, which renews them some minutes before they expire."""
        await self._call(self._s3_threads, "", lambda: None)

    def presign_url(
        self, bucket: str, key: str, *, now: datetime, expires_in: timedelta, response: Mapping[str, str] = _NONE
    ) -> Download:
        """Return a presigned URL of the object. It expires after `expires_in` or with the credentials.

        `response` are the parameters that override headers of the response:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax.
        """
        url = self.address(bucket) + quote(key, safe="/~")
        request = AWSRequest(method="GET", url=url, params=dict(response))
        expires_s = int(expires_in.total_seconds())
        signer = self._signer
        S3SigV4QueryAuth(signer.credentials, "s3", self._region, expires=expires_s).add_auth(request)
        ends = now.replace(microsecond=0) + timedelta(seconds=expires_s)
        return Download(url=str(request.url), expires_at=min(ends, signer.expires_at or ends))

    def address(self, bucket: str) -> str:
        """Return the base URL of a bucket's objects."""
        if bucket not in self._addresses:
            url = self._unsigned_s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "key"})
            self._addresses[bucket] = url.removesuffix("key")
        return self._addresses[bucket]

    async def put(
        self, bucket: str, key: str, body: bytes, *, content_type: str = "application/json", has_acl: bool = False
    ) -> None:
        """Store an object, with the access control list `private` if `has_acl`; S3's default is private too."""
        request: PutObjectRequestTypeDef = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": content_type}
        if has_acl:
            request["ACL"] = "private"
        await self._call(self._s3_threads, "PutObject", lambda: self._s3.put_object(**request))

    async def put_if_absent(self, bucket: str, key: str) -> bool:
        """Store an empty object unless there is an object with this key; return whether it was stored.

        See https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html.
        """
        try:
            await self._call(
                self._s3_threads,
                "PutObject",
                lambda: self._s3.put_object(Bucket=bucket, Key=key, Body=b"", IfNoneMatch="*"),
            )
        except AwsError as error:
            if error.kind is AwsErrorKind.EXISTS:
                return False
            raise
        return True

    async def size(self, bucket: str, key: str) -> int | None:
        """Return the size of an object in bytes; None if it does not exist."""
        try:
            head = await self._call(
                self._s3_threads, "HeadObject", lambda: self._s3.head_object(Bucket=bucket, Key=key)
            )
        except AwsError as error:
            if error.kind is AwsErrorKind.NOT_FOUND:
                return None
            raise
        return head["ContentLength"]

    async def require_bucket(self, bucket: str) -> None:
        """Raise `AwsError` unless the bucket exists in the region and may be listed."""
        try:
            head = await self._call(self._s3_threads, "HeadBucket", lambda: self._s3.head_bucket(Bucket=bucket))
        except AwsError as error:
            if error.kind is AwsErrorKind.NOT_FOUND:
                raise self.explain(
                    error_from_response("HeadBucket", code="NoSuchBucket", status=404, detail=bucket)
                ) from error
            raise
        self._require_region(bucket, head.get("BucketRegion", self._region))

    async def delete_all(self, bucket: str, prefix: str, *, min_bytes: int = 0) -> None:
        """Delete all objects whose keys start with `prefix` and which have at least `min_bytes`."""
        await self._call(self._s3_threads, "ListObjectsV2", lambda: self._delete_all(bucket, prefix, min_bytes))

    def _require_region(self, bucket: str, region: str) -> None:
        """Raise `AwsError` if the bucket is in another region: then boto3 has followed a redirect."""
        if region != self._region:
            raise bucket_elsewhere(bucket, bucket_region=region, region=self._region)

    def explain(self, error: AwsError) -> AwsError:
        """Return the error with the remedy for this storage."""
        return error

    def _delete_all(self, bucket: str, prefix: str, min_bytes: int) -> None:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            if keys := [item["Key"] for item in page.get("Contents", []) if item["Size"] >= min_bytes]:
                self._delete_keys(bucket, keys)

    def _delete_keys(self, bucket: str, keys: Sequence[str]) -> None:
        """Delete at most 1000 objects."""
        objects: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys]
        deleted = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        for error in deleted.get("Errors", []):
            raise error_from_response("DeleteObjects", code=error["Code"], status=HTTPStatus.OK, detail=error["Key"])

    async def _call(self, threads: ThreadPoolExecutor, operation: str, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, lambda: self._run(operation, call))
        except AwsError as error:
            explained = self.explain(error)
            if explained is error:
                raise
            raise explained from error

    def _run(self, operation: str, call: Callable[[], T]) -> T:
        """Return the result of the call. Raises every error as an `AwsError`."""
        self._signer = self._obtain_signer()
        try:
            return call()
        except AwsError:
            raise
        except Exception as error:
            raise classify(operation, error) from error

    def _obtain_signer(self) -> _Signer:
        """Return the current credentials, which boto3 renews if they expire soon. Raises `AwsError`."""
        try:
            self._credentials.get_frozen_credentials()
            # botocore has no public attribute for the expiry: this is its name as of 1.44. It is read before the keys,
            # which another thread may renew in between, so it is never later than the expiry of the keys.
            expires_at: datetime | None = getattr(self._credentials, "_expiry_time", None)
            return _Signer(self._credentials.get_frozen_credentials(), expires_at)
        except _NO_CREDENTIALS as error:
            raise missing_credentials(str(error)) from error
        except Exception as error:  # boto3's credential sources raise errors of many kinds
            raise AwsError(f"no credentials: {type(error).__name__}: {error}", AwsErrorKind.NOT_SENT) from error


def classify(operation: str, error: Exception) -> AwsError:
    """Return an error of boto3 as an `AwsError`. boto3 passes on errors of urllib3 that occur during a response."""
    if isinstance(error, ClientError):
        return _response_error(error)
    if isinstance(error, _NOT_SENT_ERRORS):
        return _connection_error(operation, error)
    return AwsError(f"{operation}: {error}", AwsErrorKind.UNKNOWN)


def _connection_error(operation: str, error: BotoCoreError) -> AwsError:
    described = f"{operation}: {error}"
    # boto3 stores the error of urllib3, whose context is a gaierror if the host name can't be resolved.
    if isinstance(getattr(error.kwargs.get("error"), "__context__", None), socket.gaierror):
        return unknown_host(described)
    return AwsError(described, AwsErrorKind.NOT_SENT)


def _response_error(error: ClientError) -> AwsError:
    described = error.response.get("Error", {})
    return error_from_response(
        error.operation_name,
        code=described.get("Code", ""),
        status=error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
        detail=described.get("Message", ""),
    )
