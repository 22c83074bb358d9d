"""Stills: rendered by one invocation, which may fail, crash or lose its response."""

from collections.abc import Callable

import msgspec
import pytest

from services.backends.remotion_lambda.aws import Invocation
from services.backends.remotion_lambda.backend import LambdaBackend
from services.backends.remotion_lambda.stills import Stills
from services.errors import StartImpossible, StartRejected, StartUncertain
from services.media import FORMATS, Media, OutputFormat, OutputKind, OutputOptions, formats_of
from services.models import Render, RenderPhase
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress
from tests.conftest import MakeRender
from tests.services.backends.remotion_lambda.conftest import access_for
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_compositions import FORBIDDEN_TITLE
from tests.support.lambda_faults import Fault
from tests.support.lambda_outputs import output_content
from tests.support.progress_files import FORMAT_RECORDS, REGION
from tests.support.remotion_farm import BUCKET, Farm

Launched = Callable[..., Render]
Make = Callable[..., Render]
PNG = OutputOptions(format=OutputFormat.PNG)
CARD = Media(frames=1, fps=1, width=1200, height=630)


@pytest.fixture
def card(promo: Launched) -> Make:
    """Return a factory of renders of a still."""

    def make(**values: object) -> Render:
        return promo(**{"composition_id": "Card", "output_options": PNG, "media": CARD, **values})

    return make


@pytest.mark.parametrize("name", sorted(formats_of(OutputKind.STILL)))
async def test_each_format_is_finished_when_the_function_responds(farm: Farm, card: Make, name: OutputFormat) -> None:
    options = OutputOptions(format=name, width=600, scale=2)
    async with farm.open(posters=True) as backend:
        render = await start_attempt(backend, card(output_options=options))
        finished = await backend.observe(render)
        assert isinstance(finished, AttemptFinished)
        assert finished.output.key == f"rendercast/{render.id}-1.{FORMATS[name].extension}"
        assert finished.output.size_bytes == len(output_content({"imageFormat": name}))
        assert finished.media == Media(frames=1, fps=1, width=1200, height=1260)
        assert finished.cost_usd is not None
        assert finished.output.poster_key is None
    assert dict(farm.function.invocations) == {"info": 1, "still": 1}


@pytest.mark.parametrize("frame", [0, 29, -1, -30])
async def test_a_frame_of_a_video_may_count_from_its_end(backend: LambdaBackend, promo: Launched, frame: int) -> None:
    options = OutputOptions(format=OutputFormat.JPEG, frame=frame)
    render = await start_attempt(backend, promo(output_options=options))
    assert isinstance(await backend.observe(render), AttemptFinished)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"composition_id": "Nothing"}, "COMPOSITION_NOT_FOUND"),
        ({"composition_id": "Promo", "input_props": f'{{"title":"{FORBIDDEN_TITLE}"}}'}, "COMPOSITION_ERROR"),
        ({"output_options": OutputOptions(format=OutputFormat.PNG, frame=1)}, "FRAME_OUT_OF_RANGE"),
    ],
)
async def test_an_error_of_the_function_fails_the_attempt(
    backend: LambdaBackend, farm: Farm, card: Make, changes: dict[str, object], code: str
) -> None:
    render = await start_attempt(backend, card(**changes))
    failed = await backend.observe(render)
    assert isinstance(failed, AttemptFailed)
    assert (failed.failure.code, failed.failure.retryable, failed.busy) == (code, False, False)
    assert await backend.stop(render) is None
    assert farm.bucket.keys(BUCKET, f"renders/{render.backend_render_id}/") == []


@pytest.mark.parametrize(
    ("fault", "message", "code"),
    [
        (Fault.CRASHED, "RequestId: 1 Error: Runtime exited with error: signal: killed", "RENDERER_CRASHED"),
        (Fault.CRASHED, "2026-01-01 Task timed out after 120.01 seconds", "RENDER_TIMEOUT"),
        (Fault.REJECTED, "Rate Exceeded.", "RENDERER_BUSY"),
        (Fault.REJECTED, "Target closed.", "RENDERER_CRASHED"),
    ],
)
async def test_a_failure_that_may_not_repeat_is_an_attempt(
    backend: LambdaBackend, farm: Farm, card: Make, fault: Fault, message: str, code: str
) -> None:
    farm.function.fault(fault, kind="still", message=message)
    failed = await backend.observe(await start_attempt(backend, card()))
    assert isinstance(failed, AttemptFailed)
    assert (failed.failure.code, failed.failure.retryable) == (code, True)
    assert failed.busy is (code == "RENDERER_BUSY")


