"""The adapter on a local function and bucket that respond like the real ones, with and without errors."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace as replace_access

import pytest

from services.backends.remotion_lambda.aws import open_aws
from services.backends.remotion_lambda.backend import LambdaBackend
from services.errors import BackendUnavailable, StartImpossible, StartRejected, StartUncertain
from services.models import Output, Render, RenderPhase, replace
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress, Observation
from services.storage.s3_clients import MAX_CONCURRENT_CALLS
from tests.conftest import PROPS
from tests.services.backends.remotion_lambda.conftest import ACCESS, SHORT_TIMEOUT_S
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_faults import Fault
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault
from tests.support.server_process import TIMEOUT_S
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

TEXTS = ["Hello {", '"}', "}{[", "👩‍👩‍👧‍👦 🇩🇪", "a\u2028b\u2029c", 'quo"te\\', "\t\n", "x" * 300_000, "é" * 100_000]

Launched = Callable[..., Render]


def with_text(text: str) -> dict[str, object]:
    return {"props": replace(PROPS, text=text)}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_any_text_is_rendered(backend: LambdaBackend, farm: Farm, launched: Launched, text: str) -> None:
    farm.function.fault(Fault.ECHOED)
    render = await start_attempt(backend, launched(**with_text(text)))
    finished = await until(backend, render, AttemptFinished)
    (simulated,) = farm.function.renders.values()
    assert (simulated.props["text"], simulated.props["style"]) == (text, "fade-in")
    assert (finished.output.bucket, finished.output.key) == (BUCKET, f"rendercast/{render.id}-1.mp4")
    assert farm.bucket.get(BUCKET, finished.output.key)
    await wait_until(lambda: not farm.bucket.keys(BUCKET, "input-props/"))  # the function deletes it afterwards


async def test_the_response_may_be_the_last_of_several_objects(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.fault(Fault.SEVERAL_OBJECTS)
    render = await start_attempt(backend, launched())
    assert render.backend_render_id in farm.function.renders


async def test_progress_and_result_of_a_render(backend: LambdaBackend, farm: Farm, launched: Launched) -> None:
    farm.function.seconds_per_render, farm.function.steps = 4, 8  # S3 reports the time in whole seconds
    render = await start_attempt(backend, launched())
    seen: list[Observation] = []
    finished = await until(backend, render, AttemptFinished, seen=seen)
    reports = [each for each in seen if isinstance(each, AttemptProgress)]
    assert reports[0].phase is RenderPhase.LAUNCHING
    assert RenderPhase.RENDERING_FRAMES in {report.phase for report in reports}
    assert reports[-1].cost_usd
    assert any(report.estimated_completion_at for report in reports)
    assert finished.cost_usd
    assert finished.output.size_bytes == len(farm.bucket.get(BUCKET, finished.output.key) or b"")


async def test_polling_costs_no_invocation_and_no_body_while_nothing_changes(farm: Farm, launched: Launched) -> None:
    farm.function.use_scenario_next(Scenario.STITCHER_TIMES_OUT)
    async with farm.open(posters=False) as backend:
        render = await start_attempt(backend, launched())
        assert farm.function.renders[render.backend_render_id or ""].ended.wait(TIMEOUT_S)
        observations = [await backend.observe(render) for _ in range(20)]
    assert len(set(observations)) == 1
    assert farm.storage.count("GET", "progress.json", 304) == 19
    assert dict(farm.function.invocations) == {"info": 1, "start": 1}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.THROTTLED, StartRejected),
        (Fault.SERVICE_ERROR, StartUncertain),
        (Fault.CRASHED, StartUncertain),
        (Fault.CRASHED_LATE, StartUncertain),
        (Fault.DROPPED, StartUncertain),
        (Fault.UNLOADABLE, StartImpossible),
        (Fault.REJECTED, StartImpossible),
        (Fault.ACCESS_DENIED, StartImpossible),
        (Fault.EXPIRED_TOKEN, StartImpossible),
    ],
)
async def test_a_start_is_sent_once_and_its_error_depends_on_what_may_run(
    backend: LambdaBackend, farm: Farm, launched: Launched, fault: Fault, kind: type[Exception]
) -> None:
    farm.function.fault(fault)
    with pytest.raises(kind):
        await backend.start(launched())
    assert len(farm.function.starts) == 1


async def test_a_start_without_a_response_is_sent_once_and_may_run(farm: Farm, launched: Launched) -> None:
    farm.function.fault(Fault.HELD)
    access = replace_access(ACCESS, start_timeout_s=SHORT_TIMEOUT_S)
    async with farm.open(check=False, access=access) as backend:
        with pytest.raises(StartUncertain):
            await backend.start(launched())
    await wait_until(lambda: farm.function.starts)  # a busy function reads the request after the time limit
    assert len(farm.function.starts) == 1


@pytest.mark.parametrize(
    ("message", "kind"),
    [("Rate Exceeded.", StartRejected), ("We encountered an internal error. Please try again.", StartUncertain)],
)
async def test_an_error_of_s3_during_a_start_may_follow_the_launch(
    backend: LambdaBackend, farm: Farm, launched: Launched, message: str, kind: type[Exception]
) -> None:
    farm.function.fault(Fault.REJECTED, message=message)
    with pytest.raises(kind):
        await backend.start(launched())


async def test_a_refused_connection_prevents_the_start(backend: LambdaBackend, farm: Farm, launched: Launched) -> None:
    farm.function.go_offline()
    with pytest.raises(StartRejected):
        await backend.start(launched())
    farm.function.go_online()
    await start_attempt(backend, launched())


async def test_a_tls_error_may_occur_after_the_request_was_sent(
    farm: Farm, launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", farm.function.url.replace("http:", "https:"))
    async with farm.open(check=False) as backend:
        with pytest.raises(StartUncertain, match="SSL"):
            await backend.start(launched())


async def test_props_that_can_not_be_stored_start_nothing(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    large = launched(**with_text("x" * 300_000))
    farm.storage.fail(S3Fault.INTERNAL_ERROR, method="PUT")
    with pytest.raises(StartRejected):
        await backend.start(large)
    farm.storage.clear_faults()
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="PUT")
    with pytest.raises(StartImpossible) as denied:
        await backend.start(large)
    assert "s3:PutObject" in (denied.value.failure.detail or "")
    assert farm.function.starts == []


@pytest.mark.parametrize(
    ("changes", "code", "variable"),
    [
        ({"function_name": FUNCTION + "x"}, "FUNCTION_NOT_FOUND", "REMOTION_LAMBDA_FUNCTION_NAME"),
        ({"version": "4.0.1"}, "VERSION_MISMATCH", "REMOTION_LAMBDA_FUNCTION_NAME"),
    ],
)
async def test_a_wrong_deployment_fails_the_start_with_its_setting_in_the_detail(
    farm: Farm, launched: Launched, changes: dict[str, object], code: str, variable: str
) -> None:
    async with farm.open(check=False, **changes) as backend:
        with pytest.raises(StartImpossible) as impossible:
            await backend.start(launched())
    failure = impossible.value.failure
    assert (failure.code, failure.retryable) == (code, False)
    assert variable in (failure.detail or "")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (S3Fault.SLOW_DOWN, None),
        (S3Fault.INTERNAL_ERROR, None),
        (S3Fault.RESET, None),
        (S3Fault.EXPIRED_TOKEN, "CREDENTIALS_INVALID"),
        (S3Fault.ACCESS_DENIED, "ACCESS_DENIED"),
    ],
)
async def test_a_failed_poll_does_not_fail_the_render(
    backend: LambdaBackend, farm: Farm, launched: Launched, fault: S3Fault, code: str | None
) -> None:
    render = await start_attempt(backend, launched())
    farm.storage.fail(fault)
    with pytest.raises(BackendUnavailable) as unavailable:
        await backend.observe(render)
    assert (unavailable.value.failure and unavailable.value.failure.code) == code
    farm.storage.clear_faults()
    await until(backend, render, AttemptFinished)


async def test_a_bucket_is_addressed_in_its_own_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    async with open_aws(ACCESS) as aws:
        assert aws.address(BUCKET) == f"https://{BUCKET}.s3.us-east-1.amazonaws.com/"


async def test_the_original_error_is_in_the_detail_only(backend: LambdaBackend, farm: Farm, launched: Launched) -> None:
    farm.function.use_scenario_next(Scenario.REACT_ERROR)
    broken = await until(backend, await start_attempt(backend, launched()), AttemptFailed)
    assert 'Unknown style: "bogus"' in (broken.failure.detail or "")
    assert "bogus" not in broken.failure.message


async def test_a_function_of_unknown_memory_is_invoked_for_progress(farm: Farm, launched: Launched) -> None:
    async with farm.open(function=None, version="") as backend:
        finished = await until(backend, await start_attempt(backend, launched()), AttemptFinished)
        assert finished.output.size_bytes
        assert farm.function.invocations["status"] > 0
        assert farm.storage.count("GET", "progress.json") == 0
        farm.function.use_scenario_next(Scenario.BROWSER_CRASH)
        assert (await until(backend, await start_attempt(backend, launched()), AttemptFailed)).failure.retryable
        render = await start_attempt(backend, launched())
        for fault in (Fault.THROTTLED, Fault.SERVICE_ERROR, Fault.CRASHED, Fault.DROPPED, Fault.REJECTED):
            farm.function.fault(fault, kind="status")
            with pytest.raises(BackendUnavailable):
                await backend.observe(render)
        await until(backend, render, AttemptFinished)


async def test_aws_calls_do_not_block_the_event_loop(farm: Farm, launched: Launched) -> None:
    """Other tasks run during starts, and the starts run concurrently."""
    async with farm.open() as backend:
        released = threading.Event()
        farm.function.fault(Fault.SLOW, times=8, seconds=TIMEOUT_S, until=released)
        starting = [asyncio.create_task(backend.start(launched())) for _ in range(8)]
        await wait_until(lambda: farm.function.max_concurrent == 8)
        assert not any(task.done() for task in starting)
        released.set()
        assert len({await task for task in starting}) == 8


async def test_slow_starts_do_not_block_storage_calls(farm: Farm, launched: Launched) -> None:
    async with farm.open() as backend:
        released = threading.Event()
        farm.function.fault(Fault.SLOW, times=MAX_CONCURRENT_CALLS, seconds=TIMEOUT_S, until=released)
        starting = [asyncio.create_task(backend.start(launched())) for _ in range(MAX_CONCURRENT_CALLS)]
        await wait_until(lambda: len(farm.function.starts) == MAX_CONCURRENT_CALLS)
        assert not await backend.has_output(Output(bucket=BUCKET, key="rendercast/none-1.mp4", size_bytes=1))
        assert not any(task.done() for task in starting)
        released.set()
        await asyncio.gather(*starting)


async def test_privacy_and_licence_key_are_sent_to_the_function(farm: Farm, launched: Launched) -> None:
    async with farm.open(privacy="no-acl", license_key="rm_pub") as backend:
        await backend.start(launched())
    (start,) = farm.function.starts
    assert (start["privacy"], start["licenseKey"]) == ("no-acl", "rm_pub")


async def test_frames_and_colours_are_as_set(farm: Farm, launched: Launched) -> None:
    async with farm.open() as backend:
        await backend.start(launched())
    async with farm.open(image_format="jpeg", color_space="bt2020-ncl") as backend:
        await backend.start(launched())
    sent = [(start["imageFormat"], start["colorSpace"], start["logLevel"]) for start in farm.function.starts]
    assert sent == [("png", "bt709", "warn"), ("jpeg", "bt2020-ncl", "warn")]
