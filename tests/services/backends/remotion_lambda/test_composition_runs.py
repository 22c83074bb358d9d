"""A foreign Remotion project, discovered, listed, validated and rendered by a worker on the local function."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.errors import InvalidInput
from services.media import Media, OutputFormat, OutputOptions
from services.models import Caller, RenderStatus
from tests.support.lambda_compositions import FORBIDDEN_TITLE
from tests.support.lambda_faults import Fault
from tests.support.lambda_runs import Run, running_worker
from tests.support.remotion_farm import BUCKET, Farm

pytestmark = pytest.mark.slow

SCENES = {"scenes": [{"text": "a", "seconds": 1.5}, {"text": "b", "seconds": 0.5}]}
TOO_LONG = {"scenes": [{"text": "a", "seconds": 20}, {"text": "b", "seconds": 0.5}]}
PNG = OutputOptions(format=OutputFormat.PNG)


@pytest.fixture
async def run(farm: Farm, tmp_path: Path) -> AsyncIterator[Run]:
    async with running_worker(farm, tmp_path) as run:
        yield run


async def test_every_composition_is_listed(run: Run) -> None:
    listed = await run.services.renders.compositions(Caller(id="ann"))
    assert [each.id for each in listed] == ["TextAnimation", "Promo", "Card", "Plain", "Event"]


async def test_a_video_is_rendered_with_its_props_and_its_real_length(run: Run) -> None:
    options = OutputOptions(format=OutputFormat.VP8, fps=60, scale=0.5, transparent=True)
    done = await run.end(await run.start_composition("Promo", SCENES, options))
    assert (done.status, done.progress, done.frames_rendered) == (RenderStatus.COMPLETE, 100, 120)
    assert done.media == Media(frames=120, fps=60, width=640, height=360)
    assert done.output is not None
    assert done.output.key == f"rendercast/{done.id}-1.webm"
    start = run.farm.function.starts[0]
    assert (start["composition"], start["forceDurationInFrames"]) == ("Promo", 120)


@pytest.mark.parametrize("name", ["Plain", "Event"])
async def test_compositions_without_a_schema_are_rendered(run: Run, name: str) -> None:
    done = await run.end(await run.start_composition(name, {"anything": [1, None]}))
    assert done.status is RenderStatus.COMPLETE


async def test_a_still_is_complete_with_its_cost_after_one_invocation(run: Run) -> None:
    done = await run.end(await run.start_composition("Card", {"heading": "Hi"}))
    assert (done.status, done.progress, done.frames_rendered, done.total_frames) == (RenderStatus.COMPLETE, 100, 1, 1)
    assert done.media == Media(frames=1, fps=1, width=1200, height=630)
    assert done.cost_usd
    assert done.output is not None
    assert (done.output.key, done.output.poster_key) == (f"rendercast/{done.id}-1.png", None)
    assert run.farm.function.invocations["still"] == 1


async def test_a_still_whose_first_invocation_crashes_is_rendered_by_the_next(run: Run) -> None:
    run.farm.function.fault(Fault.CRASHED, kind="still", message="Runtime exited with error: signal: killed")
    done = await run.end(await run.start_composition("Promo", {}, PNG))
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 2)
    assert run.farm.bucket.get(BUCKET, f"rendercast/{done.id}-2.png")


async def test_props_that_the_composition_rejects_fail_the_render_and_cost_quota(run: Run) -> None:
    for output in (None, PNG):
        failed = await run.end(await run.start_composition("Promo", {"title": FORBIDDEN_TITLE}, output))
        assert failed.failure is not None
        assert failed.failure.code == "COMPOSITION_ERROR"
    assert await run.quota_used() == 2


async def test_a_video_that_turns_out_too_long_is_stopped_and_costs_no_quota(run: Run) -> None:
    run.farm.function.seconds_per_render = 5
    failed = await run.end(await run.start_composition("Promo", TOO_LONG))
    assert failed.failure is not None
    assert failed.failure.code == "DURATION_EXCEEDED"
    assert failed.backend_render_id is not None
    assert run.farm.bucket.get(BUCKET, f"renders/{failed.backend_render_id}/cancel.json")
    assert await run.quota_used() == 0


async def test_wrong_props_start_nothing(run: Run) -> None:
    with pytest.raises(InvalidInput) as rejected:
        await run.start_composition("Promo", {"title": "", "scenes": [{"text": "a"}]})
    assert {problem.path for problem in rejected.value.problems} == {
        "/composition/props/title",
        "/composition/props/scenes/0/seconds",
    }
    assert run.farm.function.starts == []
    assert await run.quota_used() == 0
