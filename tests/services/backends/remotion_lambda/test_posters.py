"""Posters made by a function that answers well, badly, late or not at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta

import httpx
import pytest

from services.backends.remotion_lambda.backend import LambdaBackend
from services.backends.remotion_lambda.posters import AT_ONCE
from services.models import Failure, Render, RenderPhase, RenderStatus, replace
from services.ports import Broken, Finished, Progress
from services.renders import lifecycle
from tests.conftest import PROPS
from tests.services.backends.test_backend_contract import begun, until
from tests.support.lambda_renders import Course
from tests.support.lambda_server import Fault
from tests.support.lambda_stills import PICTURE
from tests.support.remotion_farm import BUCKET, Farm, running_farm
from tests.support.s3_server import S3Fault, S3Server

Launched = Callable[..., Render]


@pytest.fixture
def hasty_farm(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """A farm where nobody waits for long, because time passes 20 times as fast."""
    with running_farm(s3_server, monkeypatch, speed=20) as farm:
        yield farm


@pytest.fixture
async def backend(farm: Farm) -> AsyncIterator[LambdaBackend]:
    async with farm.open() as backend:
        yield backend


def key_of(render: Render) -> str:
    return f"rendercast/{render.id}-poster.jpg"


async def becomes(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what happens in the function tells nobody
            await asyncio.sleep(0.01)


async def drawn_into(backend: LambdaBackend, render: Render) -> None:
    """Look at a render until it has frames."""
    async with asyncio.timeout(60):
        while True:
            observation = await backend.observe(render)
            if not isinstance(observation, Progress) or observation.phase is not RenderPhase.LAUNCHING:
                return
            await asyncio.sleep(0.01)


async def test_a_poster_is_a_still_of_the_last_frame(backend: LambdaBackend, farm: Farm, launched: Launched) -> None:
    render = await begun(backend, launched(props=replace(PROPS, text="x" * 300_000)))
    output = (await until(backend, render, Finished)).output
    assert output.poster_key == key_of(render)
    (still,) = farm.function.stills
    assert (still["frame"], still["imageFormat"], still["composition"]) == (89, "jpeg", "TextAnimation")
    assert still["inputProps"]["type"] == "payload"
    download = backend.sign_poster(output, expires_in=timedelta(minutes=5))
    assert download is not None
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(download.url)).content == PICTURE


async def test_nothing_is_left_of_it_but_the_picture(backend: LambdaBackend, farm: Farm, launched: Launched) -> None:
    before = set(farm.bucket.keys(BUCKET, "renders/"))
    render = await begun(backend, launched())
    await until(backend, render, Finished)
    left = before | {f"renders/{render.backend_render_id}/progress.json"}
    await becomes(lambda: set(farm.bucket.keys(BUCKET, "renders/")) == left)


async def test_what_it_costs_is_added(farm: Farm, launched: Launched) -> None:
    costs = []
    for posters in (False, True):
        farm.function.play_next(Course.NO_POST_RENDER_DATA)
        async with farm.open(posters=posters) as backend:
            costs.append((await until(backend, await begun(backend, launched()), Finished)).cost_usd or 0.0)
    assert costs[1] - costs[0] == pytest.approx(0.00006, abs=0.00002)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.THROTTLED, "TooManyRequestsException"),
        (Fault.SERVICE_ERROR, "ServiceException"),
        (Fault.ACCESS_DENIED, "AccessDeniedException"),
        (Fault.REFUSED, "the function says: No."),
        (Fault.CRASHED, "the function crashed: Runtime.ExitError: No."),
        (Fault.DROPPED, "Invoke: Connection was closed"),
    ],
)
async def test_one_that_can_not_be_made_is_done_without_and_asked_for_once(
    backend: LambdaBackend,
    farm: Farm,
    launched: Launched,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    words: str,
) -> None:
    farm.function.fault(fault, kind="still", times=5)
    render = await begun(backend, launched())
    finished = await until(backend, render, Finished)
    assert (finished.output.poster_key, farm.function.invocations["still"]) == (None, 1)
    assert f"render {render.id} gets no poster: " in caplog.text
    assert words in caplog.text


async def test_one_that_can_not_be_looked_for_is_done_without(
    backend: LambdaBackend, farm: Farm, launched: Launched, caplog: pytest.LogCaptureFixture
) -> None:
    render = await begun(backend, launched())
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="HEAD")
    await drawn_into(backend, render)
    await becomes(lambda: "HeadObject" in caplog.text)
    farm.storage.heal()
    assert (await until(backend, render, Finished)).output.poster_key is None
    assert farm.function.stills == []


def ended(render: Render, status: RenderStatus, finished: Finished) -> Render:
    now = render.created_at
    match status:
        case RenderStatus.COMPLETE:
            return lifecycle.complete(render, output=finished.output, cost_usd=None, warnings=(), now=now)
        case RenderStatus.CANCELLED:
            return lifecycle.cancel(render, now=now)
    return lifecycle.fail(render, failure=Failure(code="C", message="m", retryable=False), now=now)


@pytest.mark.parametrize("status", [RenderStatus.COMPLETE, RenderStatus.CANCELLED, RenderStatus.FAILED])
async def test_one_that_comes_too_late_is_not_waited_for_and_removed_when_it_comes(
    hasty_farm: Farm, launched: Launched, status: RenderStatus
) -> None:
    hasty_farm.function.fault(Fault.SLOW, kind="still", seconds=3)
    async with hasty_farm.open() as backend:
        render = await begun(backend, launched())
        finished = await until(backend, render, Finished)
        assert finished.output.poster_key is None
        assert hasty_farm.bucket.get(BUCKET, key_of(render))
        await backend.abandon(ended(render, status, finished))
        await becomes(lambda: hasty_farm.bucket.get(BUCKET, key_of(render)) is None)
        assert await backend.has_output(finished.output)


async def test_another_process_takes_the_one_there_is(farm: Farm, launched: Launched) -> None:
    async with farm.open() as first, farm.open() as second:
        render = await begun(first, launched())
        await drawn_into(first, render)
        await becomes(lambda: farm.bucket.get(BUCKET, key_of(render)))
        await first.abandon(render)
        assert (await until(second, render, Finished)).output.poster_key == key_of(render)
    assert farm.function.invocations["still"] == 1


async def test_another_process_makes_the_one_that_is_missing(farm: Farm, launched: Launched) -> None:
    async with farm.open() as first, farm.open() as second:
        render = await begun(first, launched())
        assert farm.function.renders[render.backend_render_id or ""].ended.wait(10)
        assert (await until(second, render, Finished)).output.poster_key == key_of(render)


async def test_a_start_without_an_answer_has_none_made_before_there_is_a_video(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = launched()
    assert isinstance(await backend.observe(render), Progress)
    assert farm.function.invocations["still"] == 0
    farm.bucket.put(BUCKET, f"rendercast/{render.id}-{render.attempt}.mp4", b"a video")
    assert (await until(backend, render, Finished)).output.poster_key == key_of(render)


async def test_only_some_are_made_at_once_and_none_of_a_render_that_was_left_meanwhile(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.play_next(Course.CHUNK_HANGS, times=2 * AT_ONCE + 1)
    farm.function.fault(Fault.SLOW, kind="still", times=100, seconds=0.5)
    rendering = [await begun(backend, launched()) for _ in range(2 * AT_ONCE + 1)]
    farm.function.most_at_once = 0
    for render in rendering:
        await drawn_into(backend, render)
    await backend.abandon(rendering.pop())
    await becomes(lambda: all(farm.bucket.get(BUCKET, key_of(render)) for render in rendering))
    assert farm.function.most_at_once == AT_ONCE
    assert farm.function.invocations["still"] == len(rendering)


async def test_none_takes_room_that_the_parts_of_its_video_still_need(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    for course in (Course.UNKNOWN_COMPOSITION, Course.RENDERERS_THROTTLED):
        farm.function.play_next(course)
        await until(backend, await begun(backend, launched()), Broken)
    assert farm.function.invocations["still"] == 0


async def test_none_is_made_if_they_are_not_wanted(farm: Farm, launched: Launched) -> None:
    async with farm.open(posters=False) as backend:
        assert (await until(backend, await begun(backend, launched()), Finished)).output.poster_key is None
    assert farm.function.invocations["still"] == 0


async def test_it_is_stored_as_privately_and_reported_under_the_same_licence_as_the_video(
    farm: Farm, launched: Launched
) -> None:
    async with farm.open(privacy="no-acl", license_key="rm_pub") as backend:
        await until(backend, await begun(backend, launched()), Finished)
    (still,) = farm.function.stills
    assert (still["privacy"], still["licenseKey"]) == ("no-acl", "rm_pub")
