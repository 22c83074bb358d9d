"""The Remotion Lambda backend: a function on AWS Lambda renders, and stores its progress and the outputs in S3.

A start is one invocation. After it, the render is polled by reading the progress file that the function writes to S3,
which costs no invocation. The start specifies the key of the output, so that the output can be found even if the
response to the start or the last write of the progress file was lost. It is looked for before any attempt counts as
failed. A still is finished when the function responds to its start.
"""

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

from services.backends.remotion_lambda.access import Access, open_access
from services.backends.remotion_lambda.attempt_outputs import AttemptOutputs
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.discovery import Discovery
from services.backends.remotion_lambda.downloads import response_headers
from services.backends.remotion_lambda.failure_kinds import BUSY, LOST, MISSING, TIMED_OUT
from services.backends.remotion_lambda.failures import classify
from services.backends.remotion_lambda.keys import cancel_key, folder, outputs_prefix
from services.backends.remotion_lambda.launcher import Launcher
from services.backends.remotion_lambda.measured_media import measured_media, still_media
from services.backends.remotion_lambda.polling import ProgressReader
from services.backends.remotion_lambda.posters import Posters
from services.backends.remotion_lambda.progress import Snapshot
from services.backends.remotion_lambda.snapshots import Snapshots
from services.backends.remotion_lambda.startup_checks import check_deployment
from services.backends.remotion_lambda.stills import Stills, is_still
from services.errors import BackendUnavailable
from services.media import Media, OutputFormat
from services.models import Composition, Download, Output, Render, RenderPhase
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress, Clock, Observation
from services.storage.aws_errors import AwsError, AwsErrorKind
from services.storage.s3 import ObjectStorage
from services.storage.s3_credentials import renewed_credentials

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
MAX_FUNCTION_TIMEOUT = timedelta(minutes=15)
# For a start, the 20 s after which the function counts as timed out, and some polls; see also `MAX_LAUNCH_DELAY_S`.
GRACE = timedelta(seconds=70)
MAX_FENCE_DELAY = timedelta(hours=1)  # by which an unavailable S3 may delay the fence of a lost start

_STORING_STILL = AttemptProgress(phase=RenderPhase.COMBINING, fraction=1.0, frames_rendered=1)

log = logging.getLogger(__name__)


