"""Renders of every format on the local function: what is sent, stored, reported and served."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

import httpx
import pytest

from services.backends.remotion_lambda.backend import LambdaBackend
from services.errors import StartImpossible, StartRejected
from services.media import FORMATS, Media, OutputFormat, OutputKind, OutputOptions, formats_of, output_media
from services.models import Render
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress, Observation
from tests.services.backends.remotion_lambda.conftest import access_for
from tests.services.backends.remotion_lambda.test_recorded_payloads import (
    DIFFERENCES,
    PROPS,
    RECORDS,
    options_of,
    require_equal,
    target_of,
)
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_compositions import FORBIDDEN_TITLE
from tests.support.lambda_faults import Fault
from tests.support.lambda_outputs import output_content
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.server_process import TIMEOUT_S

pytestmark = pytest.mark.slow

Launched = Callable[..., Render]
COMPOSITION = Media(frames=30, fps=30, width=1280, height=720)  # Promo, with its default props
DYNAMIC = '{"scenes":[{"text":"a","seconds":1.5},{"text":"b","seconds":0.5}]}'  # 60 frames


@pytest.mark.parametrize("call", ["renderMediaOnLambda", "renderStillOnLambda"])
async def test_every_recorded_payload_is_sent(farm: Farm, promo: Launched, call: str) -> None:
    recorded = sorted((each for each in RECORDS if each["call"] == call), key=settings_text)
    for _, records in groupby(recorded, settings_text):  # opening a backend takes a third of a second
        await check_payloads(farm, promo, list(records))


def settings_text(record: dict[str, Any]) -> str:
    return json.dumps(record["settings"], sort_keys=True)


def of_record(record: dict[str, Any]) -> dict[str, object]:
    return {"input_props": PROPS["payload"], "output_options": options_of(record)}


async def check_payloads(farm: Farm, promo: Launched, records: Sequence[dict[str, Any]]) -> None:
    """Start a render for each of these records, which have the same settings, and compare what is sent."""
    settings = records[0]["settings"]
    target = target_of(settings)
    changes = {name: value for name, value in settings.items() if name != "output_provider"}
    async with farm.open(
        check=False, serve_url=target.serve_url, output_provider=target.output_provider, **changes
    ) as backend:
        for record in records:
            await backend.start(promo(id="01m817gzatj1v633w9kvyqtevh", **of_record(record)))
            sent = (farm.function.starts + farm.function.stills)[-1]
            farm.function.starts.clear()
            farm.function.stills.clear()
            require_equal(sent, record["payload"], DIFFERENCES.get(record["call"], {}))


@pytest.mark.parametrize("name", sorted(formats_of(OutputKind.VIDEO, OutputKind.GIF, OutputKind.AUDIO)))
async def test_each_format_is_rendered_and_served(farm: Farm, promo: Launched, name: OutputFormat) -> None:
    row, options = FORMATS[name], OutputOptions(format=name)
    async with farm.open(posters=True) as backend:
        render = await start_attempt(backend, promo(output_options=options, media=output_media(COMPOSITION, options)))
        finished = await until(backend, render, AttemptFinished)
        assert finished.output.key == f"rendercast/{render.id}-1.{row.extension}"
        assert finished.output.size_bytes == len(output_content({"codec": name}))
        assert finished.media == output_media(COMPOSITION, options)
        assert finished.cost_usd
        assert (finished.output.poster_key is None) is (row.kind is OutputKind.AUDIO)
        response = await get(backend.sign(finished.output, expires_in=timedelta(minutes=5)).url)
    assert (response.status_code, response.headers["Content-Type"]) == (200, row.media_type)


@pytest.mark.parametrize("name", [OutputFormat.H264, OutputFormat.AAC])
async def test_a_file_is_served_with_a_name_only_if_there_is_one(
    backend: LambdaBackend, promo: Launched, name: OutputFormat
) -> None:
    render = await start_attempt(backend, promo(output_options=OutputOptions(format=name)))
    output = (await until(backend, render, AttemptFinished)).output
    shown = await get(backend.sign(output, expires_in=timedelta(minutes=5)).url)
    saved = await get(backend.sign(output, expires_in=timedelta(minutes=5), file_name="Promo-1.mp4").url)
    assert "Content-Disposition" not in shown.headers
    assert saved.headers["Content-Disposition"] == 'attachment; filename="Promo-1.mp4"'
    assert shown.headers["Content-Type"] == saved.headers["Content-Type"] == FORMATS[name].media_type


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
        return await http.get(url)


@pytest.mark.parametrize(
    "options",
    [
        OutputOptions(width=640, height=1136, scale=0.5, fps=15),
        OutputOptions(format=OutputFormat.VP9, scale=0.3333, fps=60),
        OutputOptions(format=OutputFormat.GIF, every_nth_frame=2, scale=0.5),
        OutputOptions(format=OutputFormat.GIF, every_nth_frame=7),
        OutputOptions(format=OutputFormat.WAV),
    ],
    ids=lambda options: options.format.value,
)
async def test_the_real_size_and_length_are_reported_while_it_renders(
    backend: LambdaBackend, farm: Farm, promo: Launched, options: OutputOptions
) -> None:
    farm.function.seconds_per_render = 2
    expected = output_media(COMPOSITION, options)
    render = await start_attempt(backend, promo(output_options=options, media=expected))
    seen: list[Observation] = []
    finished = await until(backend, render, AttemptFinished, seen=seen)
    known = [each.media for each in seen if isinstance(each, AttemptProgress) and each.media is not None]
    assert set(known) == {expected} == {finished.media}


async def test_the_real_length_of_a_dynamic_composition_is_reported(backend: LambdaBackend, promo: Launched) -> None:
    render = await start_attempt(backend, promo(input_props=DYNAMIC, media=COMPOSITION))
    finished = await until(backend, render, AttemptFinished)
    assert finished.media == Media(frames=60, fps=30, width=1280, height=720)


async def test_without_a_known_frame_rate_no_length_is_reported(backend: LambdaBackend, promo: Launched) -> None:
    finished = await until(backend, await start_attempt(backend, promo(media=None)), AttemptFinished)
    assert finished.media is None


async def test_props_are_sent_as_they_are(backend: LambdaBackend, farm: Farm, promo: Launched) -> None:
    await backend.start(promo(input_props='{ "b" : 1, "a": 1.50 }'))
    assert farm.function.starts[0]["inputProps"]["payload"] == '{ "b" : 1, "a": 1.50 }'
    assert farm.function.starts[0]["composition"] == "Promo"


async def test_an_animation_is_rendered_by_the_configured_composition(farm: Farm, launched: Launched) -> None:
    async with farm.open(composition="Mine") as backend:
        await backend.start(launched())
        await backend.start(launched(composition_id="Former"))  # queued before the setting was changed
        await backend.start(launched(props=None, input_props="{}"))
    assert [start["composition"] for start in farm.function.starts] == ["Mine", "Mine", "TextAnimation"]


async def test_a_composition_that_is_missing_fails_the_render(
    backend: LambdaBackend, farm: Farm, promo: Launched
) -> None:
    render = await start_attempt(backend, promo(composition_id="Nothing"))
    assert (await until(backend, render, AttemptFailed)).failure.code == "COMPOSITION_NOT_FOUND"
    with pytest.raises(StartImpossible) as impossible:
        await backend.start(promo(composition_id="Nothing", output_options=OutputOptions(fps=60)))
    assert impossible.value.failure.code == "COMPOSITION_NOT_FOUND"
    assert len(farm.function.starts) == 1


@pytest.mark.parametrize(
    ("given", "frames", "evaluations"),
    [
        ({"input_props": DYNAMIC}, 120, 1),
        ({"composition_id": "Plain"}, 120, 1),  # 50 frames at 25 fps
        ({"input_props": '{"body":"' + "x" * 300_000 + '"}'}, 60, 1),
    ],
    ids=["dynamic", "static", "props in S3"],
)
async def test_a_changed_frame_rate_keeps_the_duration(
    backend: LambdaBackend,
    farm: Farm,
    promo: Launched,
    given: dict[str, object],
    frames: int,
    evaluations: int,
) -> None:
    render = await start_attempt(backend, promo(output_options=OutputOptions(fps=60), media=COMPOSITION, **given))
    start = farm.function.starts[0]
    assert (start["forceFps"], start["forceDurationInFrames"]) == (60, frames)
    assert farm.function.invocations["compositions"] == evaluations
    assert (await until(backend, render, AttemptFinished)).media is not None
    async with asyncio.timeout(TIMEOUT_S):
        while farm.bucket.keys(BUCKET, "input-props/"):  # noqa: ASYNC110  # the function deletes it afterwards
            await asyncio.sleep(0.01)


async def test_the_frame_rate_of_an_animation_needs_no_evaluation(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    await backend.start(launched(output_options=OutputOptions(fps=60)))
    assert farm.function.starts[0]["forceDurationInFrames"] == 180
    assert farm.function.invocations["compositions"] == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.THROTTLED, StartRejected),
        (Fault.SERVICE_ERROR, StartRejected),
        (Fault.CRASHED, StartRejected),
        (Fault.HELD, StartRejected),
        (Fault.ACCESS_DENIED, StartImpossible),
    ],
)
async def test_an_error_of_the_evaluation_starts_nothing(
    farm: Farm, promo: Launched, fault: Fault, error: type[Exception]
) -> None:
    farm.function.fault(fault, kind="compositions")
    async with farm.open(access=access_for(fault)) as backend:
        with pytest.raises(error):
            await backend.start(promo(output_options=OutputOptions(fps=60)))
    assert farm.function.starts == []


async def test_a_composition_that_rejects_the_props_starts_nothing(
    backend: LambdaBackend, farm: Farm, promo: Launched
) -> None:
    with pytest.raises(StartImpossible) as impossible:
        await backend.start(promo(input_props=f'{{"title":"{FORBIDDEN_TITLE}"}}', output_options=OutputOptions(fps=60)))
    assert impossible.value.failure.code == "COMPOSITION_ERROR"
    assert "this title is forbidden" in (impossible.value.failure.detail or "")
    assert farm.function.starts == []


async def test_remotions_own_files_may_expire(farm: Farm, promo: Launched) -> None:
    async with farm.open(delete_after="7-days", concurrency=1) as backend:
        render = await start_attempt(backend, promo())
        assert (render.backend_render_id or "").startswith("7-days-")
        await until(backend, render, AttemptFinished)
        await backend.delete(render)
    assert farm.bucket.keys(BUCKET, f"renders/{render.backend_render_id}/") == []


@pytest.mark.parametrize(("frames", "sent"), [(30, 5), (1000, 5), (1001, 6), (9000, 45)])
async def test_frames_per_lambda_is_raised_until_remotions_limit_of_functions_holds(
    farm: Farm, promo: Launched, frames: int, sent: int
) -> None:
    async with farm.open(frames_per_lambda=5) as backend:
        await backend.start(promo(media=Media(frames=frames, fps=30)))
    assert farm.function.starts[0]["framesPerLambda"] == sent
