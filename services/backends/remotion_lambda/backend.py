"""The backend of production: Remotion's function on AWS Lambda renders, and keeps its progress and the videos on S3.

A start is one invocation. From then on the render is followed by reading the file on S3 in which the function tells
its progress, which costs no invocation. The video is stored under a key of our choice, so that it can be found even if
the answer to the start was lost.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

from services.backends.remotion_lambda.answers import Refused, parse_status
from services.backends.remotion_lambda.aws import Aws, keep_access, open_aws
from services.backends.remotion_lambda.checks import checked
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.failures import BUSY, TIMED_OUT, classify
from services.backends.remotion_lambda.faults import AwsError, Meaning
from services.backends.remotion_lambda.payloads import (
    PropsReference,
    Webhook,
    cancel_key,
    folder,
    inline,
    input_props,
    needs_upload,
    outputs_prefix,
    poster_key,
    props_key,
    start_payload,
    status_payload,
    still_payload,
    uploaded,
    video_key,
)
from services.backends.remotion_lambda.polling import ProgressReader, open_http
from services.backends.remotion_lambda.posters import Posters
from services.backends.remotion_lambda.progress import Snapshot, derive, from_status
from services.backends.remotion_lambda.starts import not_started, started
from services.backends.remotion_lambda.webhooks import ask_for_webhook
from services.errors import BackendUnavailable, StartImpossible, StartRefused
from services.models import Download, Failure, Output, Render, RenderPhase
from services.ports import Broken, Clock, Finished, Observation, Progress

FRAME_TIMEOUT = timedelta(seconds=30)  # Remotion's default for one frame to be ready
POSTER_TIMEOUT = timedelta(seconds=15)  # the same for a poster's, which nobody waits for so long
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
MAX_FUNCTION_TIMEOUT = timedelta(minutes=15)
GRACE = timedelta(seconds=70)  # a start, the 20 s after which the function counts as timed out, and some polls
RENDER_LOST = Failure(
    code="RENDER_LOST", message="The render was removed while it was made. Please try again.", retryable=True
)


class LambdaBackend:
    """A `RenderBackend` on Lambda. Open it with `open_lambda_backend`."""

    def __init__(self, deployment: Deployment, *, aws: Aws, files: ProgressReader, clock: Clock) -> None:
        self.capacity = deployment.capacity
        self.poll_interval = deployment.poll_interval
        self._deployment = deployment
        self._aws = aws
        self._files = files
        self._clock = clock
        self._posters = Posters(deployment, aws=aws, clock=clock, payload=self._poster_payload)

    def time_limit(self, render: Render) -> timedelta:  # noqa: ARG002  # the function has one limit for all
        """Return the function's timeout and a grace for what comes before and after it."""
        function = self._deployment.function
        return (MAX_FUNCTION_TIMEOUT if function is None else function.timeout) + GRACE

    async def start(self, render: Render) -> str:
        """Invoke the function once and return Remotion's id of the render."""
        payload = self._payload(render, await self._props(input_props(render.props)))
        try:
            answer = await self._aws.invoke(self._deployment.function_name, json.dumps(payload).encode())
        except AwsError as error:
            raise not_started(error) from error
        return started(answer)

    async def observe(self, render: Render) -> Observation:
        """Return what the function tells; or, if its answer to the start was lost, whether there is a video.

        Meanwhile its poster is made, whichever process looks.
        """
        return await self._posters.added_to(await self._look(render), render)

    async def _look(self, render: Render) -> Observation:
        try:
            if render.backend_render_id is None:
                return await self._finished(render) or _LAUNCHING
            snapshot = await self._snapshot(render.backend_render_id)
            return await self._meaning(render, snapshot)
        except AwsError as error:
            if error.meaning in {Meaning.ABSENT, Meaning.UNREADABLE}:
                return await self._without_file(render, error)
            await self._mend(error)
            raise _unavailable(error) from error

    async def cancel(self, render: Render) -> None:
        """Put the file that the function's renderers look for every second."""
        if render.backend_render_id is None:
            return
        cancelled = {"cancelledAt": int(self._clock.now().timestamp() * 1000)}
        try:
            await self._aws.put(
                self._deployment.bucket, cancel_key(render.backend_render_id), json.dumps(cancelled).encode()
            )
        except AwsError as error:
            raise _unavailable(error) from error

    async def abandon(self, render: Render) -> None:
        """Forget what was read last; the function goes on by itself."""
        self._posters.abandon(render)
        if render.backend_render_id is not None:
            self._files.forget(render.backend_render_id)

    def sign(self, output: Output, *, expires_in: timedelta) -> Download:
        """Return a presigned URL. It ends with the credentials that signed it, if that is earlier."""
        return self._aws.sign(output.bucket, output.key, now=self._clock.now(), expires_in=expires_in)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a presigned URL of the poster, if there is one."""
        if output.poster_key is None:
            return None
        return self._aws.sign(output.bucket, output.poster_key, now=self._clock.now(), expires_in=expires_in)

    async def has_output(self, output: Output) -> bool:
        """Return whether the object is there."""
        try:
            return await self._aws.size(output.bucket, output.key) is not None
        except AwsError as error:
            raise _unavailable(error) from error

    async def delete(self, render: Render) -> None:
        """Remove the videos of all attempts, the poster, and what Remotion keeps of the last attempt."""
        bucket = self._deployment.bucket if render.output is None else render.output.bucket
        try:
            await self._aws.delete_all(bucket, outputs_prefix(render.id))
            if render.backend_render_id is not None:
                await self._aws.delete_all(bucket, folder(render.backend_render_id))
        except AwsError as error:
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Stop making posters."""
        await self._posters.close()

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
        return payload | {"privacy": deployment.privacy, "licenseKey": deployment.license_key}

    def _poster_payload(self, render: Render) -> dict[str, object]:
        props = inline(input_props(render.props))
        return still_payload(
            self._payload(render, props),
            output_key=poster_key(render.id),
            props=props,
            frame=render.total_frames - 1,
            frame_timeout=POSTER_TIMEOUT,
        )

    async def _props(self, props: str) -> PropsReference:
        """Return the props as a start names them: as they are, or where they were stored if they are too large."""
        if not needs_upload(props):
            return inline(props)
        name = secrets.token_hex(16)
        try:
            await self._aws.put(self._deployment.bucket, props_key(name), props.encode())
        except AwsError as error:
            # Nothing was started, whatever became of the props.
            raise (StartRefused(str(error)) if error.failure is None else StartImpossible(error.failure)) from error
        return uploaded(name, bucket=self._deployment.bucket)

    def _webhook(self, render: Render) -> Webhook | None:
        url, secret = self._deployment.webhook_base_url, self._deployment.webhook_secret
        return None if url is None or secret is None else ask_for_webhook(url, secret, render.id)

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
        answer = await self._aws.invoke(deployment.function_name, json.dumps(payload).encode())
        try:
            status = parse_status(answer.body)
        except ValueError as error:
            raise AwsError(
                f"the function's answer can't be understood: {answer.body[:500]!r}", Meaning.UNREADABLE
            ) from error
        if isinstance(status, Refused):
            raise AwsError(f"the function does not tell the status: {status.message}", Meaning.UNREADABLE)
        return from_status(status)

    async def _meaning(self, render: Render, snapshot: Snapshot) -> Observation:
        if snapshot.done:
            size_bytes = (
                snapshot.output_size_bytes
                or await self._aws.size(self._deployment.bucket, video_key(render.id, render.attempt))
                or 0
            )
            return self._output(render, size_bytes, snapshot.cost_usd)
        if error := snapshot.fatal_error:
            failure = classify(error.message, name=error.name, stack=error.stack, kind=error.type)
            return Broken(failure=failure, busy=failure.code == BUSY.code)
        if snapshot.may_have_output and (finished := await self._finished(render, snapshot.cost_usd)):
            return finished
        if snapshot.timed_out:
            return Broken(failure=TIMED_OUT)
        return Progress(
            phase=snapshot.phase,
            fraction=snapshot.overall,
            frames_rendered=snapshot.frames_rendered,
            estimated_completion_at=snapshot.estimated_completion_at,
            cost_usd=snapshot.cost_usd,
        )

    async def _without_file(self, render: Render, fault: AwsError) -> Observation:
        """Return what is known of a render whose progress can't be read: its video, if that is stored."""
        try:
            if finished := await self._finished(render):
                return finished
        except AwsError as error:
            raise _unavailable(error) from error
        raise BackendUnavailable(str(fault), failure=RENDER_LOST if fault.meaning is Meaning.ABSENT else None)

    async def _finished(self, render: Render, cost_usd: float | None = None) -> Finished | None:
        size_bytes = await self._aws.size(self._deployment.bucket, video_key(render.id, render.attempt))
        return None if size_bytes is None else self._output(render, size_bytes, cost_usd)

    def _output(self, render: Render, size_bytes: int, cost_usd: float | None) -> Finished:
        output = Output(bucket=self._deployment.bucket, key=video_key(render.id, render.attempt), size_bytes=size_bytes)
        return Finished(output=output, cost_usd=cost_usd)

    async def _mend(self, error: AwsError) -> None:
        """Use newer credentials from now on, if it was those that AWS refused and boto3 has newer ones."""
        if error.meaning is Meaning.REFUSED:
            with contextlib.suppress(AwsError):
                await self._aws.refresh_credentials()


_LAUNCHING = Progress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)


@contextlib.asynccontextmanager
async def open_lambda_backend(deployment: Deployment, *, clock: Clock, check: bool) -> AsyncIterator[LambdaBackend]:
    """Connect to AWS; with `check`, make sure first that renders can be started. Raises `StartupError` if not.

    A process that starts no renders needs no `check`, and no right to invoke the function.
    """
    async with open_aws(deployment.access) as aws, open_http(aws.address(deployment.bucket)) as http:
        if check:
            deployment = await checked(deployment, aws=aws, http=http)
        files = ProgressReader(http, aws, bucket=deployment.bucket, clock=clock)
        unchecked = None if check else deployment.bucket
        backend = LambdaBackend(deployment, aws=aws, files=files, clock=clock)
        renewing = asyncio.create_task(keep_access(aws, clock=clock, unchecked=unchecked), name="keep access to AWS")
        try:
            yield backend
        finally:
            await backend.close()
            renewing.cancel()
            await asyncio.wait([renewing])


def _unavailable(error: AwsError) -> BackendUnavailable:
    return BackendUnavailable(str(error), failure=error.failure)
