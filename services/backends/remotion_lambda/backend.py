"""The Remotion Lambda backend: a function on AWS Lambda renders, and stores its progress and the videos in S3.

A start is one invocation. After it, the render is polled by reading the progress file that the function writes to S3,
which costs no invocation. The start specifies the key of the video, so that the video can be found even if the response
to the start or the last write of the progress file was lost. It is looked for before any attempt counts as failed.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

from services.backends.remotion_lambda.attempt_outputs import AttemptOutputs
from services.backends.remotion_lambda.aws import Aws, open_aws, renew_credentials
from services.backends.remotion_lambda.aws_errors import AwsError, AwsErrorKind
from services.backends.remotion_lambda.checks import check_deployment
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.failure_kinds import BUSY, LOST, MISSING, TIMED_OUT
from services.backends.remotion_lambda.failures import classify
from services.backends.remotion_lambda.payloads import (
    PropsReference,
    Webhook,
    cancel_key,
    folder,
    inline,
    input_props,
    needs_upload,
    outputs_prefix,
    props_key,
    start_payload,
    status_payload,
    uploaded,
    video_key,
)
from services.backends.remotion_lambda.polling import ProgressReader, open_http
from services.backends.remotion_lambda.posters import Posters
from services.backends.remotion_lambda.progress import Snapshot, derive, from_status
from services.backends.remotion_lambda.responses import ErrorResponse, parse_status
from services.backends.remotion_lambda.starts import parse_started, start_error
from services.backends.remotion_lambda.webhooks import webhook_request
from services.errors import BackendUnavailable, StartImpossible, StartRefused
from services.models import Download, Output, Render
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress, Clock, Observation

FRAME_TIMEOUT = timedelta(seconds=30)  # Remotion's default for one frame to be ready
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
MAX_FUNCTION_TIMEOUT = timedelta(minutes=15)
# For a start, the 20 s after which the function counts as timed out, and some polls; see also `MAX_LAUNCH_DELAY_S`.
GRACE = timedelta(seconds=70)
MAX_FENCE_DELAY = timedelta(hours=1)  # by which an unavailable S3 may delay the fence of a lost start
MAX_OUTPUT_WAIT_S = 60.0  # S3 shows a stored object at once; the time is for errors of S3 and of the function

log = logging.getLogger(__name__)


class LambdaBackend:
    """A `RenderBackend` on Lambda. Open it with `open_lambda_backend`."""

    def __init__(
        self, deployment: Deployment, *, aws: Aws, files: ProgressReader, outputs: AttemptOutputs, clock: Clock
    ) -> None:
        self.capacity = deployment.capacity
        self.poll_interval = deployment.poll_interval
        self._deployment = deployment
        self._aws = aws
        self._files = files
        self._clock = clock
        self._outputs = outputs
        self._missing_since_s: dict[str, float] = {}  # by render: finished, but without a video

    def time_limit(self, render: Render) -> timedelta:
        """Return the function's timeout plus `GRACE`; more while an attempt that can't be cancelled may be running."""
        function = self._deployment.function
        timeout = MAX_FUNCTION_TIMEOUT if function is None else function.timeout
        may_run = render.backend_render_id is None and self._outputs.may_run(render, timeout_s=timeout.total_seconds())
        return timeout + GRACE + (MAX_FENCE_DELAY if may_run else timedelta())

    async def start(self, render: Render) -> str:
        """Invoke the function once and return Remotion's id of the render."""
        payload = self._payload(render, await self._props(input_props(render.props)))
        try:
            invocation = await self._aws.invoke(self._deployment.function_name, json.dumps(payload).encode())
        except AwsError as error:
            raise start_error(error) from error
        return parse_started(invocation)

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:
        """Return the state in the progress file or, if the response to the start was lost, look for the video."""
        try:
            if render.backend_render_id is None:
                return await self._outputs.observe_unanswered(render)
            snapshot = await self._snapshot(render.backend_render_id)
            if snapshot.done or snapshot.fatal or snapshot.may_have_output or check_output:
                found = await self._outputs.find(render, cost_usd=snapshot.cost_usd)
                return found or self._without_output(render, snapshot)
            return _progress(snapshot)
        except AwsError as error:
            if error.kind in {AwsErrorKind.NOT_FOUND, AwsErrorKind.INVALID_RESPONSE}:
                return await self._without_file(render, error)
            await self._renew_rejected_credentials(error)
            raise _unavailable(error) from error

    async def stop(self, render: Render) -> AttemptFinished | None:
        """Store the cancel request, which the function's renderers check every second, and the attempt's fence."""
        try:
            if render.backend_render_id is not None:
                await self._request_cancel(render, cancel_key(render.backend_render_id))
            return await self._outputs.fence(render)
        except AwsError as error:
            await self._renew_rejected_credentials(error)
            raise _unavailable(error) from error

    async def abandon(self, render: Render) -> None:
        """Drop the stored poll results; the function continues to run."""
        self._missing_since_s.pop(render.id, None)
        self._outputs.forget(render)
        if render.backend_render_id is not None:
            self._files.forget(render.backend_render_id)

    def sign(self, output: Output, *, expires_in: timedelta) -> Download:
        """Return a presigned URL. It expires with the credentials that signed it, if that is earlier."""
        return self._aws.presign_url(output.bucket, output.key, now=self._clock.now(), expires_in=expires_in)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a presigned URL of the poster, if there is one."""
        if output.poster_key is None:
            return None
        return self._aws.presign_url(output.bucket, output.poster_key, now=self._clock.now(), expires_in=expires_in)

    async def has_output(self, output: Output) -> bool:
        """Return whether the object exists and is not empty."""
        try:
            return bool(await self._aws.size(output.bucket, output.key))
        except AwsError as error:
            raise _unavailable(error) from error

    async def delete(self, render: Render) -> None:
        """Delete the videos of all attempts, the poster, and Remotion's objects of all attempts with a known id.

        The fences of stopped attempts stay: Lambda may still launch them, for up to six hours.
        """
        bucket = self._deployment.bucket if render.output is None else render.output.bucket
        try:
            await self._aws.delete_all(bucket, outputs_prefix(render.id), min_bytes=1)
            for backend_render_id in (*render.earlier_backend_render_ids, render.backend_render_id):
                if backend_render_id is not None:
                    await self._aws.delete_all(bucket, folder(backend_render_id))
        except AwsError as error:
            raise _unavailable(error) from error

    async def _request_cancel(self, render: Render, key: str) -> None:
        """Store the cancel request. Without permission, log that: the attempt may have ended already."""
        cancelled = {"cancelledAt": int(self._clock.now().timestamp() * 1000)}
        try:
            await self._aws.put(self._deployment.bucket, key, json.dumps(cancelled).encode())
        except AwsError as error:
            if error.kind is not AwsErrorKind.REJECTED:
                raise
            log.warning(
                "attempt %d of render %s can't be cancelled if it is running. Grant s3:PutObject on "
                "renders/*/cancel.json to the AWS user (%s)",
                render.attempt,
                render.id,
                error,
            )

    def _payload(self, render: Render, props: PropsReference) -> dict[str, object]:
        deployment = self._deployment
        payload = start_payload(
            version=deployment.version,
            serve_url=deployment.serve_url,
            composition=deployment.composition,
            bucket=deployment.bucket,
            output_key=video_key(render.id, render.attempt),
            props=props,
            frame_timeout=FRAME_TIMEOUT,
            webhook=self._webhook(render),
        )
        return payload | {
            "privacy": deployment.privacy,
            "colorSpace": deployment.color_space,
            "imageFormat": deployment.image_format,
            "licenseKey": deployment.license_key,
        }

    async def _props(self, props: str) -> PropsReference:
        """Return the reference to the props for a start; props that are too large are first stored in S3."""
        if not needs_upload(props):
            return inline(props)
        name = secrets.token_hex(16)
        try:
            await self._aws.put(self._deployment.bucket, props_key(name), props.encode())
        except AwsError as error:
            # Nothing was started, whether the props were stored or not.
            raise (StartRefused(str(error)) if error.failure is None else StartImpossible(error.failure)) from error
        return uploaded(name, bucket=self._deployment.bucket)

    def _webhook(self, render: Render) -> Webhook | None:
        url, secret = self._deployment.webhook_base_url, self._deployment.webhook_secret
        return None if url is None or secret is None else webhook_request(url, secret, render.id)

    async def _snapshot(self, backend_render_id: str) -> Snapshot:
        deployment = self._deployment
        if deployment.function is None:
            return await self._snapshot_by_invocation(backend_render_id)
        reading = await self._files.read(backend_render_id)
        return derive(
            reading.file,
            function=deployment.function,
            region=deployment.access.region,
            now=reading.now,
            written_at=reading.read_at,
        )

    async def _snapshot_by_invocation(self, backend_render_id: str) -> Snapshot:
        deployment = self._deployment
        payload = status_payload(version=deployment.version, bucket=deployment.bucket, render_id=backend_render_id)
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

    def _without_output(self, render: Render, snapshot: Snapshot) -> Observation:
        """Return the state of a render whose video has been looked for and is not stored."""
        if snapshot.done:
            now_s = self._clock.monotonic()
            waited_s = now_s - self._missing_since_s.setdefault(render.id, now_s)
            return AttemptFailed(failure=MISSING) if waited_s >= MAX_OUTPUT_WAIT_S else _progress(snapshot)
        if error := snapshot.fatal_error:
            failure = classify(error.message, name=error.name, stack=error.stack, kind=error.type)
            return AttemptFailed(failure=failure, busy=failure.code == BUSY.code)
        if snapshot.unlaunched:
            return AttemptFailed(failure=BUSY, busy=True)
        return AttemptFailed(failure=TIMED_OUT) if snapshot.timed_out else _progress(snapshot)

    async def _without_file(self, render: Render, error: AwsError) -> Observation:
        """Return the state of a render whose progress file can't be read, if there is a video or a fence.

        Raises `BackendUnavailable` otherwise.
        """
        try:
            if found := await self._outputs.find(render):
                return found
        except AwsError as storage_error:
            raise _unavailable(storage_error) from storage_error
        raise BackendUnavailable(str(error), failure=LOST if error.kind is AwsErrorKind.NOT_FOUND else None)

    async def _renew_rejected_credentials(self, error: AwsError) -> None:
        """Load the current credentials from boto3 if AWS rejected the request, possibly because of old credentials."""
        if error.kind is AwsErrorKind.REJECTED:
            with contextlib.suppress(AwsError):
                await self._aws.refresh_credentials()


@contextlib.asynccontextmanager
async def open_lambda_backend(deployment: Deployment, *, clock: Clock, check: bool) -> AsyncIterator[LambdaBackend]:
    """Open the backend; with `check`, first verify that renders can be started. Raises `StartupError` if not.

    A process that starts no renders needs no `check`, nor the permission to invoke the function.
    """
    async with open_aws(deployment.access) as aws, open_http(aws.address(deployment.bucket)) as http:
        if check:
            deployment = await check_deployment(deployment, aws=aws, http=http)
        files = ProgressReader(http, aws, bucket=deployment.bucket, clock=clock)
        unchecked = None if check else deployment.bucket
        posters = Posters(deployment, aws=aws, http=http, clock=clock)
        outputs = AttemptOutputs(aws, bucket=deployment.bucket, posters=posters, clock=clock)
        backend = LambdaBackend(deployment, aws=aws, files=files, outputs=outputs, clock=clock)
        renewing = asyncio.create_task(
            renew_credentials(aws, clock=clock, unchecked=unchecked), name="renew AWS credentials"
        )
        try:
            yield backend
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])


def _progress(snapshot: Snapshot) -> AttemptProgress:
    return AttemptProgress(
        phase=snapshot.phase,
        fraction=snapshot.overall,
        frames_rendered=snapshot.frames_rendered,
        estimated_completion_at=snapshot.estimated_completion_at,
        cost_usd=snapshot.cost_usd,
    )


def _unavailable(error: AwsError) -> BackendUnavailable:
    failure = error.failure
    return BackendUnavailable(str(error) if failure is None else failure.detail or str(error), failure=failure)
