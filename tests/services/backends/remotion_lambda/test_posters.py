"""Posters made by a function that succeeds, fails, is late, or does not respond."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta

import httpx
import pytest

from services.backends.remotion_lambda.backend import LambdaBackend
from services.backends.remotion_lambda.posters import MAX_CONCURRENT_POSTERS
from services.models import Failure, Render, RenderPhase, RenderStatus, replace
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress
from services.renders import lifecycle
from tests.conftest import PROPS
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_faults import Fault
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_stills import PICTURE
from tests.support.remotion_farm import BUCKET, Farm, running_farm
from tests.support.s3_server import S3Fault, S3Server

pytestmark = pytest.mark.slow

Launched = Callable[..., Render]


@pytest.fixture
def fast_farm(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """A farm whose clock is 20 times as fast, so that waits are short."""
    with running_farm(s3_server, monkeypatch, speed=20) as farm:
        yield farm


@pytest.fixture
async def backend(farm: Farm) -> AsyncIterator[LambdaBackend]:
    async with farm.open() as backend:
        yield backend


def key_of(render: Render) -> str:
    return f"rendercast/{render.id}-poster.jpg"


async def wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the function sends no notification
            await asyncio.sleep(0.01)


async def wait_for_frames(backend: LambdaBackend, render: Render) -> None:
    """Poll a render until it has frames."""
    async with asyncio.timeout(60):
        while True:
            observation = await backend.observe(render)
            if not isinstance(observation, AttemptProgress) or observation.phase is not RenderPhase.LAUNCHING:
                return
            await asyncio.sleep(0.01)


async def test_a_poster_is_a_still_of_the_last_frame(backend: LambdaBackend, farm: Farm, launched: Launched) -> None:
    render = await start_attempt(backend, launched(props=replace(PROPS, text="x" * 300_000)))
    output = (await until(backend, render, AttemptFinished)).output
    assert output.poster_key == key_of(render)
    (still,) = farm.function.stills
    assert (still["frame"], still["imageFormat"], still["composition"]) == (89, "jpeg", "TextAnimation")
    assert still["inputProps"]["type"] == "payload"
    download = backend.sign_poster(output, expires_in=timedelta(minutes=5))
    assert download is not None
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(download.url)).content == PICTURE


async def test_only_the_picture_of_a_poster_is_kept(backend: LambdaBackend, farm: Farm, launched: Launched) -> None:
    before = set(farm.bucket.keys(BUCKET, "renders/"))
    render = await start_attempt(backend, launched())
    await until(backend, render, AttemptFinished)
    left = before | {f"renders/{render.backend_render_id}/progress.json"}
    await wait_until(lambda: set(farm.bucket.keys(BUCKET, "renders/")) == left)


async def test_the_cost_of_the_poster_is_added(farm: Farm, launched: Launched) -> None:
    costs = []
    for posters in (False, True):
        farm.function.use_scenario_next(Scenario.NO_POST_RENDER_DATA)
        async with farm.open(posters=posters) as backend:
            costs.append(
                (await until(backend, await start_attempt(backend, launched()), AttemptFinished)).cost_usd or 0.0
            )
    assert costs[1] - costs[0] == pytest.approx(0.00006, abs=0.00002)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.THROTTLED, "TooManyRequestsException"),
        (Fault.SERVICE_ERROR, "ServiceException"),
        (Fault.ACCESS_DENIED, "AccessDeniedException"),
        (Fault.REFUSED, "the function reports: No."),
        (Fault.CRASHED, "the function crashed: Runtime.ExitError: No."),
        (Fault.DROPPED, "Invoke: Connection was closed"),
    ],
)
async def test_a_failed_poster_is_requested_once_and_omitted(
    backend: LambdaBackend,
    farm: Farm,
    launched: Launched,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    words: str,
) -> None:
    farm.function.fault(fault, kind="still", times=5)
    render = await start_attempt(backend, launched())
    finished = await until(backend, render, AttemptFinished)
    assert (finished.output.poster_key, farm.function.invocations["still"]) == (None, 1)
    assert f"render {render.id} has no poster: " in caplog.text
    assert words in caplog.text


async def test_a_poster_whose_existence_is_unknown_is_omitted(
    backend: LambdaBackend, farm: Farm, launched: Launched, caplog: pytest.LogCaptureFixture
) -> None:
    render = await start_attempt(backend, launched())
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="HEAD")
    await wait_for_frames(backend, render)
    await wait_until(lambda: "HeadObject" in caplog.text)
    farm.storage.clear_faults()
    assert (await until(backend, render, AttemptFinished)).output.poster_key is None
    assert farm.function.stills == []


def ended(render: Render, status: RenderStatus, finished: AttemptFinished) -> Render:
    now = render.created_at
    match status:
        case RenderStatus.COMPLETE:
            return lifecycle.complete(render, output=finished.output, cost_usd=None, warnings=(), now=now)
        case RenderStatus.CANCELLED:
            return lifecycle.cancel(render, now=now)
    return lifecycle.fail(render, failure=Failure(code="C", message="m", retryable=False), now=now)


@pytest.mark.parametrize("status", [RenderStatus.COMPLETE, RenderStatus.CANCELLED, RenderStatus.FAILED])
async def test_a_late_poster_is_omitted_and_deleted_when_it_is_stored(
    fast_farm: Farm, launched: Launched, status: RenderStatus
) -> None:
    fast_farm.function.fault(Fault.SLOW, kind="still", seconds=3)
    async with fast_farm.open() as backend:
        render = await start_attempt(backend, launched())
        finished = await until(backend, render, AttemptFinished)
        assert finished.output.poster_key is None
        assert fast_farm.bucket.get(BUCKET, key_of(render))
        await backend.abandon(ended(render, status, finished))
        await wait_until(lambda: fast_farm.bucket.get(BUCKET, key_of(render)) is None)
        assert await backend.has_output(finished.output)


async def test_another_process_uses_the_stored_poster(farm: Farm, launched: Launched) -> None:
    async with farm.open() as first, farm.open() as second:
        render = await start_attempt(first, launched())
        await wait_for_frames(first, render)
        await wait_until(lambda: farm.bucket.get(BUCKET, key_of(render)))
        await first.abandon(render)
        assert (await until(second, render, AttemptFinished)).output.poster_key == key_of(render)
    assert farm.function.invocations["still"] == 1


async def test_another_process_makes_a_missing_poster(farm: Farm, launched: Launched) -> None:
    async with farm.open() as first, farm.open() as second:
        render = await start_attempt(first, launched())
        assert farm.function.renders[render.backend_render_id or ""].ended.wait(10)
        assert (await until(second, render, AttemptFinished)).output.poster_key == key_of(render)


async def test_after_a_lost_response_the_poster_is_made_once_the_video_exists(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = launched()
    assert isinstance(await backend.observe(render), AttemptProgress)
    assert farm.function.invocations["still"] == 0
    farm.bucket.put(BUCKET, f"rendercast/{render.id}-{render.attempt}.mp4", b"a video")
    assert (await until(backend, render, AttemptFinished)).output.poster_key == key_of(render)


async def test_concurrent_posters_are_limited_and_none_is_made_for_an_abandoned_render(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.use_scenario_next(Scenario.CHUNK_HANGS, times=2 * MAX_CONCURRENT_POSTERS + 1)
    responded = threading.Event()
    farm.function.fault(Fault.SLOW, kind="still", times=100, seconds=10, until=responded)
    rendering = [await start_attempt(backend, launched()) for _ in range(2 * MAX_CONCURRENT_POSTERS + 1)]
    farm.function.max_concurrent = 0
    for render in rendering:
        await wait_for_frames(backend, render)
    await backend.abandon(rendering.pop())
    await wait_until(lambda: farm.function.max_concurrent == MAX_CONCURRENT_POSTERS)
    responded.set()
    await wait_until(lambda: all(farm.bucket.get(BUCKET, key_of(render)) for render in rendering))
    assert farm.function.max_concurrent == MAX_CONCURRENT_POSTERS
    assert farm.function.invocations["still"] == len(rendering)


async def test_no_poster_is_made_before_the_video_has_frames(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    for scenario in (Scenario.UNKNOWN_COMPOSITION, Scenario.RENDERERS_THROTTLED):
        farm.function.use_scenario_next(scenario)
        await until(backend, await start_attempt(backend, launched()), AttemptFailed)
    assert farm.function.invocations["still"] == 0


async def test_posters_can_be_switched_off(farm: Farm, launched: Launched) -> None:
    async with farm.open(posters=False) as backend:
        assert (
            await until(backend, await start_attempt(backend, launched()), AttemptFinished)
        ).output.poster_key is None
    assert farm.function.invocations["still"] == 0


async def test_privacy_and_licence_key_are_sent_for_posters(farm: Farm, launched: Launched) -> None:
    async with farm.open(privacy="no-acl", license_key="rm_pub") as backend:
        await until(backend, await start_attempt(backend, launched()), AttemptFinished)
    (still,) = farm.function.stills
    assert (still["privacy"], still["licenseKey"]) == ("no-acl", "rm_pub")
