"""The clients and HTTP sessions of a deployment, opened together."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from services.backends.remotion_lambda.aws import Aws, open_aws
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.polling import open_http
from services.storage.s3 import ObjectStorage
from services.storage.s3_bucket import open_output_bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Everything that sends requests: `storage` has the outputs, and is `aws` unless another provider stores them.

    Each HTTP session uses the proxy for its host: `http` that of AWS, `outputs_http` that of the storage.
    """

    aws: Aws
    storage: ObjectStorage
    http: aiohttp.ClientSession
    outputs_http: aiohttp.ClientSession


@contextlib.asynccontextmanager
async def open_access(deployment: Deployment) -> AsyncIterator[Access]:
    """Open the clients and sessions of a deployment. Raises `StartupError` if there are no usable credentials."""
    provider = deployment.output_provider
    async with contextlib.AsyncExitStack() as stack:
        aws = await stack.enter_async_context(open_aws(deployment.access))
        http = await stack.enter_async_context(open_http(aws.address(deployment.bucket)))
        if provider is None:
            yield Access(aws=aws, storage=aws, http=http, outputs_http=http)
            return
        storage = await stack.enter_async_context(open_output_bucket(provider))
        outputs_http = await stack.enter_async_context(open_http(storage.address(provider.bucket)))
        yield Access(aws=aws, storage=storage, http=http, outputs_http=outputs_http)
