"""Discovers the compositions of the site by one invocation that evaluates all of them; reads the site's version."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import aiohttp
from yarl import URL

from services.backends.remotion_lambda.aws import Aws
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.failures import classify
from services.backends.remotion_lambda.payloads import compositions_payload
from services.backends.remotion_lambda.polling import read_limited
from services.backends.remotion_lambda.props import PropsReference, inline
from services.backends.remotion_lambda.responses import ErrorResponse, parse_compositions, parse_crash
from services.compositions.remotion import read_compositions
from services.errors import BackendUnavailable
from services.media import OutputFormat
from services.models import Composition, Failure
from services.storage.aws_errors import AwsError

NO_PROPS = "{}"
_REJECTED = {HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}


class CompositionsError(Exception):
    """The function could not evaluate the compositions. `failure` has its error and the operator's action."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(f"the compositions can't be read ({failure.code}): {failure.detail or failure.message}")


class Discovery:
    """The compositions of one deployment's site."""

    def __init__(self, deployment: Deployment, *, aws: Aws, http: aiohttp.ClientSession) -> None:
        self._deployment = deployment
        self._aws = aws
        self._http = http

    async def version(self) -> str:
        """Return the ETag of the site's index, else when it was changed, else its hash. Raises `BackendUnavailable`."""
        try:
            return await self._head() or await self._get()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BackendUnavailable(
                f"REMOTION_SERVE_URL can't be reached from this machine: {type(error).__name__}"
            ) from error

    async def compositions(self, *, formats: frozenset[OutputFormat]) -> tuple[Composition, ...]:
        """Return all compositions with their default props. Raises `BackendUnavailable`."""
        try:
            return read_compositions(await self.evaluate(inline(NO_PROPS)), formats=formats)
        except AwsError as error:
            failure = error.failure
            detail = str(error) if failure is None else failure.detail or str(error)
            raise BackendUnavailable(detail, failure=failure) from error
        except CompositionsError as error:
            raise BackendUnavailable(str(error), failure=error.failure) from error
        except ValueError as error:
            raise BackendUnavailable(f"the compositions can't be read: {error}") from error

    async def evaluate(self, props: PropsReference) -> Sequence[Mapping[str, object]]:
        """Return all compositions as Remotion describes them with these props.

        Raises `AwsError`, and `CompositionsError` if the function could not evaluate them.
        """
        payload = compositions_payload(self._deployment.target, props=props)
        invocation = await self._aws.invoke_and_wait(self._deployment.function_name, json.dumps(payload).encode())
        try:
            response = parse_crash(invocation.body) if invocation.crashed else parse_compositions(invocation.body)
        except ValueError as error:
            failure = classify(f"Invalid JSON (the response can't be parsed: {invocation.body[:500]!r})")
            raise CompositionsError(failure) from error
        if isinstance(response, list):
            return response
        if isinstance(response, ErrorResponse):
            raise CompositionsError(classify(response.message, stack=response.stack))
        raise CompositionsError(classify(response.error_message, name=response.error_type))

    async def _head(self) -> str | None:
        """Return the version from the headers; None if the server rejects HEAD or sends none of them."""
        async with self._http.head(self._url, allow_redirects=True) as response:
            return None if response.status in _REJECTED else _version(response)

    async def _get(self) -> str:
        async with self._http.get(self._url, allow_redirects=True) as response:
            if version := _version(response):
                return version
            return hashlib.sha256(await read_limited(response)).hexdigest()

    @property
    def _url(self) -> URL:
        return URL(self._deployment.serve_url)


def _version(response: aiohttp.ClientResponse) -> str | None:
    """Return the version in the headers, if there is one. Raises `BackendUnavailable` for an error response."""
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise BackendUnavailable(
            f"REMOTION_SERVE_URL returns {response.status}: deploy the site again, or correct the URL."
        )
    return response.headers.get("ETag") or response.headers.get("Last-Modified")
