"""Starts attempts: builds the payload for the render's output, and invokes the function."""

import asyncio
import json
import secrets
from dataclasses import replace
from math import ceil

from services.backends.remotion_lambda.aws import Aws
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.discovery import CompositionsError, Discovery
from services.backends.remotion_lambda.failure_kinds import NO_COMPOSITION
from services.backends.remotion_lambda.keys import output_key, props_key
from services.backends.remotion_lambda.payloads import Target, Webhook, start_payload, still_payload
from services.backends.remotion_lambda.props import PropsReference, inline, needs_upload, uploaded
from services.backends.remotion_lambda.starts import not_started, parse_started, start_error
from services.backends.remotion_lambda.stills import Stills, is_still
from services.backends.remotion_lambda.webhooks import webhook_request
from services.backends.remotion_options import media_fields, still_fields
from services.backends.remotion_props import props_of
from services.errors import StartImpossible, StartRejected
from services.media import FORMATS, Media, forced_frames
from services.models import Render
from services.storage.aws_errors import AwsError

EVALUATION_TIMEOUT_S = 20.0  # with the start, less than the worker's `MAX_LAUNCH_S`
MAX_FUNCTIONS = 200  # of one render: https://www.remotion.dev/docs/lambda/concurrency


class Launcher:
    """Starts attempts on one deployment. Every method raises as `RenderBackend.start` does."""

    def __init__(self, deployment: Deployment, *, aws: Aws, discovery: Discovery, stills: Stills) -> None:
        self._deployment = deployment
        self._aws = aws
        self._discovery = discovery
        self._stills = stills

    async def start(self, render: Render) -> str:
        """Invoke the function once and return Remotion's id of the render. A still has been rendered by then."""
        props = await self._props(render)
        if is_still(render):
            return await self._start_still(render, props)
        payload = start_payload(
            self._target(render),
            composition=self._composition(render),
            output_key=_output_key(render),
            props=props,
            fields=media_fields(
                render.output_options,
                capture=self._deployment.capture,
                forced_frames=await self._forced_frames(render, props),
            ),
            webhook=self._webhook(render),
        )
        try:
            invocation = await self._aws.invoke(self._deployment.function_name, json.dumps(payload).encode())
        except AwsError as error:
            raise start_error(error) from error
        return parse_started(invocation)

    async def _start_still(self, render: Render, props: PropsReference) -> str:
        payload = still_payload(
            self._target(render),
            composition=self._composition(render),
            output_key=_output_key(render),
            props=props,
            fields=still_fields(render.output_options),
        )
        try:
            invocation = await self._aws.invoke_and_wait(self._deployment.function_name, json.dumps(payload).encode())
        except AwsError as error:
            raise start_error(error) from error
        return self._stills.record(invocation)

    def _target(self, render: Render) -> Target:
        """Return the target, with so many frames in each invocation that Remotion's limit of invocations holds."""
        target = self._deployment.target
        if target.frames_per_lambda is None:
            return target
        at_least = ceil(render.total_frames / MAX_FUNCTIONS)
        return replace(target, frames_per_lambda=max(target.frames_per_lambda, at_least))

    def _composition(self, render: Render) -> str:
        """Return the id of the composition; `animationProps` are for the one that is configured now."""
        return render.composition_id if render.props is None else self._deployment.composition

    async def _props(self, render: Render) -> PropsReference:
        """Return the reference to the props for a start; props that are too large are first stored in S3."""
        props = props_of(render)
        if not needs_upload(props):
            return inline(props)
        name = secrets.token_hex(16)
        try:
            await self._aws.put(self._deployment.bucket, props_key(name), props.encode())
        except AwsError as error:
            raise not_started(error) from error
        return uploaded(name, bucket=self._deployment.bucket)

    async def _forced_frames(self, render: Render, props: PropsReference) -> int | None:
        """Return the number of frames that keeps the duration at the frame rate of the options, if they have one.

        The composition may calculate its duration from the props, so the function evaluates it first.
        """
        options = render.output_options
        if options.fps is None:
            return None
        if render.props is not None:
            animation = Media(frames=render.props.duration_in_frames, fps=render.props.fps)
            return forced_frames(animation, options)
        return forced_frames(await self._evaluate(self._composition(render), props), options)

    async def _evaluate(self, composition: str, props: PropsReference) -> Media:
        """Return the composition's number of frames and frame rate with these props."""
        try:
            async with asyncio.timeout(EVALUATION_TIMEOUT_S):
                found = await self._discovery.evaluate(props)
        except TimeoutError as error:
            raise StartRejected("the composition was not evaluated in time") from error
        except AwsError as error:
            raise not_started(error) from error
        except CompositionsError as error:
            raise (StartRejected(str(error)) if error.failure.retryable else StartImpossible(error.failure)) from error
        for each in found:
            match each:
                case {"id": str(name), "durationInFrames": int(frames), "fps": int(fps) | float(fps)} if (
                    name == composition and fps > 0
                ):
                    return Media(frames=frames, fps=fps)
        raise StartImpossible(NO_COMPOSITION)

    def _webhook(self, render: Render) -> Webhook | None:
        url, secret = self._deployment.webhook_base_url, self._deployment.webhook_secret
        return None if url is None or secret is None else webhook_request(url, secret, render.id)


def _output_key(render: Render) -> str:
    return output_key(render.id, render.attempt, FORMATS[render.output_options.format].extension)
