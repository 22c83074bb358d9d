"""Reads the status of renders: from their progress files, or by invocations if the function's limits are unknown."""

import json

from services.backends.remotion_lambda.aws import Aws
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.payloads import status_payload
from services.backends.remotion_lambda.polling import ProgressReader
from services.backends.remotion_lambda.progress import Snapshot, derive, from_status
from services.backends.remotion_lambda.responses import ErrorResponse, RenderMetadata, parse_status
from services.storage.aws_errors import AwsError, AwsErrorKind


class Snapshots:
    """The status of one deployment's renders, by the backend's id."""

    def __init__(self, deployment: Deployment, *, aws: Aws, files: ProgressReader) -> None:
        self._deployment = deployment
        self._aws = aws
        self._files = files

    async def read(self, backend_render_id: str) -> Snapshot:
        """Return the render's status. Raises `AwsError`."""
        deployment = self._deployment
        if deployment.function is None:
            return await self._request(backend_render_id)
        reading = await self._files.read(backend_render_id)
        return derive(
            reading.file,
            function=deployment.function,
            region=deployment.access.region,
            now=reading.now,
            written_at=reading.read_at,
        )

    async def metadata(self, backend_render_id: str) -> RenderMetadata | None:
        """Return what the function has stored about the output; None if that can't be read."""
        try:
            return (await self._files.read(backend_render_id)).file.render_metadata
        except AwsError:
            return None

    def forget(self, backend_render_id: str) -> None:
        """Drop the stored result of the last read."""
        self._files.forget(backend_render_id)

    async def _request(self, backend_render_id: str) -> Snapshot:
        deployment = self._deployment
        payload = status_payload(deployment.target, render_id=backend_render_id)
        invocation = await self._aws.invoke(deployment.function_name, json.dumps(payload).encode())
        try:
            status = parse_status(invocation.body)
        except ValueError as error:
            raise AwsError(
                f"the function's response can't be parsed: {invocation.body[:500]!r}", AwsErrorKind.INVALID_RESPONSE
            ) from error
        if isinstance(status, ErrorResponse):
            raise AwsError(f"the function returns no status: {status.message}", AwsErrorKind.INVALID_RESPONSE)
        return from_status(status, region=deployment.access.region)
