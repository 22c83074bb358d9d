"""One render from the text to the video, with live progress, in `rendercast dev`."""

import io
import signal
from typing import Any

import av
import httpx

from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import Rendercast
from tests.end_to_end.production import readiness
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import DELETE, GET, PROGRESS, REFRESH, Client, open_client
from tests.support.api_stream import open_stream

FRAMES = 150


async def test_a_text_is_rendered_to_a_video_while_its_progress_is_watched(
    start: Start, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    rendercast = start()
    async with open_client(rendercast.url) as client:
        render_id = await client.start_render(text="Hello, wörld", durationInFrames=FRAMES)
        async with open_stream(client) as stream:
            await stream.subscribe(PROGRESS, id=render_id)
            states = [await stream.next()]
            while not _shows_frames(states[-1]):
                states.append(await stream.next())
            renderers.speed_up()
            states += await stream.rest()
        _check_progress(states)
        render = await client.execute(GET, id=render_id)
        signed = dict.fromkeys(("outputUrl", "outputUrlExpiresAt", "posterUrl", "posterUrlExpiresAt"))
        assert {**render, **signed} == {**states[-1], **signed}
        assert rendercast.outputs == [f"{render_id}.jpg", f"{render_id}.mp4"]
        video = await _download(client, render)
        _check_video(video)
        _check_poster((await client.http.get(render["posterUrl"])).content)
        await _check_that_only_the_signed_url_serves(client.http, render["outputUrl"])
        await _check_that_urls_serve_only_existing_files(client, render_id, rendercast)
    assert rendercast.end() == 0


def _check_progress(states: list[dict[str, Any]]) -> None:
    revisions = [state["revision"] for state in states]
    assert revisions == sorted(set(revisions))
    for figure in ("progress", "framesRendered"):
        figures = [state[figure] for state in states]
        assert figures == sorted(figures)
    assert all(state["progress"] < 100 for state in states[:-1])
    last = states[-1]
    assert (last["status"], last["progress"], last["framesRendered"]) == ("COMPLETE", 100, FRAMES)
    assert (last["attempt"], last["warnings"], last["error"], last["phase"]) == (1, [], None, None)
    assert last["createdAt"] <= last["startedAt"] <= last["completedAt"] < last["outputUrlExpiresAt"]


def _shows_frames(state: dict[str, Any]) -> bool:
    return state["phase"] == "RENDERING_FRAMES" and state["framesRendered"] in range(1, FRAMES)


async def _download(client: Client, render: dict[str, Any]) -> bytes:
    """Check the headers and ranges of the download and return the file."""
    url, size = render["outputUrl"], render["outputSizeBytes"]
    whole = await client.http.get(url)
    assert whole.status_code == 200
    assert (len(whole.content), int(whole.headers["content-length"])) == (size, size)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["content-disposition"] == f'inline; filename="rendercast-{render["id"]}.mp4"'
    assert whole.headers["accept-ranges"] == "bytes"
    for requested, first, last in (("0-99", 0, 99), ("100-", 100, size - 1), ("-10", size - 10, size - 1)):
        part = await client.http.get(url, headers={"Range": f"bytes={requested}"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert part.content == whole.content[first : last + 1]
    beyond = await client.http.get(url, headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416
    assert (await client.http.head(url)).headers["content-length"] == str(size)
    return whole.content


def _check_video(video: bytes) -> None:
    assert video[4:8] == b"ftyp"
    assert video.index(b"moov") < video.index(b"mdat")
    with av.open(io.BytesIO(video), "r") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 1280, 720)
        assert stream.average_rate == 30
        assert len(list(container.decode(stream))) == FRAMES


def _check_poster(poster: bytes) -> None:
    with av.open(io.BytesIO(poster), "r", format="jpeg_pipe") as container:
        (picture,) = container.decode(video=0)
    assert (picture.width, picture.height) == (1280, 720)
    luma = bytes(picture.planes[0])
    assert luma[0] < 10
    assert max(luma) > 240  # white letters


async def _check_that_only_the_signed_url_serves(http: httpx.AsyncClient, url: str) -> None:
    path, _, query = url.partition("?")
    expires, _, signature = query.partition("&")
    other = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    for wrong in (
        path,
        f"{path}?{expires}",
        f"{path}?{signature}",
        f"{path}?{expires}&{other}",
        f"{path}?{expires}&signature=",
        f"{path}?{expires}&signature=%ff%00",
        f"{path}?{expires}0&{signature}",
        f"{path}?expires=&{signature}",
        f"{path}?expires=never&{signature}",
        url.replace(".mp4", ".mp5"),
        url.replace("/files/", "/files/x"),
        url.replace("/files/", "/files/..%2foutputs%2f"),
        url.replace("/files/", "/files/%00"),
        url.replace("/files/", "/files/%ff"),
    ):
        rejected = await http.get(wrong)
        assert (wrong, rejected.status_code) == (wrong, 404)
        assert "signature" not in rejected.text


async def _check_that_urls_serve_only_existing_files(client: Client, render_id: str, rendercast: Rendercast) -> None:
    outputs = rendercast.data / "outputs"
    fresh = await client.execute(REFRESH, id=render_id)
    assert (await client.http.get(fresh["url"])).status_code == 200
    moved = outputs / f"{render_id}.moved"
    (outputs / f"{render_id}.mp4").rename(moved)
    assert (await client.http.get(fresh["url"])).status_code == 404
    assert (await client.execute(REFRESH, id=render_id))["__typename"] == "OutputGone"
    moved.rename(outputs / f"{render_id}.mp4")
    assert (await client.execute(DELETE, id=render_id))["__typename"] == "DeleteRenderSuccess"
    assert rendercast.outputs == []
    assert (await client.http.get(fresh["url"])).status_code == 404


async def test_an_unknown_font_is_replaced_with_a_warning(start: Start) -> None:
    rendercast = start(text_width=320, text_height=180)
    async with open_client(rendercast.url) as client:
        render_id = await client.start_render(fontFamily="No Such Font", durationInFrames=2)
        render = await client.until(render_id, status="COMPLETE")
        assert len(render["warnings"]) == 1
        assert "No Such Font" in render["warnings"][0]


async def test_dev_serves_health_checks_and_a_page_until_it_is_interrupted(start: Start) -> None:
    rendercast = start()
    assert rendercast.first_line.count("\n") == 1
    async with open_client(rendercast.url) as client:
        assert (await client.http.get("/healthz")).status_code == 200
        await readiness(client, 200)  # once the loops have run for the first time
        ready = await client.http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        home = await client.http.get("/", follow_redirects=True, headers={"Accept": "text/html"})
        assert home.status_code == 200
        assert home.headers["content-type"].startswith("text/html")
    assert rendercast.end(signal.SIGINT) == 0