class LambdaBackend:
    """A `RenderBackend` on Lambda. Open it with `open_lambda_backend`."""

    formats = frozenset(OutputFormat)

    def __init__(self, deployment: Deployment, *, access: Access, clock: Clock) -> None:
        self.site = deployment.serve_url
        self.animation_composition_id = deployment.composition
        self.capacity = deployment.capacity
        self.poll_interval = deployment.poll_interval
        self._deployment = deployment
        self._aws = access.aws
        self._storage = access.storage
        self._clock = clock
        self._stills = Stills(region=deployment.access.region)
        self._discovery = Discovery(deployment, aws=access.aws, http=access.http)
        self._launcher = Launcher(deployment, aws=access.aws, discovery=self._discovery, stills=self._stills)
        files = ProgressReader(access.http, access.aws, bucket=deployment.bucket, clock=clock)
        self._snapshots = Snapshots(deployment, aws=access.aws, files=files)
        posters = Posters(deployment, storage=access.storage, http=access.outputs_http, clock=clock)
        self._outputs = AttemptOutputs(access.storage, bucket=deployment.output_bucket, posters=posters, clock=clock)

    async def site_version(self) -> str:
        """Return the ETag of the site's index page, or what replaces it."""
        return await self._discovery.version()

    async def compositions(self) -> tuple[Composition, ...]:
        """Discover the compositions by one invocation."""
        return await self._discovery.compositions(formats=self.formats)

    def time_limit(self, render: Render) -> timedelta:
        """Return the function's timeout plus `GRACE`; more while an attempt that can't be cancelled may be running."""
        function = self._deployment.function
        timeout = MAX_FUNCTION_TIMEOUT if function is None else function.timeout
        may_run = render.backend_render_id is None and self._outputs.may_run(render, timeout_s=timeout.total_seconds())
        return timeout + GRACE + (MAX_FENCE_DELAY if may_run else timedelta())

    async def start(self, render: Render) -> str:
        """Invoke the function once and return Remotion's id of the render."""
        return await self._launcher.start(render)

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:
        """Return the state in the progress file or, if the response to the start was lost, look for the output."""
        try:
            if render.backend_render_id is None:
                return await self._outputs.observe_unanswered(render)
            if is_still(render):
                return await self._observe_still(render, render.backend_render_id)
            snapshot = await self._snapshots.read(render.backend_render_id)
            media = measured_media(render, snapshot)
            if snapshot.done or snapshot.fatal or snapshot.may_have_output or check_output:
                found = await self._outputs.find(render, cost_usd=snapshot.cost_usd, media=media)
                return found or self._without_output(render, snapshot)
            return _progress(snapshot, media)
        except AwsError as error:
            if error.kind in {AwsErrorKind.NOT_FOUND, AwsErrorKind.INVALID_RESPONSE}:
                return await self._without_file(render, error)
            await self._renew_rejected_credentials(error)
            raise _unavailable(error) from error

    async def stop(self, render: Render) -> AttemptFinished | None:
        """Store the cancel request, which the function's renderers check every second, and the attempt's fence."""
        try:
            if render.backend_render_id is not None and not is_still(render):
                await self._request_cancel(render, cancel_key(render.backend_render_id))
            return await self._outputs.fence(render)
        except AwsError as error:
            await self._renew_rejected_credentials(error)
            raise _unavailable(error) from error

    async def abandon(self, render: Render) -> None:
        """Drop the stored poll results; the function continues to run."""
        self._outputs.forget(render)
        self._stills.forget(render)
        if render.backend_render_id is not None:
            self._snapshots.forget(render.backend_render_id)

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        """Return a presigned URL. It expires with the credentials that signed it, if that is earlier."""
        return self._storage_of(output.bucket).presign_url(
            output.bucket,
            output.key,
            now=self._clock.now(),
            expires_in=expires_in,
            response=response_headers(output.key, file_name),
        )

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a presigned URL of the poster, if there is one."""
        if output.poster_key is None:
            return None
        return self._storage_of(output.bucket).presign_url(
            output.bucket, output.poster_key, now=self._clock.now(), expires_in=expires_in
        )

    def sign_preview(self, render: Render, *, expires_in: timedelta) -> None:
        """Return None: the function shows no frames before the output is complete."""

    async def has_output(self, output: Output) -> bool:
        """Return whether the object exists and is not empty."""
        try:
            return bool(await self._storage_of(output.bucket).size(output.bucket, output.key))
        except AwsError as error:
            raise _unavailable(error) from error

    async def delete(self, render: Render) -> None:
        """Delete the outputs of all attempts, the poster, and Remotion's objects of all attempts with a known id.

        The fences of stopped attempts stay: Lambda may still launch them, for up to six hours.
        """
        bucket = self._deployment.output_bucket if render.output is None else render.output.bucket
        storage = self._storage_of(bucket)
        remotions = bucket if storage is self._aws else self._deployment.bucket
        try:
            await storage.delete_all(bucket, outputs_prefix(render.id), min_bytes=1)
            for backend_render_id in (*render.earlier_backend_render_ids, render.backend_render_id):
                if backend_render_id is not None:
                    await self._aws.delete_all(remotions, folder(backend_render_id))
        except AwsError as error:
            raise _unavailable(error) from error

    def _storage_of(self, bucket: str) -> ObjectStorage:
        """Return the storage with the bucket: outputs of earlier settings are in Remotion's bucket, on AWS."""
        return self._storage if bucket == self._deployment.output_bucket else self._aws

    async def _observe_still(self, render: Render, backend_render_id: str) -> Observation:
        """Return the state of a still, whose invocation has ended."""
        found = await self._outputs.find(render, cost_usd=self._stills.cost_usd(render))
        if isinstance(found, AttemptFinished):
            return replace(found, media=still_media(render, await self._snapshots.metadata(backend_render_id)))
        return found or self._stills.failed(render) or self._lost_output(render) or _STORING_STILL

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

    def _without_output(self, render: Render, snapshot: Snapshot) -> Observation:
        """Return the state of a render whose output has been looked for and is not stored."""
        progress = _progress(snapshot, measured_media(render, snapshot))
        if snapshot.done:
            return self._lost_output(render) or progress
        if error := snapshot.fatal_error:
            failure = classify(error.message, name=error.name, stack=error.stack, kind=error.type)
            return AttemptFailed(failure=failure, busy=failure.code == BUSY.code)
        if snapshot.unlaunched:
            return AttemptFailed(failure=BUSY, busy=True)
        return AttemptFailed(failure=TIMED_OUT) if snapshot.timed_out else progress

    def _lost_output(self, render: Render) -> AttemptFailed | None:
        return AttemptFailed(failure=MISSING) if self._outputs.is_lost(render) else None

    async def _without_file(self, render: Render, error: AwsError) -> Observation:
        """Return the state of a render whose progress file can't be read, if there is an output or a fence.

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
    async with open_access(deployment) as access:
        if check:
            deployment = await check_deployment(deployment, access)
        unchecked = None if check else deployment.bucket
        backend = LambdaBackend(deployment, access=access, clock=clock)
        async with renewed_credentials(access.aws, clock=clock, unchecked=unchecked):
            yield backend


def _progress(snapshot: Snapshot, media: Media | None) -> AttemptProgress:
    return AttemptProgress(
        phase=snapshot.phase,
        fraction=snapshot.overall,
        frames_rendered=snapshot.frames_rendered,
        estimated_completion_at=snapshot.estimated_completion_at,
        cost_usd=snapshot.cost_usd,
        media=media,
    )


def _unavailable(error: AwsError) -> BackendUnavailable:
    failure = error.failure
    return BackendUnavailable(str(error) if failure is None else failure.detail or str(error), failure=failure)
