"""Outputs in another storage than AWS's: all that concerns them goes there, everything else to Remotion's bucket."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from services.backends.remotion_lambda.backend import LambdaBackend
from services.backends.remotion_lambda.payloads import provider_option
from services.errors import StartupError
from services.media import OutputFormat, OutputOptions
from services.models import Render
from services.ports import AttemptFinished
from services.renders import lifecycle
from services.storage.aws_errors import error_from_response
from services.storage.s3_access import S3Access
from services.storage.s3_bucket import open_output_bucket
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_scenarios import Scenario
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault
from tests.support.server_process import TIMEOUT_S

OUTPUTS = "outputs"
Launched = Callable[..., Render]


@pytest.fixture
def provider(farm: Farm) -> S3Access:
    """The tests' S3 itself, which the adapter otherwise uses through the proxy `farm.storage`."""
    farm.bucket.make_bucket(OUTPUTS)
    return S3Access(
        endpoint=farm.bucket.url,
        bucket=OUTPUTS,
        access_key_id="output-key",
        secret_access_key="output-secret",  # noqa: S106
        region="auto",
        path_style=True,
    )


@pytest.fixture
async def backend(farm: Farm, provider: S3Access) -> AsyncIterator[LambdaBackend]:
    async with farm.open(output_provider=provider, posters=True) as backend:
        yield backend


async def test_outputs_and_posters_are_stored_signed_and_deleted_there(
    backend: LambdaBackend, farm: Farm, provider: S3Access, launched: Launched
) -> None:
    render = await start_attempt(backend, launched(output_options=OutputOptions(format=OutputFormat.VP8)))
    output = (await until(backend, render, AttemptFinished)).output
    assert (output.bucket, output.key) == (OUTPUTS, f"rendercast/{render.id}-1.webm")
    assert output.poster_key is not None
    assert farm.function.starts[0]["outName"]["s3OutputProvider"] == provider_option(provider)
    assert await backend.has_output(output)
    for signed in (
        backend.sign(output, expires_in=timedelta(hours=1)),
        backend.sign_poster(output, expires_in=timedelta(hours=1)),
    ):
        assert signed is not None
        assert signed.url.startswith(f"{farm.bucket.url}/{OUTPUTS}/rendercast/")
        query = parse_qs(urlsplit(signed.url).query)
        assert query["X-Amz-Credential"][0].startswith("output-key/")
        assert "/auto/s3/" in query["X-Amz-Credential"][0]
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
            assert (await http.get(signed.url)).status_code == 200
    assert farm.bucket.keys(BUCKET, f"rendercast/{render.id}") == []
    assert farm.storage.count("GET", "progress.json") > 0
    await backend.delete(lifecycle.complete(render, output=output, cost_usd=None, warnings=(), now=render.created_at))
    assert farm.bucket.keys(OUTPUTS, f"rendercast/{render.id}") == []
    assert farm.bucket.keys(BUCKET, f"renders/{render.backend_render_id}/") == []


async def test_a_stopped_attempt_is_fenced_there(backend: LambdaBackend, farm: Farm, launched: Launched) -> None:
    farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    render = await start_attempt(backend, launched())
    assert await backend.stop(render) is None
    assert farm.bucket.get(OUTPUTS, f"rendercast/{render.id}-1.mp4") == b""
    assert farm.bucket.get(BUCKET, f"renders/{render.backend_render_id}/cancel.json")


async def test_an_output_of_earlier_settings_stays_in_remotions_bucket(
    farm: Farm, provider: S3Access, launched: Launched
) -> None:
    async with farm.open() as before:
        render = await start_attempt(before, launched())
        output = (await until(before, render, AttemptFinished)).output
    async with farm.open(output_provider=provider) as backend:
        assert await backend.has_output(output)
        assert backend.sign(output, expires_in=timedelta(hours=1)).url.startswith(farm.storage.url)
        ended = lifecycle.complete(render, output=output, cost_usd=None, warnings=(), now=render.created_at)
        await backend.delete(ended)
        assert not await backend.has_output(output)


async def test_the_status_of_a_function_of_unknown_limits_is_requested_with_the_provider(
    farm: Farm, provider: S3Access, launched: Launched
) -> None:
    async with farm.open(output_provider=provider, function=None) as backend:
        await until(backend, await start_attempt(backend, launched()), AttemptFinished)
    assert farm.function.invocations["status"] > 0


async def test_a_storage_that_can_not_be_used_prevents_the_start(farm: Farm, provider: S3Access) -> None:
    wrong = replace(provider, bucket="none-of-these")
    with pytest.raises(StartupError, match="RENDERCAST_OUTPUT_BUCKET"):
        async with farm.open(output_provider=wrong):
            pass
    offline = replace(provider, endpoint="http://127.0.0.1:1")
    with pytest.raises(StartupError, match=r"^The output storage can't be reached \(.*127\.0\.0\.1:1\)"):
        async with farm.open(output_provider=offline):
            pass


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("SignatureDoesNotMatch", "correct RENDERCAST_OUTPUT_ACCESS_KEY_ID and RENDERCAST_OUTPUT_SECRET_ACCESS_KEY"),
        ("NoSuchBucket", "correct RENDERCAST_OUTPUT_BUCKET"),
        ("AccessDenied", "grant s3:PutObject to the key RENDERCAST_OUTPUT_ACCESS_KEY_ID"),
        ("NotImplemented", "see its error message"),
    ],
)
async def test_errors_name_the_settings_of_the_provider(provider: S3Access, code: str, words: str) -> None:
    async with open_output_bucket(provider) as storage:
        error = storage.explain(error_from_response("PutObject", code=code, status=403, detail=""))
    assert error.remedy is not None
    assert words in error.remedy.sentence
    assert "AWS_" not in error.remedy.sentence


async def test_the_endpoint_of_aws_is_not_the_providers(farm: Farm, provider: S3Access) -> None:
    farm.storage.fail(S3Fault.ACCESS_DENIED)
    async with open_output_bucket(provider) as storage:
        assert await storage.size(OUTPUTS, "none") is None
