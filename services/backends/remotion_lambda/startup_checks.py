"""Checks of a deployment that a worker makes at its start, so that a wrong setting is reported once."""

import contextlib
import json
import logging
from dataclasses import replace
from http import HTTPStatus

import aiohttp

from services.backends.remotion_lambda.access import Access
from services.backends.remotion_lambda.aws import Aws
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.failure_kinds import ACL, DENIED
from services.backends.remotion_lambda.payloads import info_payload
from services.backends.remotion_lambda.responses import ErrorResponse, parse_info
from services.errors import StartupError
from services.storage.aws_errors import AwsError, AwsErrorKind
from services.storage.s3 import ObjectStorage
from services.storage.s3_bucket import describe as describe_bucket

# Each key of a probe is in `renders/` or `rendercast/` and has this prefix, to which the permission to delete may be
# limited.
PROBES = "rendercast-doctor-"
CANT_STORE = (
    "Posters can't be stored, and a stopped attempt may be launched later: grant s3:PutObject on rendercast/* to the "
    "AWS user."
)

log = logging.getLogger(__name__)


async def check_deployment(deployment: Deployment, access: Access) -> Deployment:
    """Return the deployment with its version. Raises `StartupError` unless renders can be started on it."""
    try:
        version = await fetch_version(deployment, access.aws)
        await access.aws.require_bucket(deployment.bucket)
    except AwsError as error:
        raise StartupError(describe(deployment, error)) from error
    if access.storage is not access.aws:
        await _require_output_bucket(deployment, access.storage)
    require_version(deployment, version)
    await _check_writing(deployment, access.storage)
    await require_site(deployment.serve_url, access.http)
    return replace(deployment, version=version)


async def _require_output_bucket(deployment: Deployment, storage: ObjectStorage) -> None:
    try:
        await storage.require_bucket(deployment.output_bucket)
    except AwsError as error:
        raise StartupError(describe_storage(deployment, error)) from error


async def _check_writing(deployment: Deployment, storage: ObjectStorage) -> None:
    """Raise `StartupError` if the bucket rejects the access control list of videos. Log a missing permission.

    A fixed key is used, so that without the permission to delete only one empty object stays.
    """
    key = f"rendercast/{PROBES}start"
    try:
        await storage.put_if_absent(deployment.output_bucket, key)
    except AwsError as error:
        log.warning("%s (%s)", CANT_STORE if is_denied(error) else "Videos can't be stored.", error)
        return
    try:
        if deployment.privacy == "private":
            await storage.put(deployment.output_bucket, key, b"", has_acl=True)
    except AwsError as error:
        if error.remedy is not None and error.remedy.code == ACL.code:
            raise StartupError(describe_storage(deployment, error)) from error
    finally:
        with contextlib.suppress(AwsError):  # the permission to delete is not required
            await storage.delete_all(deployment.output_bucket, key)


def is_denied(error: AwsError) -> bool:
    """Return whether a permission is missing."""
    return error.remedy is not None and error.remedy.code == DENIED.code


def require_version(deployment: Deployment, version: str) -> None:
    """Raise `StartupError` if the function has another version than the configured one."""
    if not version.startswith(deployment.version):  # the function's name may have a truncated version
        raise StartupError(
            f"The function {deployment.function_name} has Remotion {version}, not {deployment.version}: deploy it "
            "again, or correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_VERSION."
        )


async def fetch_version(deployment: Deployment, aws: Aws) -> str:
    """Return the version that the function reports, or the configured one if the function exists but is throttled."""
    try:
        invocation = await aws.invoke(deployment.function_name, json.dumps(info_payload()).encode())
    except AwsError as error:
        if error.kind is AwsErrorKind.THROTTLED and deployment.version:
            log.warning("the function is too busy to report its version: %s", error)
            return deployment.version
        raise
    try:
        response = parse_info(invocation.body)
    except ValueError:
        response = ErrorResponse(message=repr(invocation.body[:200]))
    if isinstance(response, ErrorResponse):
        raise StartupError(
            f"The function {deployment.function_name} does not report its version: correct "
            f"REMOTION_LAMBDA_FUNCTION_NAME if it is not a function of Remotion. Its response: {response.message}"
        )
    return response.version


async def require_site(serve_url: str, http: aiohttp.ClientSession, *, must_respond: bool = False) -> None:
    """Raise `StartupError` if the site doesn't exist.

    If this machine can't reach the site, raise aiohttp's error if the site `must_respond`. Otherwise only log the
    error, since the function may still reach the site.
    """
    try:
        async with http.get(serve_url) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        if must_respond:
            raise
        log.warning("REMOTION_SERVE_URL can't be reached from this machine (%s)", type(error).__name__)
        return
    if status >= HTTPStatus.BAD_REQUEST:
        raise StartupError(f"REMOTION_SERVE_URL returns {status}: deploy the site again, or correct the URL.")


def describe(deployment: Deployment, error: AwsError) -> str:
    """Return the operator's sentence for an error of the function or of Remotion's bucket."""
    where = f"{deployment.function_name} in {deployment.access.region} with the bucket {deployment.bucket}"
    if error.remedy is None:
        return f"Remotion Lambda can't be reached ({where}): {error}"
    return f"Remotion Lambda can't be used ({where}). {error.remedy.sentence} ({error})"


def describe_storage(deployment: Deployment, error: AwsError) -> str:
    """Return the operator's sentence for an error of the storage that has the outputs."""
    provider = deployment.output_provider
    return describe(deployment, error) if provider is None else describe_bucket(provider, error)
