"""What a worker makes sure of before it takes renders, so that a wrong setting is told once and not by each render.

`rendercast doctor` asks the same and more, a question at a time.
"""

import json
import logging
import re
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from yarl import URL

from services.backends.remotion_lambda.answers import Refused, parse_info
from services.backends.remotion_lambda.aws import Aws, open_aws
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.faults import AwsError, Meaning
from services.backends.remotion_lambda.payloads import cancel_key, folder, info_payload
from services.backends.remotion_lambda.polling import open_http
from services.errors import StartupError

CANCELLABLE = (4, 0, 515)  # the first version whose functions look for `cancel.json`
BUILT_AGAINST = (4, 0, 527)
PROBE = b"rendercast doctor was here"
PROBE_GOOD_FOR = timedelta(minutes=5)

T = TypeVar("T")

log = logging.getLogger(__name__)


async def checked(deployment: Deployment, *, aws: Aws, http: aiohttp.ClientSession) -> Deployment:
    """Return the deployment with its version, if renders can be started on it. Raises `StartupError`."""
    try:
        version = await _version(deployment, aws)
        await aws.require_bucket(deployment.bucket)
    except AwsError as error:
        raise StartupError(_sentence(deployment, error)) from error
    _require_version(deployment, version)
    await _require_site(deployment.serve_url, http)
    return replace(deployment, version=version)


class Checks:
    """Questions about a deployment, in any order. Open it with `open_checks`.

    Each raises `StartupError` with a sentence that says what to mend. The probe is a file of a render that never was.
    """

    def __init__(self, deployment: Deployment, *, aws: Aws, http: aiohttp.ClientSession) -> None:
        self._deployment = deployment
        self._aws = aws
        self._http = http
        self._render_id = f"rendercast-doctor-{secrets.token_hex(8)}"
        self._probe = cancel_key(self._render_id)

    async def require_function(self) -> str:
        """Return the version of the function, if it is the one that is set and is supported."""
        version = await self._told(_version(self._deployment, self._aws))
        _require_version(self._deployment, version)
        if (reason := unsupported(version)) is not None:
            raise StartupError(f"The function is of Remotion {version}: {reason}")
        return version

    async def require_bucket(self) -> None:
        """Return if the bucket is there and may be listed."""
        await self._told(self._aws.require_bucket(self._deployment.bucket))

    async def require_site(self) -> None:
        """Return if the site is there, as seen from here."""
        try:
            await _require_site(self._deployment.serve_url, self._http, must_answer=True)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StartupError(
                f"REMOTION_SERVE_URL can't be reached from here ({type(error).__name__}). It is the function that must "
                "reach it, so this may be the network of this machine."
            ) from error

    async def store_probe(self) -> None:
        """Store the probe where a worker asks a render to stop."""
        await self._told(self._aws.put(self._deployment.bucket, self._probe, PROBE))

    async def read_probe(self) -> None:
        """Read the probe by a signed URL, as workers read progress and clients their videos."""
        now = datetime.now(UTC)
        signed = self._aws.sign(self._deployment.bucket, self._probe, now=now, expires_in=PROBE_GOOD_FOR)
        if (status := await self._status(signed.url)) != HTTPStatus.OK:
            raise StartupError(f"A signed URL of a file in renders/ answers {status}: grant s3:GetObject for it.")

    async def look_for_video(self) -> None:
        """Look for a video that is not there; S3 only says so to those who may read it and list the bucket."""
        await self._told(self._aws.size(self._deployment.bucket, f"rendercast/{self._render_id}.mp4"))

    async def remove_probe(self) -> None:
        """Remove the probe as a render's files are removed."""
        await self._told(self._aws.delete_all(self._deployment.bucket, folder(self._render_id)))

    async def require_privacy(self) -> str:
        """Return the folder whose probe was kept from a stranger who knows its key: that of videos, if we may write it.

        The probe must be stored.
        """
        bucket, place, key = self._deployment.bucket, "rendercast/", f"rendercast/{self._render_id}/probe"
        try:
            await self._aws.put(bucket, key, PROBE)
        except AwsError:  # the least permissions don't have it
            place, key = "renders/", self._probe
        try:
            status = await self._status(self._aws.address(bucket) + key)
        finally:
            if key != self._probe:
                await self._told(self._aws.delete_all(bucket, key))
        if status == HTTPStatus.OK:
            raise StartupError(
                f"Everybody who knows the key of an object in {place} can read it, so download URLs work without their "
                "signature and never expire: replace the bucket's policy; docs/deploying.md, The bucket, has one."
            )
        return place

    async def _status(self, url: str) -> int:
        try:
            async with self._http.get(URL(url, encoded=True)) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StartupError(f"The bucket can't be reached by a URL ({type(error).__name__}).") from error

    async def _told(self, call: Awaitable[T]) -> T:
        """Return what the call does. What AWS has against it is raised as a sentence."""
        try:
            return await call
        except AwsError as error:
            raise StartupError(_sentence(self._deployment, error)) from error


