"""What a worker makes sure of before it takes renders, so that a wrong setting is told once and not by each render."""

import json
import logging
from dataclasses import replace
from http import HTTPStatus

import aiohttp

from services.backends.remotion.answers import Refused, parse_info
from services.backends.remotion.aws import Aws
from services.backends.remotion.deployment import Deployment
from services.backends.remotion.faults import AwsFault, Meaning
from services.backends.remotion.payloads import info_payload
from services.errors import StartupError

log = logging.getLogger(__name__)


async def checked(deployment: Deployment, *, aws: Aws, http: aiohttp.ClientSession) -> Deployment:
    """Return the deployment with its version, if renders can be started on it. Raises `StartupError`."""
    try:
        version = await _version(deployment, aws)
        await aws.require_bucket(deployment.bucket)
    except AwsFault as error:
        raise StartupError(_sentence(deployment, error)) from error
    if not version.startswith(deployment.version):  # names hold the beginning of a long one only
        raise StartupError(
            f"The function {deployment.function_name} is of Remotion {version}, not {deployment.version}: deploy it "
            "again, or correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_VERSION."
        )
    await _require_site(deployment.serve_url, http)
    return replace(deployment, version=version)


async def _version(deployment: Deployment, aws: Aws) -> str:
    """Ask the function; one that is there but busy is believed to be what its name says."""
    try:
        answer = await aws.invoke(deployment.function_name, json.dumps(info_payload()).encode())
    except AwsFault as error:
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


async def _require_site(serve_url: str, http: aiohttp.ClientSession) -> None:
    """Raise if the site is known not to be there; that this machine can't reach it says little of the function."""
    try:
        async with http.get(serve_url) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("the site of REMOTION_SERVE_URL can't be reached from here: %s", error)
        return
    if status >= HTTPStatus.BAD_REQUEST:
        raise StartupError(f"REMOTION_SERVE_URL answers {status}: deploy the site again, or correct the URL.")


def _sentence(deployment: Deployment, error: AwsFault) -> str:
    where = f"{deployment.function_name} in {deployment.access.region} with the bucket {deployment.bucket}"
    if error.remedy is None:
        return f"Remotion Lambda can't be reached ({where}): {error}"
    return f"Remotion Lambda can't be used ({where}). {error.remedy.sentence} ({error})"
