"""The storage of outputs that is not AWS's, such as R2 or MinIO: Remotion's option `s3OutputProvider`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import boto3
from botocore.exceptions import BotoCoreError

from services.backends.remotion_lambda.payloads import OutputProvider
from services.errors import StartupError
from services.storage.aws_errors import AwsError, Remedy
from services.storage.s3 import ObjectStorage
from services.storage.s3_clients import new_provider_clients

_CREDENTIALS = Remedy(
    "CREDENTIALS_INVALID",
    "the credentials of the storage of outputs are wrong",
    "correct REMOTION_OUTPUT_ACCESS_KEY_ID and REMOTION_OUTPUT_SECRET_ACCESS_KEY",
)
_REMEDIES = {
    "CREDENTIALS_INVALID": _CREDENTIALS,
    "BUCKET_NOT_FOUND": Remedy(
        "BUCKET_NOT_FOUND",
        "the bucket of outputs does not exist",
        "correct REMOTION_OUTPUT_BUCKET, REMOTION_OUTPUT_REGION or REMOTION_OUTPUT_ENDPOINT",
    ),
    "REGION_NOT_FOUND": Remedy(
        "REGION_NOT_FOUND",
        "the host of the storage of outputs can't be resolved",
        "correct REMOTION_OUTPUT_ENDPOINT, or fix this machine's DNS",
    ),
}


class ProviderStorage(ObjectStorage):
    """The objects of another provider than AWS. Open it with `open_output_storage`."""

    def __init__(self, provider: OutputProvider) -> None:
        session = boto3.Session(
            aws_access_key_id=provider.access_key_id,
            aws_secret_access_key=provider.secret_access_key,
            region_name=provider.region,
        )
        clients = new_provider_clients(session, endpoint=provider.endpoint, path_style=provider.path_style)
        super().__init__(session, clients, region=provider.region)

    def _require_region(self, bucket: str, region: str) -> None:
        """Do nothing: other providers may report another region, or none."""

    def explain(self, error: AwsError) -> AwsError:
        """Return the error with the remedy for this storage."""
        remedy = error.remedy
        if remedy is None:
            return error
        if remedy.code == "ACCESS_DENIED":
            action = remedy.action.replace("to the AWS user", "to the key REMOTION_OUTPUT_ACCESS_KEY_ID")
            problem = remedy.problem.replace("on AWS", "in the storage of outputs")
            return AwsError(str(error), error.kind, remedy=replace(remedy, problem=problem, action=action))
        return AwsError(str(error), error.kind, remedy=_REMEDIES.get(remedy.code, remedy))


@asynccontextmanager
async def open_output_storage(provider: OutputProvider) -> AsyncIterator[ProviderStorage]:
    """Open the clients, built in a thread because that blocks; on exit, end their threads. Raises `StartupError`."""
    try:
        storage = await asyncio.to_thread(ProviderStorage, provider)
    except (AwsError, BotoCoreError, ValueError) as error:
        raise StartupError(f"The storage of outputs can't be used: {error}; correct REMOTION_OUTPUT_….") from error
    try:
        yield storage
    finally:
        storage.close()
