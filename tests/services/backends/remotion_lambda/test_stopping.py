"""Attempts that are stopped: no launch that Lambda delivers later renders, and a stored video is found."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.backends.remotion_lambda.attempt_outputs import MAX_END_DELAY_S, MAX_LAUNCH_DELAY_S
from services.backends.remotion_lambda.aws import open_aws
from services.backends.remotion_lambda.backend import LambdaBackend
from services.errors import BackendUnavailable, StartUncertain
from services.models import Output, Render, replace
from services.ports import AttemptFinished, AttemptMissing, AttemptProgress
from tests.services.backends.remotion_lambda.conftest import ACCESS
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_faults import Fault
from tests.support.lambda_function import NEVER_S
from tests.support.lambda_renders import State
from tests.support.lambda_scenarios import Scenario
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault
from tests.support.server_process import TIMEOUT_S

Launched = Callable[..., Render]


def key_of(render: Render) -> str:
    return f"rendercast/{render.id}-{render.attempt}.mp4"


async def test_a_stopped_attempt_has_a_cancel_request_and_a_fence(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    render = await start_attempt(backend, launched())
    for _ in range(2):
        assert await backend.stop(render) is None
    assert farm.bucket.get(BUCKET, f"renders/{render.backend_render_id}/cancel.json")
    assert farm.bucket.get(BUCKET, key_of(render)) == b""
    assert not await backend.has_output(Output(bucket=BUCKET, key=key_of(render), size_bytes=1))


async def test_a_launch_that_lambda_delivers_after_the_stop_renders_nothing(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.launch_next_after(NEVER_S)
    render = await start_attempt(backend, launched())
    assert await backend.stop(render) is None
    (launch,) = farm.function.launches
    farm.function.deliver(launch)
    assert launch.ended.wait(TIMEOUT_S)
    assert (launch.state, launch.progress["framesRendered"]) == (State.FAILED, 0)
    assert "already exists" in launch.progress["errors"][-1]["message"]
    assert farm.bucket.get(BUCKET, key_of(render)) == b""
    assert isinstance(await until(backend, render, AttemptMissing), AttemptMissing)


async def test_a_launch_that_lambda_delivers_after_the_render_was_deleted_renders_nothing(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.launch_next_after(NEVER_S)
    render = await start_attempt(backend, launched())
    assert await backend.stop(render) is None
    await backend.delete(render)
    (launch,) = farm.function.launches
    farm.function.deliver(launch)
    assert launch.ended.wait(TIMEOUT_S)
    assert (launch.state, launch.progress["framesRendered"]) == (State.FAILED, 0)
    assert farm.bucket.get(BUCKET, key_of(render)) == b""


@pytest.mark.parametrize("delivered", [True, False])
async def test_an_attempt_whose_start_was_lost_is_stopped_by_its_fence(
    backend: LambdaBackend, farm: Farm, launched: Launched, *, delivered: bool
) -> None:
    farm.function.fault(Fault.SERVICE_ERROR_LATE)
    farm.function.launch_next_after(*([NEVER_S] if delivered else []))
    render = launched()
    with pytest.raises(StartUncertain):
        await backend.start(render)
    assert isinstance(await backend.observe(render), AttemptProgress)
    assert await backend.stop(render) is None
    assert isinstance(await backend.observe(render), AttemptProgress)  # until the time limit: it may have begun
    for launch in farm.function.launches:
        farm.function.deliver(launch)
    ends = [launch.ended.wait(TIMEOUT_S) and launch.state for launch in farm.function.launches]
    assert ends == [State.FAILED] * delivered


async def test_an_attempt_whose_start_was_lost_is_launched_soon_or_never(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.fault(Fault.DROPPED, times=2)
    farm.function.launch_next_after(0)
    farm.function.launch_next_after(NEVER_S)
    soon, late = launched(), launched()
    for render in (soon, late):
        with pytest.raises(StartUncertain):
            await backend.start(render)
        await backend.observe(render)
    assert farm.bucket.get(BUCKET, key_of(late)) is None
    farm.clock.jump(MAX_LAUNCH_DELAY_S)
    assert isinstance(await backend.observe(late), AttemptProgress)
    assert farm.bucket.get(BUCKET, key_of(late)) == b""
    first, second = farm.function.launches
    farm.function.deliver(second)
    ends = [launch.ended.wait(TIMEOUT_S) and launch.state for launch in (first, second)]
    assert ends == [State.COMPLETE, State.FAILED]
    assert isinstance(await backend.observe(soon), AttemptFinished)
    assert isinstance(await backend.observe(late), AttemptProgress)


async def test_an_attempt_whose_start_was_lost_is_not_given_up_before_a_launch_before_its_fence_has_ended(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.fault(Fault.DROPPED)
    farm.function.launch_next_after()
    render = launched()
    with pytest.raises(StartUncertain):
        await backend.start(render)
    await backend.observe(render)
    farm.clock.jump(1000)  # in which this process was busy or S3 unavailable
    await backend.observe(render)
    assert farm.bucket.get(BUCKET, key_of(render)) == b""
    farm.clock.jump(120)
    assert backend.time_limit(render) > timedelta(seconds=1120)
    farm.clock.jump(MAX_END_DELAY_S)
    assert backend.time_limit(render) == timedelta(seconds=190)


async def test_stopping_a_finished_attempt_returns_its_video(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await start_attempt(backend, launched())
    finished = await until(backend, render, AttemptFinished)
    for _ in range(2):
        stopped = await backend.stop(render)
        assert stopped is not None
        assert stopped.output == finished.output
    assert len(farm.bucket.get(BUCKET, finished.output.key) or b"") == finished.output.size_bytes


async def test_a_video_that_replaced_the_fence_of_an_earlier_attempt_is_found(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.use_scenario_next(Scenario.CHUNK_HANGS, times=2)
    first = await start_attempt(backend, launched())
    assert await backend.stop(first) is None
    farm.bucket.put(BUCKET, key_of(first), b"stored while its chunks were combined")
    second = await start_attempt(backend, replace(first, attempt=2, backend_render_id=None))
    for _ in range(2):
        stopped = await backend.stop(second)
        assert stopped is not None
        assert stopped.output.key == key_of(first)
        assert farm.bucket.get(BUCKET, key_of(second)) == b""


@pytest.mark.parametrize("fault", [S3Fault.ACCESS_DENIED, S3Fault.NOT_IMPLEMENTED])
async def test_if_the_fence_is_rejected_the_video_decides(
    backend: LambdaBackend, farm: Farm, launched: Launched, caplog: pytest.LogCaptureFixture, fault: S3Fault
) -> None:
    finished = await start_attempt(backend, launched())
    await until(backend, finished, AttemptFinished)
    farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    running = await start_attempt(backend, launched())
    farm.storage.fail(fault, method="PUT", containing="rendercast/")
    assert await backend.stop(running) is None
    assert "s3:PutObject on rendercast/*" in caplog.text
    assert isinstance(await backend.stop(finished), AttemptFinished)


async def test_an_attempt_is_fenced_even_if_its_cancel_request_is_rejected(
    backend: LambdaBackend, farm: Farm, launched: Launched, caplog: pytest.LogCaptureFixture
) -> None:
    farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    render = await start_attempt(backend, launched())
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="PUT", containing="cancel.json")
    assert await backend.stop(render) is None
    assert farm.bucket.get(BUCKET, key_of(render)) == b""
    assert "s3:PutObject on renders/*/cancel.json" in caplog.text


@pytest.mark.parametrize(
    ("fault", "containing"),
    [
        (S3Fault.INTERNAL_ERROR, "cancel.json"),
        (S3Fault.INTERNAL_ERROR, "rendercast/"),
        (S3Fault.RESET, "rendercast/"),
        (S3Fault.CONFLICT, "rendercast/"),
    ],
)
async def test_a_stop_that_fails_temporarily_can_be_repeated(
    backend: LambdaBackend, farm: Farm, launched: Launched, fault: S3Fault, containing: str
) -> None:
    farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    render = await start_attempt(backend, launched())
    farm.storage.fail(fault, containing=containing)
    with pytest.raises(BackendUnavailable) as unavailable:
        await backend.stop(render)
    assert unavailable.value.failure is None
    farm.storage.clear_faults()
    assert await backend.stop(render) is None
    assert farm.bucket.get(BUCKET, key_of(render)) == b""


async def test_an_object_is_stored_only_if_it_is_absent(farm: Farm) -> None:
    async with open_aws(ACCESS) as aws:
        assert await aws.put_if_absent(BUCKET, "rendercast/new")
        assert not await aws.put_if_absent(BUCKET, "rendercast/new")
        farm.bucket.put(BUCKET, "rendercast/old", b"video")
        assert not await aws.put_if_absent(BUCKET, "rendercast/old")
    assert farm.bucket.get(BUCKET, "rendercast/old") == b"video"