@asynccontextmanager
async def open_checks(deployment: Deployment) -> AsyncIterator[Checks]:
    """Find credentials, which raises `StartupError` if there are none that can be used."""
    async with open_aws(deployment.access) as aws, open_http(aws.address(deployment.bucket)) as http:
        yield Checks(deployment, aws=aws, http=http)


def unsupported(version: str) -> str | None:
    """Return what is wrong with a version of Remotion, None if nothing is known to be."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if numbers < CANCELLABLE:
        return "renders can't be cancelled before 4.0.515; deploy a newer one."
    if numbers[:2] != BUILT_AGAINST[:2]:
        return "Rendercast was built against 4.0.527 and may not understand it; deploy one of 4.0."
    return None


def _require_version(deployment: Deployment, version: str) -> None:
    if not version.startswith(deployment.version):  # names hold the beginning of a long one only
        raise StartupError(
            f"The function {deployment.function_name} is of Remotion {version}, not {deployment.version}: deploy it "
            "again, or correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_VERSION."
        )


async def _version(deployment: Deployment, aws: Aws) -> str:
    """Ask the function; one that is there but busy is believed to be what its name says."""
    try:
        answer = await aws.invoke(deployment.function_name, json.dumps(info_payload()).encode())
    except AwsError as error:
        if error.meaning is Meaning.NOT_NOW and deployment.version:
            log.warning("the function is too busy to tell its version: %s", error)
            return deployment.version
        raise
    try:
        told = parse_info(answer.body)
    except ValueError:
        told = Refused(message=repr(answer.body[:200]))
    if isinstance(told, Refused):
        raise StartupError(
            f"The function {deployment.function_name} does not tell its version: correct REMOTION_LAMBDA_FUNCTION_NAME "
            f"if it is none of Remotion's. It answers: {told.message}"
        )
    return told.version


async def _require_site(serve_url: str, http: aiohttp.ClientSession, *, must_answer: bool = False) -> None:
    """Raise if the site is known not to be there; that this machine can't reach it says little of the function."""
    try:
        async with http.get(serve_url) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        if must_answer:
            raise
        log.warning("the site of REMOTION_SERVE_URL can't be reached from here: %s", error)
        return
    if status >= HTTPStatus.BAD_REQUEST:
        raise StartupError(f"REMOTION_SERVE_URL answers {status}: deploy the site again, or correct the URL.")


def _sentence(deployment: Deployment, error: AwsError) -> str:
    where = f"{deployment.function_name} in {deployment.access.region} with the bucket {deployment.bucket}"
    if error.remedy is None:
        return f"Remotion Lambda can't be reached ({where}): {error}"
    return f"Remotion Lambda can't be used ({where}). {error.remedy.sentence} ({error})"