async def test_a_still_that_was_stored_before_a_crash_is_found(backend: LambdaBackend, farm: Farm, card: Make) -> None:
    farm.function.fault(Fault.CRASHED_LATE, kind="still")
    render = await start_attempt(backend, card())
    assert isinstance(await backend.observe(render), AttemptFinished)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.THROTTLED, StartRejected),
        (Fault.SERVICE_ERROR, StartUncertain),
        (Fault.UNLOADABLE, StartImpossible),
        (Fault.ACCESS_DENIED, StartImpossible),
    ],
)
async def test_an_error_of_lambda_is_classified_as_for_videos(
    backend: LambdaBackend, farm: Farm, card: Make, fault: Fault, error: type[Exception]
) -> None:
    farm.function.fault(fault, kind="still")
    with pytest.raises(error):
        await backend.start(card())
    assert len(farm.function.stills) == 1


@pytest.mark.parametrize("fault", [Fault.HELD, Fault.DROPPED, Fault.SERVICE_ERROR_LATE])
async def test_a_still_whose_response_was_lost_is_found_by_its_key(farm: Farm, card: Make, fault: Fault) -> None:
    farm.function.fault(fault, kind="still")
    render = card()
    async with farm.open(access=access_for(fault)) as backend:
        with pytest.raises(StartUncertain):
            await backend.start(render)
        finished = await until(backend, render, AttemptFinished)
    assert (finished.output.key, finished.cost_usd) == (f"rendercast/{render.id}-1.png", None)


async def test_another_process_finds_a_still_without_its_price(farm: Farm, card: Make) -> None:
    async with farm.open() as backend:
        render = await start_attempt(backend, card())
    async with farm.open() as other:
        finished = await other.observe(render)
    assert isinstance(finished, AttemptFinished)
    assert (finished.cost_usd, finished.media) == (None, CARD)


async def test_a_still_that_was_deleted_is_waited_for_and_then_missing(
    backend: LambdaBackend, farm: Farm, card: Make
) -> None:
    render = await start_attempt(backend, card())
    farm.bucket.delete(BUCKET, f"rendercast/{render.id}-1.png")
    waiting = await backend.observe(render)
    assert waiting == AttemptProgress(phase=RenderPhase.COMBINING, fraction=1.0, frames_rendered=1)
    farm.clock.jump(61)
    failed = await backend.observe(render)
    assert isinstance(failed, AttemptFailed)
    assert failed.failure.code == "OUTPUT_MISSING"


async def test_a_stopped_still_is_missing_or_its_output(backend: LambdaBackend, farm: Farm, card: Make) -> None:
    finished = await start_attempt(backend, card())
    stopped = await backend.stop(finished)
    assert stopped is not None
    lost = card()
    assert await backend.stop(lost) is None
    assert isinstance(await backend.observe(lost), AttemptProgress)  # it may be running
    assert farm.bucket.get(BUCKET, f"rendercast/{lost.id}-1.png") == b""


async def test_deleting_a_still_removes_it(backend: LambdaBackend, farm: Farm, card: Make) -> None:
    render = await start_attempt(backend, card())
    prefixes = (f"rendercast/{render.id}-", f"renders/{render.backend_render_id}/")
    assert [len(farm.bucket.keys(BUCKET, prefix)) for prefix in prefixes] == [1, 1]
    await backend.delete(render)
    assert [len(farm.bucket.keys(BUCKET, prefix)) for prefix in prefixes] == [0, 0]


@pytest.mark.parametrize("record", [each for each in FORMAT_RECORDS if "answer" in each], ids=lambda each: each["name"])
def test_the_price_is_that_of_the_official_client(record: dict[str, object], make_render: MakeRender) -> None:
    stills, answer = Stills(region=REGION), record["answer"]
    assert isinstance(answer, dict)
    body = msgspec.json.encode({"type": "success", **answer})
    render_id = stills.record(Invocation(body=body, crashed=False))
    render = make_render(backend_render_id=render_id)
    assert (render_id, stills.cost_usd(render)) == (answer["renderId"], 0.00002)
    stills.forget(render)
    assert stills.cost_usd(render) is None


@pytest.mark.parametrize("crashed", [False, True])
def test_a_response_that_can_not_be_parsed_leaves_the_start_uncertain(crashed: bool) -> None:  # noqa: FBT001
    with pytest.raises(StartUncertain, match="can't be parsed"):
        Stills(region=REGION).record(Invocation(body=b"<html>", crashed=crashed))
