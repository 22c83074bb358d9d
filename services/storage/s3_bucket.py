"""The output bucket: the S3 client with the remedies that name the settings of this bucket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError

from services.errors import StartupError
from services.settings import variable
from services.storage.aws_errors import AwsError, AwsErrorKind, Remedy
from services.storage.s3 import ObjectStorage, classify
from services.storage.s3_access import DEFAULT_REGION, S3Access
from services.storage.s3_clients import new_provider_clients, new_s3_clients, new_upload_client
from services.storage.s3_uploads import Uploads

_KEYS = f"{variable('output_access_key_id')} and {variable('output_secret_access_key')}"
_REMEDIES = {
    "CREDENTIALS_INVALID": Remedy(
        "CREDENTIALS_INVALID",
        "the credentials of the output storage are wrong or have expired, or its region is wrong",
        f"correct {_KEYS}, or the source that replaces them, or {variable('output_region')}",
    ),
    "BUCKET_NOT_FOUND": Remedy(
        "BUCKET_NOT_FOUND",
        "the output bucket does not exist",
        f"correct {variable('output_bucket')}, {variable('output_region')} or {variable('output_endpoint')}",
    ),
    "REGION_NOT_FOUND": Remedy(
        "REGION_NOT_FOUND",
        "the host of the output storage can't be resolved",
        f"correct {variable('output_endpoint')}, or fix this machine's DNS",
    ),
    "REQUEST_REFUSED": Remedy("REQUEST_REFUSED", "the output storage rejects a request", "see its error message"),
}


class OutputBucket(ObjectStorage):
    """The objects in the output bucket. Open it with `open_output_bucket`."""

    missing_credentials = f"There are no credentials for the output bucket: set {_KEYS}."

    def __init__(self, access: S3Access) -> None:
        session = boto3.Session(
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            region_name=access.region,
        )
        region: str | None = session.region_name
        if region is None:
            session = boto3.Session(access.access_key_id, access.secret_access_key, region_name=DEFAULT_REGION)
            region = DEFAULT_REGION
        clients = (
            new_s3_clients(session)
            if access.endpoint is None
            else new_provider_clients(session, endpoint=access.endpoint, path_style=access.path_style)
        )
        super().__init__(session, clients, region=region)
        self.access = access
        self._uploads = Uploads(new_upload_client(session, clients[0], endpoint=access.endpoint))

    def close(self) -> None:
        """End the threads, without waiting for running calls."""
        super().close()
        self._uploads.close()

    async def upload(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a file under a key, in place of any former object. Takes as long as the file is large.

        After an error or a cancellation, no part of the file stays stored if the storage responds to its abort.
        """
        await self.refresh_credentials()
        try:
            await self._uploads.upload(self.access.bucket, key, path, content_type=content_type)
        except Exception as error:
            raise self.explain(classify("PutObject", error)) from error

    def _delete_keys(self, bucket: str, keys: Sequence[str]) -> None:
        """Delete the few objects of a render one by one.

        DeleteObjects requires a checksum: boto3 no longer sends an MD5, and some storages know nothing else. See
        https://github.com/aws/aws-sdk-js-v3/issues/6920, the same in another SDK.
        """
        for key in keys:
            self._s3.delete_object(Bucket=bucket, Key=key)

    def _require_region(self, bucket: str, region: str) -> None:
        """Raise `AwsError` if the bucket is in another region; other providers may report any region, or none."""
        if self.access.endpoint is None and region != self._region:
            remedy = Remedy(
                "BUCKET_NOT_FOUND",
                f"the bucket {bucket} is in {region}, not in {self._region}",
                f"set {variable('output_region')} to {region}, or choose another bucket",
            )
            raise AwsError(f"HeadBucket: {region}", AwsErrorKind.REJECTED, remedy=remedy)

    def explain(self, error: AwsError) -> AwsError:
        """Return the error with the remedy for this bucket."""
        remedy = error.remedy
        if remedy is None:
            return error
        if remedy.code == "ACCESS_DENIED":
            action = remedy.action.replace("to the AWS user", f"to the key {variable('output_access_key_id')}")
            problem = remedy.problem.replace("on AWS", "in the output storage")
            return AwsError(str(error), error.kind, remedy=replace(remedy, problem=problem, action=action))
        return AwsError(str(error), error.kind, remedy=_REMEDIES.get(remedy.code, remedy))


@asynccontextmanager
async def open_output_bucket(access: S3Access) -> AsyncIterator[OutputBucket]:
    """Open the clients, built in a thread because that blocks; on exit, end their threads. Raises `StartupError`."""
    try:
        bucket = await asyncio.to_thread(OutputBucket, access)
    except (AwsError, BotoCoreError, ValueError) as error:
        raise StartupError(f"The output storage can't be used: {error}; correct RENDERCAST_OUTPUT_….") from error
    try:
        yield bucket
    finally:
        bucket.close()


def describe(access: S3Access, error: AwsError) -> str:
    """Return the operator's sentence for an error of the output bucket."""
    if error.remedy is None:
        return f"The output storage can't be reached ({access.place}): {error}"
    return f"The output storage can't be used ({access.place}). {error.remedy.sentence} ({error})"
